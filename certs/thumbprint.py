"""Thumbprints: how Windows names certificates, and how people paste them.

A thumbprint is the SHA-1 of the certificate's DER, in 40 upper-case hexadecimal digits: a name, not a proof.
"""

from __future__ import annotations

import hashlib
import unicodedata

from certs.errors import ThumbprintMalformed

_DIGITS = frozenset("0123456789ABCDEFabcdef")
_LENGTH = 40
_IGNORED = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf", "Pd"))
"""Categories of Unicode: blanks, controls, marks (Windows' certificate dialog puts U+200E before the first digit; others
come from documents and chats) and dashes. Colons are left out as well."""


def thumbprint_of(der: bytes) -> str:
    """Of a certificate in DER."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def parse_thumbprint(text: str) -> str:
    """A thumbprint as somebody pasted it: in any case, with blanks, colons, dashes and invisible characters between its
    digits. Raises ThumbprintMalformed."""
    found = _bare(text)
    if len(found) != _LENGTH or not set(found) <= _DIGITS:  # before `upper`, which makes FF of a ligature
        raise ThumbprintMalformed(text)
    return found.upper()


def normal_thumbprint(text: str) -> str:
    """The same form for what a program answered, to be compared. Empty for none; never raises."""
    return _bare(text).upper()


def _bare(text: str) -> str:
    return "".join(letter for letter in text if letter != ":" and unicodedata.category(letter) not in _IGNORED)
