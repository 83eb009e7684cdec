"""What people type to say who they are: `anna@example.com`, `CORP\\anna`, `anna`."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NamedTuple

LONGEST = 1024
"""Characters; userPrincipalName's own bound (its rangeUpper is 1024)."""

_SEPARATED = re.compile(r" *([\\@]) *")
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties) beyond category Cf."""


class LoginName(NamedTuple):
    """A name taken apart; comparison parts are lower case."""

    text: str
    """As typed, without what nobody sees, and without blanks around it and around its separators."""
    user: str
    """Before the @ or after the backslash; everything where there is neither."""
    suffix: str
    """After the last @, lower case, else empty."""
    netbios: str
    """Before the backslash, lower case, else empty."""


@functools.lru_cache(maxsize=1024)  # routing and the check itself each take a name apart
def parse_name(text: str) -> LoginName | None:
    """Takes a name apart, or answers None for what can be nobody's name: empty, too long, control characters."""
    if len(text) > LONGEST:
        return None
    text = _without_invisible(text).strip()
    if " " in text:
        text = _SEPARATED.sub(r"\1", text)
    if not text or not text.isprintable():
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


def _without_invisible(text: str) -> str:
    """As LDAP prepares strings (RFC 4518 section 2.2): what nobody sees goes, any kind of space is a blank. It comes along
    where a name was pasted, and nobody knows that it is there. Control characters stay: nobody pastes them."""
    if text.isascii():
        return text
    return "".join(map(_visible, _IGNORABLE.sub("", text)))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category.startswith("Z") else character


def fold(text: str) -> str:
    """As names are compared by everybody: without case, width and composition, runs of blanks as one.

    No letter becomes two: `straße` and `strasse` are two names, of two people in many a directory.
    """
    if text.isascii():
        folded = text.lower()
    else:
        narrow = unicodedata.normalize("NFKC", text)
        folded = unicodedata.normalize("NFKC", "".join(map(_fold_letter, narrow)))
    return _BLANKS.sub(" ", folded).strip() if " " in folded else folded


def _fold_letter(letter: str) -> str:
    """Simple case folding (Unicode, CaseFolding.txt, status C and S)."""
    folded = letter.casefold()
    if len(folded) == 1:
        return folded
    lower = letter.lower()
    return lower if len(lower) == 1 else letter


def spellings(value: str) -> frozenset[str]:
    """Those under which a name that a directory holds is taken: as it is, without marks, without separators as well.

    Windows takes `b\u0328jo\u0308rn` for `bjorn`, with any number of marks on any letter, and LDAP takes `+49 30 1` for
    `+4930-1`. Whoever counts attempts for each spelling must not be offered any number of them.
    """
    whole = fold(value)
    if whole.isascii():  # it has no marks
        return frozenset((whole, _without_separators(whole)))
    bare = unicodedata.normalize("NFKD", whole).translate(_PLAIN).lower()
    bare = "".join(character for character in bare if not unicodedata.combining(character))
    return frozenset((whole, bare, _without_separators(bare)))


def _without_separators(text: str) -> str:
    return text.replace(" ", "").replace("-", "")


_BLANKS = re.compile(" +")
_PLAIN = str.maketrans({**dict(zip("\u0111\u0127\u0131\u0142\u00f8\u0167", "dhilot", strict=True)), "\u00df": "ss"})
"""The sharp s, letters with a stroke, and the i without a dot: Unicode does not take them apart."""
