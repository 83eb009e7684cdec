"""What people type to say who they are: `anna@example.com`, `CORP\\anna`, `anna`."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NamedTuple

LONGEST = 1024
"""Characters; userPrincipalName's own bound (its rangeUpper is 1024)."""


class LoginName(NamedTuple):
    """A name taken apart; comparison parts are lower case."""

    text: str
    """As typed, without the spaces around it."""
    user: str
    """Before the @ or after the backslash; everything where there is neither."""
    suffix: str
    """After the last @, lower case, else empty."""
    netbios: str
    """Before the backslash, lower case, else empty."""


@functools.lru_cache(maxsize=1024)  # routing and the check itself each take a name apart
def parse_name(text: str) -> LoginName | None:
    """Takes a name apart, or answers None for what can be nobody's name: empty, too long, control characters."""
    text = text.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    domain, backslash, user = text.partition("\\")
    if backslash:
        return LoginName(text, user, "", domain.lower()) if user and domain else None
    user, at, suffix = text.rpartition("@")
    if at:
        return LoginName(text, user, suffix.lower(), "") if user and suffix else None
    return LoginName(text, text, "", "")


def fold(text: str) -> str:
    """As names are compared by everybody: without case, width and composition, runs of blanks as one."""
    folded = text.casefold()
    if not text.isascii():
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _BLANKS.sub(" ", folded).strip() if " " in folded else folded


def spellings(value: str) -> frozenset[str]:
    """Those under which a name that a directory holds is taken: as it is, without marks, without separators as well.

    Windows takes `b\u0328jo\u0308rn` for `bjorn`, with any number of marks on any letter, and LDAP takes `+49 30 1` for
    `+4930-1`. Whoever counts attempts for each spelling must not be offered any number of them.
    """
    whole = fold(value)
    bare = unicodedata.normalize("NFKD", whole).translate(_STROKES)
    bare = "".join(character for character in bare if not unicodedata.combining(character))
    return frozenset((whole, bare, _SEPARATORS.sub("", bare)))


_BLANKS = re.compile(" +")
_SEPARATORS = re.compile("[ -]")
_STROKES = str.maketrans("\u0111\u0127\u0131\u0142\u00f8\u0167", "dhilot")
"""Letters with a stroke, and the i without a dot: Unicode does not take them apart."""
