"""Links are never many in one change."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model import ChangeKind, LinkTarget, SourceChange
from sync.source.links import AT_ONCE, How, ToldLinks, with_links

COUNTS = st.integers(0, 3 * AT_ONCE)


@settings(max_examples=20)
@given(COUNTS, COUNTS, COUNTS)
def test_all_links_are_told_once_and_few_at_a_time(everybody: int, added: int, removed: int) -> None:
    """The first change says what kind it is; those after it only add and remove."""
    told = [
        ToldLinks("owner", How.ALL, [b"o%d" % number for number in range(everybody)]),
        ToldLinks("member", How.ADDED, [b"a%d" % number for number in range(added)]),
        ToldLinks("member", How.REMOVED, [b"r%d" % number for number in range(removed)]),
    ]
    first, *others = with_links(SourceChange(ChangeKind.WHOLE, b"key"), told, LinkTarget)
    assert first.kind is ChangeKind.WHOLE
    assert first.links["owner"].all is not None
    assert {(change.kind, change.key) for change in others} <= {(ChangeKind.CHANGED, b"key")}
    assert all(change.links["owner"].all is None for change in others if "owner" in change.links)
    pieces = [links for change in (first, *others) for links in change.links.values()]
    assert all(max(len(piece.all or ()), len(piece.added), len(piece.removed)) <= AT_ONCE for piece in pieces)
    names = [target.key for piece in pieces for target in (*(piece.all or ()), *piece.added, *piece.removed)]
    assert sorted(names) == sorted(value for links in told for value in links.values)
