"""Differences between what an account should be and what the target has confirmed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model import AccountOperation, AccountState, ObjectKind, OperationKind
from sync.plan import (
    AccountProblem,
    RewrittenValue,
    account_difference,
    departure,
    link_difference,
    link_operations,
)
from sync.plan.values import same
from tests.sync.plan.samples import SCIM, account, desired, operation


def kinds(operations: tuple[AccountOperation, ...]) -> list[str]:
    """Kinds of operations, in their order."""
    return [operation.kind.value for operation in operations]


def test_an_account_that_is_not_there_is_created_with_its_values() -> None:
    """What the target is to keep is not set, at a creation either."""
    wanted = desired(values={"userName": "anna", "title": "Dr."}, keep=frozenset({"title"}))
    expected = operation(OperationKind.CREATE, 1, set={"userName": "anna"})
    assert account_difference(wanted, None).operations == (expected,)


def test_a_disabled_person_never_has_an_enabled_account() -> None:
    """Not for the moment between a creation and a disabling either."""
    (made,) = account_difference(desired(enabled=False), None).operations
    assert made.enabled is False
    (taken,) = account_difference(desired(enabled=False), None, account()).operations
    assert taken.enabled is False


def test_what_was_deleted_for_good_is_created_again() -> None:
    """No account is left that could be restored."""
    (made,) = account_difference(desired(values={"a": "1"}), account(state=AccountState.DELETED)).operations
    assert made.kind is OperationKind.CREATE


def test_an_account_that_is_there_already_is_adopted_and_gets_what_differs() -> None:
    """Before and after are told for what is changed; the rest is left alone."""
    found = account(values={"userName": "ANNA", "title": "Dr.", "mail": "a@example.com"})
    wanted = desired(values={"userName": "anna", "mail": "a@example.com", "title": "Prof."}, keep=frozenset({"title"}))
    expected = operation(
        OperationKind.ADOPT, 1, remote="remote1", set={"userName": "anna"}, before={"userName": "ANNA"}, enabled=True
    )
    assert account_difference(wanted, None, found).operations == (expected,)


@pytest.mark.parametrize(
    ("wanted", "confirmed"),
    [
        ("anna", "anna"),
        (("a", "b"), ("b", "a")),
        (("a",), "a"),
        (("a", "a"), ("a",)),
        (7, 7),
        (True, True),
        (b"\x00", b"\x00"),
    ],
)
def test_nothing_is_done_for_what_is_equal(wanted: Any, confirmed: Any) -> None:
    """Values of an attribute are a set: their order is none."""
    found = account_difference(desired(values={"a": wanted}), account(values={"a": confirmed}))
    assert (found.operations, found.rewritten, found.problem) == ((), (), None)


@pytest.mark.parametrize(
    ("wanted", "confirmed"),
    [("Anna", "anna"), (True, 1), ("1", 1), (b"a", "a"), (("a", "b"), ("a",)), ("", None), (("a", "b"), ("a", "c"))],
)
def test_what_differs_is_updated(wanted: Any, confirmed: Any) -> None:
    """Case and type count. Before is what was confirmed."""
    had = {} if confirmed is None else {"a": confirmed}
    (changed,) = account_difference(desired(values={"a": wanted}), account(values=had)).operations
    assert (changed.kind, changed.set, changed.before) == (OperationKind.UPDATE, {"a": wanted}, had)
    assert changed.remote == "remote1"


def test_a_rewritten_value_is_told_and_not_written_again() -> None:
    """The target keeps another form of what it was given."""
    known = account(values={"phone": "+4314711", "a": "1"}, sent={"phone": "+43 1 4711", "a": "1"})
    found = account_difference(desired(values={"phone": "+43 1 4711", "a": "1"}), known)
    assert found.operations == ()
    assert found.rewritten == (RewrittenValue(SCIM, 1, "phone", "+43 1 4711", "+4314711"),)


def test_a_value_that_the_target_dropped_is_told_as_rewritten() -> None:
    """It keeps nothing of it."""
    found = account_difference(desired(values={"phone": "1"}), account(sent={"phone": "1"}))
    assert found.operations == ()
    assert [told.kept for told in found.rewritten] == [None]


def test_a_new_value_of_a_rewritten_attribute_is_written() -> None:
    """What is wanted now was never sent."""
    known = account(values={"phone": "+4314711"}, sent={"phone": "+43 1 4711"})
    found = account_difference(desired(values={"phone": "+43 1 4712"}), known)
    assert ([changed.set for changed in found.operations], found.rewritten) == ([{"phone": "+43 1 4712"}], ())


def test_what_was_changed_behind_our_back_is_written_again() -> None:
    """The state has forgotten that it was sent."""
    known = account(values={"title": "mine"}, sent={})
    assert [changed.set for changed in account_difference(desired(values={"title": "Dr."}), known).operations] == [
        {"title": "Dr."}
    ]


def test_a_value_that_is_no_longer_wanted_is_cleared() -> None:
    """Only what was sent: the target's own values stay."""
    known = account(values={"title": "Dr.", "id": "7", "gone": "x"}, sent={"title": "Dr.", "dropped": "1"})
    (changed,) = account_difference(desired(), known).operations
    assert (changed.clear, changed.set, changed.before) == (frozenset({"title"}), {}, {"title": "Dr."})


def test_what_is_to_be_kept_is_neither_set_nor_cleared() -> None:
    """IgnoreThisFlow, and what is applied once."""
    keep = frozenset({"title", "room"})
    known = account(values={"title": "Dr.", "room": "1"})
    found = account_difference(desired(values={"title": "Prof."}, keep=keep), known)
    assert (found.operations, found.rewritten) == ((), ())


