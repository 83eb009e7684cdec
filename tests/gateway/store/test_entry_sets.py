"""Sets of entries: as text and back, and what is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.entry_sets import EntrySet

ENTRIES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 40)))


@given(ENTRIES)
def test_a_set_comes_back_from_its_text(entries: list[tuple[int, int]]) -> None:
    """Ranges or single numbers, in any order, twice."""
    made = EntrySet(entries)
    assert list(EntrySet.from_text(made.to_text())) == sorted(set(entries))
    assert len(made) == len(set(entries))


def test_numbers_that_follow_each_other_are_a_range() -> None:
    """A person's ten sign-ins in a row cost no more than one."""
    made = EntrySet([(3, 5), (3, 6), (3, 7), (3, 9), (12, 1)])
    assert made.to_text() == {"3": "5-7,9", "12": "1"}
    assert EntrySet().to_text() == {}


@given(ENTRIES, ENTRIES)
def test_what_is_left_of_a_set(some: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    """Without another one, and behind places."""
    assert list(EntrySet(some).without(EntrySet(other))) == sorted(set(some) - set(other))
    assert list(EntrySet(some).behind({1: 10, 2: 40})) == sorted(
        {(chain, seq) for chain, seq in some if seq > {1: 10, 2: 40}.get(chain, 0)}
    )
