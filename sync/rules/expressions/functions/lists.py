"""Functions of all values of a multi-valued attribute at once. NULL is no value at all."""

from __future__ import annotations

from typing import Final

from sync.rules.expressions.errors import UnfitValue
from sync.rules.expressions.functions.texts import lower
from sync.rules.expressions.operators import too_long
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import LONGEST_TEXT, Reference, Scalar

LISTS: Final = FunctionTable("Multi-valued")


@LISTS.function("num Contains(mvstr|ref values, str search[, CaseSensitive|CaseInsensitive casetype])", Basis.EXAMPLE)
def contains(values: tuple[str | Reference, ...], search: str, casetype: str = "CaseSensitive") -> int:
    """The number of the first value in which the text stands, from 1; 0 where it stands in none. A reference has to be the
    text as a whole."""
    plain = lower if casetype == "CaseInsensitive" else str
    wanted = plain(search)
    for number, value in enumerate(values, 1):
        if plain(value.target) == wanted if isinstance(value, Reference) else wanted in plain(value):
            return number
    return 0


@LISTS.function("num Count(mvvar values)", Basis.DESCRIPTION)
def count(values: tuple[Scalar, ...]) -> int:
    """How many values there are; 0 for NULL."""
    return len(values)


@LISTS.function("same Item(mvvar values, num index)", Basis.EXAMPLE)
def item(values: tuple[Scalar, ...], index: int) -> Scalar:
    """One of the values, from 1. An error where there is none of this number."""
    if not 1 <= index <= len(values):
        raise UnfitValue(f"index is {index}, of {len(values)} values", "Use ItemOrNull, or ask before by Contains or Count")
    return values[index - 1]


@LISTS.function("same ItemOrNull(mvvar values, num index)", Basis.DESCRIPTION)
def item_or_null(values: tuple[Scalar, ...], index: int) -> Scalar | None:
    """One of the values, from 1; NULL where there is none of this number."""
    return values[index - 1] if 1 <= index <= len(values) else None


@LISTS.function("str Join(mvstr values[, str? delimiter])", Basis.EXAMPLE)
def join(values: tuple[str, ...], delimiter: str | None = " ") -> str | None:
    """One text of all values, with the delimiter between them: a space where it is left out, nothing for NULL. NULL where
    there is no value."""
    between = delimiter or ""
    if sum(map(len, values)) + len(between) * len(values) > LONGEST_TEXT:
        raise too_long()
    return between.join(values) if values else None


@LISTS.function("mvsame RemoveDuplicates(mvvar values)", Basis.EXAMPLE)
def remove_duplicates(values: tuple[Scalar, ...]) -> tuple[Scalar, ...] | None:
    """Each value once, in their order. Values that differ in case are two."""
    return tuple(dict.fromkeys(values)) or None


@LISTS.function("mvstr Split(str text, str delimiter[, num limit])", Basis.EXAMPLE)
def split(text: str, delimiter: str, limit: int = -1) -> tuple[str, ...]:
    """The parts of a text between the delimiters, which are one character. At most so many as the limit says: the last one
    has the rest. -1 is any number."""
    if len(delimiter) != 1:
        raise UnfitValue(f"delimiter has {len(delimiter)} characters; expected one", "Write one character")
    if limit < 1 and limit != -1:
        raise UnfitValue(f"limit is {limit}; expected 1 or more, or -1", "Leave it out for all parts")
    return tuple(text.split(delimiter, limit - 1 if limit > 0 else -1))