@pytest.mark.parametrize(
    ("other", "cause", "detail"),
    [
        ({"anchor": "other"}, "AnchorChanged", "its anchor was anchor1, and would be other"),
        (
            {"kind": ObjectKind.CONTACT},
            "ObjectTypeMismatch",
            "the account remote1 is a user, and would be a contact",
        ),
    ],
)
def test_an_account_never_becomes_another_one(other: dict[str, Any], cause: str, detail: str) -> None:
    """It is named, and nothing is done, not even what else differs."""
    found = account_difference(desired(values={"a": "2"}, **other), account(values={"a": "1"}))
    assert (found.operations, found.problem) == ((), AccountProblem(SCIM, 1, cause, detail))


def test_a_rename_is_an_update() -> None:
    """Whatever else has changed with it."""
    known = account(values={"userName": "anna.berg", "mail": "a@x", "ou": "Sales"})
    found = account_difference(desired(values={"userName": "anna.tal", "mail": "b@x", "ou": "IT"}), known)
    assert kinds(found.operations) == ["update"]


@pytest.mark.parametrize(
    ("state", "enabled", "done"),
    [
        (AccountState.ACTIVE, True, ["update"]),
        (AccountState.ACTIVE, False, ["update", "disable"]),
        (AccountState.DISABLED, True, ["update", "enable"]),
        (AccountState.DISABLED, False, ["update"]),
        (AccountState.SOFT_DELETED, True, ["restore", "update", "enable"]),
        (AccountState.SOFT_DELETED, False, ["restore", "update"]),
    ],
)
def test_a_return_restores_the_same_account(state: AccountState, enabled: bool, done: list[str]) -> None:
    """Enabled last, so that nobody is let in under an old name; restored disabled, for the same reason."""
    found = account_difference(desired(values={"a": "2"}, enabled=enabled), account(values={"a": "1"}, state=state))
    assert kinds(found.operations) == done
    assert all(back.enabled is False for back in found.operations if back.kind is OperationKind.RESTORE)
    assert {operation.remote for operation in found.operations} == {"remote1"}


def test_a_departure_says_what_the_account_had() -> None:
    """For people, and for undo."""
    gone = departure(account(values={"a": "1"}), OperationKind.DELETE)
    assert (gone.kind, gone.before, gone.remote, gone.anchor) == (OperationKind.DELETE, {"a": "1"}, "remote1", "anchor1")


def test_links_come_in_pieces_those_that_go_first() -> None:
    """A group of any size is never one value."""
    pieces = list(link_operations(desired(), "r", "members", iter(range(5)), iter(range(10, 13)), piece=2))
    assert [(piece.removed.get("members", ()), piece.added.get("members", ())) for piece in pieces] == [
        ((10, 11), ()),
        ((12,), ()),
        ((), (0, 1)),
        ((), (2, 3)),
        ((), (4,)),
    ]
    assert pieces[0] == operation(OperationKind.LINK, 1, remote="r", removed={"members": (10, 11)})


def test_a_single_link_is_replaced_by_one_operation() -> None:
    """There is no moment without a manager."""
    (piece,) = link_operations(desired(), "r", "manager", [5], [3], single=True)
    assert (piece.added, piece.removed) == ({"manager": (5,)}, {"manager": (3,)})
    assert list(link_operations(desired(), "r", "manager", [], [], single=True)) == []
    (first,) = link_operations(desired(), "r", "manager", [5], [], single=True)
    assert (first.added, first.removed) == ({"manager": (5,)}, {})


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)))
@settings(max_examples=100, deadline=None)
def test_a_difference_of_links_leads_from_one_to_the_other(wanted: set[int], known: set[int]) -> None:
    """In ascending order, each at most once."""
    found = list(link_difference(sorted(wanted), sorted(known)))
    assert {person for comes, person in found if comes} == wanted - known
    assert {person for comes, person in found if not comes} == known - wanted
    assert [person for _, person in found] == sorted(wanted ^ known)


PLAIN = st.one_of(st.text(max_size=3), st.integers(0, 3), st.booleans(), st.binary(max_size=2))
VALUE = st.one_of(PLAIN, st.lists(PLAIN, min_size=1, max_size=3).map(tuple))
VALUES = st.dictionaries(st.sampled_from("abcd"), VALUE)


@given(VALUES, VALUES, VALUES, st.frozensets(st.sampled_from("abcd")), st.booleans(), st.sampled_from(AccountState))
@settings(max_examples=100, deadline=None)
def test_a_second_run_does_nothing(
    wanted: dict[str, Any],
    had: dict[str, Any],
    sent: dict[str, Any],
    keep: frozenset[str],
    enabled: bool,
    state: AccountState,
) -> None:
    """Whatever the target had: when it has taken what was written, nothing is left to write."""
    want = desired(values=wanted, keep=keep, enabled=enabled)
    known = account(values=had, sent=sent, state=state)
    if state is AccountState.DELETED:
        known = account(values={}, sent={})
    operations = account_difference(want, None if state is AccountState.DELETED else known).operations
    values, given_, after = dict(known.values), dict(known.sent), known.state
    for done in operations:
        values = {name: value for name, value in (values | dict(done.set)).items() if name not in done.clear}
        given_ = {name: value for name, value in (given_ | dict(done.set)).items() if name not in done.clear}
        after = {
            OperationKind.ENABLE: AccountState.ACTIVE,
            OperationKind.DISABLE: AccountState.DISABLED,
            OperationKind.RESTORE: AccountState.DISABLED,
            OperationKind.CREATE: AccountState.ACTIVE if done.enabled else AccountState.DISABLED,
        }.get(done.kind, after)
    again = account_difference(want, account(values=values, sent=given_, state=after))
    assert again.operations == ()
    told = {line.attribute for line in again.rewritten}
    for name, value in wanted.items():
        assert name in keep or name in told or same(value, values.get(name))
