"""When two names are one: of groups, of users, of what a policy maps. Pure.

Which names are equal is the directory's to say. Where we have to compare them, no two are equal here that a directory may
keep apart: whoever may make the group `straße` must not become a member of `strasse` by it.
"""

from __future__ import annotations

import unicodedata


def fold_case(name: str) -> str:
    """Equal for names that differ in the case of letters only, or in their form in Unicode.

    Letter by letter, and only where a capital and a small letter belong to each other alone: `str.casefold` takes a long s
    for `s`, `ß` for `ss` and a ligature for its letters, and `str.lower` the Kelvin sign for `k`.
    """
    if name.isascii():  # nearly always
        return name.lower()
    return unicodedata.normalize("NFC", "".join(map(_fold_letter, name)))


def _fold_letter(letter: str) -> str:
    small = letter.lower()
    return small if small.upper() == letter else letter
