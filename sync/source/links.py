"""Links as changes: never many in one, since a group may have 250,000 members.

What a source says is turned into `LinkTarget` piece by piece, as whoever reads takes the pieces. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from sync.model import ChangeKind, LinkChange, LinkTarget, SourceChange

AT_ONCE = 1000
"""Links of one attribute in one change."""


class How(enum.Enum):
    """What is said of the links."""

    ALL = "all"
    ADDED = "added"
    REMOVED = "removed"


class ToldLinks(NamedTuple):
    """Links of one attribute, as the source wrote them."""

    attribute: str
    how: How
    values: Sequence[bytes]


def with_links(
    change: SourceChange, told: Sequence[ToldLinks], target: Callable[[bytes], LinkTarget]
) -> Iterator[SourceChange]:
    """The change with the first links of each attribute, and the others as further changes of the same object."""
    first: dict[str, LinkChange] = {}
    for attribute, how, values in told:
        piece = tuple(map(target, values[:AT_ONCE]))
        first[attribute] = _joined(first.get(attribute, LinkChange()), how, piece)
    yield msgspec.structs.replace(change, links=first) if first else change
    for attribute, how, values in told:
        rest = How.ADDED if how is How.ALL else how
        for begin in range(AT_ONCE, len(values), AT_ONCE):
            piece = tuple(map(target, values[begin : begin + AT_ONCE]))
            links = {attribute: _joined(LinkChange(), rest, piece)}
            yield SourceChange(ChangeKind.CHANGED, change.key, change.object, links=links)


def _joined(known: LinkChange, how: How, piece: tuple[LinkTarget, ...]) -> LinkChange:
    if how is How.ALL:
        return LinkChange(piece, known.added, known.removed)
    if how is How.ADDED:
        return LinkChange(known.all, piece, known.removed)
    return LinkChange(known.all, known.added, piece)
