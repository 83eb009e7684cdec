"""The spellings of a user name, folded as a directory folds them: for counting only, never for asking anybody.

Folding too much makes two people share a budget until their accounts are known; folding too little gives a guesser
another budget for each spelling. So this folds whatever some directory may ignore.
"""

from __future__ import annotations

import re
import unicodedata

from gateway.relay.credentials.admission.settings import LONGEST_NAME

TOO_LONG = "\0"
"""Stands for every name that is too long to be anybody's: they share one record, and none costs more than a short one."""

_RUNS = re.compile(" +")
_SEPARATED = re.compile(r" *([\\@]) *")
_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
"""Categories of characters that nobody sees. Directories refuse or skip them."""
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Default_Ignorable_Code_Point (Unicode, DerivedCoreProperties) beyond those categories."""


def fold_name(user_name: str) -> str:
    """The name as it is counted: NFKC, no case, no hidden characters, no blanks around it, `\\` and `@`, elsewhere one at
    a time (RFC 4518 section 2.6.1). No letter becomes two: `straße` and `strasse` may be two people."""
    name = user_name.strip()
    if len(name) > LONGEST_NAME:
        return TOO_LONG
    if name.isascii():
        name = name.lower()
    else:
        narrow = unicodedata.normalize("NFKC", _without_hidden(name))  # what is hidden keeps letter and accent apart
        folded = "".join(map(_fold_letter, narrow))
        name = unicodedata.normalize("NFKC", folded)  # folding can take a composition apart
    if not name.isprintable():
        name = "".join(" " if character.isspace() else character for character in _without_hidden(name))
    if " " in name:
        name = _RUNS.sub(" ", _SEPARATED.sub(r"\1", name)).strip()
    return name


def _without_hidden(name: str) -> str:
    return "".join(character for character in _IGNORABLE.sub("", name) if unicodedata.category(character) not in _HIDDEN)


def _fold_letter(letter: str) -> str:
    """Simple case folding (Unicode, CaseFolding.txt, status C and S), as the agent compares names."""
    folded = letter.casefold()
    if len(folded) == 1:
        return folded
    lower = letter.lower()
    return lower if len(lower) == 1 else letter


def local_part(folded: str) -> str:
    """What all spellings of an account share mostly: `corp\\anna`, `anna@corp.example.com`, `anna`. Accents go, too, and
    letters that some directory takes for two are two."""
    user = folded.rpartition("\\")[2]
    user = user.rpartition("@")[0] or user
    if user.isascii():
        return user
    taken_apart = unicodedata.normalize("NFKD", user.casefold())
    return "".join(character for character in taken_apart if not unicodedata.combining(character))
