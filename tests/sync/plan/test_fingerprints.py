"""Whether the world is still the one that a plan was made from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model import AccountState, ObjectKind, OperationKind
from sync.plan import Fingerprint, PlanEntry, WorldMoved, account_difference, check_world, fingerprint, world_moved
from tests.sync.plan.samples import account, desired, entry, operation

WANT, HAVE = desired(values={"a": ("x", "y"), "b": True}), account(values={"a": "x"})


@pytest.mark.parametrize(
    "other",
    [
        desired(values={"b": True, "a": ("y", "x")}),
        desired(values={"a": ("x", "y"), "b": True}, match=("mail",)),
    ],
)
def test_what_decides_nothing_is_not_in_it(other: Any) -> None:
    """The order of values; what only a first run asks."""
    assert fingerprint(other, HAVE) == fingerprint(WANT, HAVE)
    assert fingerprint(WANT, account(values={"a": "x"}, since=99.0)) == fingerprint(WANT, HAVE)


@pytest.mark.parametrize(
    "other",
    [
        desired(values={"a": ("x", "z"), "b": True}),
        desired(values={"a": ("x", "y"), "b": 1}),
        desired(values={"a": ("x", "y")}),
        desired(values={"a": ("x", "y"), "b": True}, enabled=False),
        desired(values={"a": ("x", "y"), "b": True}, keep=frozenset({"a"})),
        desired(values={"a": ("x", "y"), "b": True}, anchor="other"),
        desired(values={"a": ("x", "y"), "b": True}, kind=ObjectKind.CONTACT),
    ],
)
def test_what_sources_and_rules_want_is_in_it(other: Any) -> None:
    """All that an operation is computed from."""
    was, now = fingerprint(WANT, HAVE), fingerprint(other, HAVE)
    assert world_moved(was, now) == ("sources or rules want something else",)


@pytest.mark.parametrize(
    "other",
    [
        account(values={"a": "y"}, sent={"a": "x"}),
        account(values={"a": "x"}, sent={"a": "y"}),
        account(values={"a": "x"}, state=AccountState.DISABLED),
        account(values={"a": "x"}, remote="other"),
        account(values={"a": "x"}, anchor="other"),
        account(values={"a": "x"}, kind=ObjectKind.CONTACT),
    ],
)
def test_what_the_target_has_confirmed_is_in_it(other: Any) -> None:
    """All that an operation is computed from."""
    was, now = fingerprint(WANT, HAVE), fingerprint(WANT, other)
    assert world_moved(was, now) == ("the account at the target is another",)


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        (fingerprint(WANT, HAVE), None, "nothing has to be done about it any more"),
        (fingerprint(WANT, HAVE), fingerprint(None, HAVE), "sources and rules no longer want it"),
        (fingerprint(None, HAVE), fingerprint(WANT, HAVE), "sources and rules want it again"),
        (fingerprint(WANT, HAVE), fingerprint(WANT, None), "the target has no account any more"),
        (fingerprint(WANT, None), fingerprint(WANT, HAVE), "the target has an account now"),
    ],
)
def test_where_the_world_moved_is_told(was: Fingerprint, now: Fingerprint | None, words: str) -> None:
    """In words."""
    assert world_moved(was, now) == (words,)


def test_links_are_in_it() -> None:
    """Who comes and who goes, in whatever order; of other operations they are not."""
    link = operation(OperationKind.LINK, added={"m": (1, 2)}, removed={"m": (3,)})
    same = operation(OperationKind.LINK, added={"m": (2, 1)}, removed={"m": (3,)})
    other = operation(OperationKind.LINK, added={"m": (1, 2, 3)})
    assert fingerprint(WANT, HAVE, link) == fingerprint(WANT, HAVE, same)
    assert world_moved(fingerprint(WANT, HAVE, link), fingerprint(WANT, HAVE, other)) == (
        "other members or managers come and go",
    )
    assert fingerprint(WANT, HAVE, operation()).links == ""


def test_a_world_that_moved_is_refused_and_named() -> None:
    """Twenty of them by name, all of them by number; what is held does not matter."""
    was, now = fingerprint(WANT, HAVE), fingerprint(None, HAVE)
    lines = [entry(person=person, name=f"P{person}", fingerprint=was) for person in range(30)]
    lines += [entry(person=99, fingerprint=was, held="no evidence")]

    def current(planned: PlanEntry) -> Fingerprint:
        return was if planned.operation.person < 5 else now

    with pytest.raises(WorldMoved) as caught:
        check_world(lines, current)
    assert (caught.value.count, len(caught.value.moved)) == (25, 20)
    text = str(caught.value)
    assert "nothing was written" in text
    assert "scim: 'P5': sources and rules no longer want it" in text
    assert "and 5 more" in text
    check_world(lines, lambda _: was)
    with pytest.raises(WorldMoved, match="1 operation would"):
        check_world(lines[:1], lambda _: None)


PLAIN = st.one_of(st.text(max_size=2), st.integers(0, 2), st.booleans(), st.binary(max_size=1))
VALUES = st.dictionaries(st.sampled_from("ab"), st.one_of(PLAIN, st.lists(PLAIN, min_size=1, max_size=3).map(tuple)))


@given(VALUES, VALUES, VALUES)
@settings(max_examples=100, deadline=None)
def test_one_fingerprint_means_one_plan(wanted: dict[str, Any], other: dict[str, Any], had: dict[str, Any]) -> None:
    """Where it is the same, nothing else would be done."""
    known = account(values=had, sent={})
    if fingerprint(desired(values=wanted), known) == fingerprint(desired(values=other), known):
        assert not account_difference(desired(values=wanted), account(values=other, sent=other)).operations
    else:
        assert account_difference(desired(values=wanted), account(values=other, sent=other)).operations
