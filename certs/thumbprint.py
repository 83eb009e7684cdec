"""Thumbprints: how Windows names certificates, and how people paste them.

A thumbprint is the SHA-1 of the certificate's DER, in 40 upper-case hexadecimal digits: a name, not a proof.
"""

from __future__ import annotations

import hashlib

from certs.errors import ThumbprintMalformed

_DIGITS = frozenset("0123456789ABCDEFabcdef")
_LENGTH = 40
_SEPARATORS = " \t\r\n\u00a0:-"
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"
"""Windows' certificate dialog puts U+200E before the first digit; the others come from documents and chats."""
_IGNORED = str.maketrans("", "", _SEPARATORS + _INVISIBLE)


def thumbprint_of(der: bytes) -> str:
    """Of a certificate in DER."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def parse_thumbprint(text: str) -> str:
    """A thumbprint as somebody pasted it: in any case, with blanks, colons, dashes and invisible characters between its
    digits. Raises ThumbprintMalformed."""
    found = text.translate(_IGNORED)
    if len(found) != _LENGTH or not set(found) <= _DIGITS:  # before `upper`, which makes FF of a ligature
        raise ThumbprintMalformed(text)
    return found.upper()


def normal_thumbprint(text: str) -> str:
    """The same form for what a program answered, to be compared. Empty for none; never raises."""
    return text.translate(_IGNORED).upper()
