"""From what a run has done to what puts the target back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from sync.model import AccountOperation, AccountState, Confirmation, ConfirmedAccount, OperationKind, WriteOutcome
from sync.plan import NotUndone, PlanEntry, TriedOperation, account_difference, departure, in_order, missing_evidence, undo
from tests.sync.plan.samples import SCIM, account, desired, operation

DONE = Confirmation(WriteOutcome.CONFIRMED)


def undone(
    did: AccountOperation, now: ConfirmedAccount | None, confirmation: Confirmation = DONE
) -> tuple[list[AccountOperation], list[str]]:
    """What puts one operation back, and what of it cannot be."""
    found = list(undo("17", [TriedOperation(did, confirmation, "Anna")], lambda target, person: now))
    entries = [line for line in found if isinstance(line, PlanEntry)]
    assert all(missing_evidence(entry) == "" and entry.name == "Anna" for entry in entries)
    assert {cause.key for entry in entries for cause in entry.causes} <= {"undo:17"}
    return [entry.operation for entry in entries], [line.why for line in found if isinstance(line, NotUndone)]


@pytest.mark.parametrize(
    ("did", "state", "inverse"),
    [
        (OperationKind.DISABLE, AccountState.DISABLED, OperationKind.ENABLE),
        (OperationKind.ENABLE, AccountState.ACTIVE, OperationKind.DISABLE),
        (OperationKind.SOFT_DELETE, AccountState.SOFT_DELETED, OperationKind.RESTORE),
        (OperationKind.RESTORE, AccountState.ACTIVE, OperationKind.SOFT_DELETE),
        (OperationKind.RESTORE, AccountState.DISABLED, OperationKind.SOFT_DELETE),
    ],
)
def test_a_state_is_put_back(did: OperationKind, state: AccountState, inverse: OperationKind) -> None:
    """Each step has its opposite."""
    operations, refused = undone(operation(did), account(state=state))
    assert ([found.kind for found in operations], [found.remote for found in operations]) == ([inverse], ["remote1"])
    assert refused == []


@pytest.mark.parametrize(
    ("did", "state"),
    [
        (OperationKind.DISABLE, AccountState.ACTIVE),
        (OperationKind.DISABLE, AccountState.SOFT_DELETED),
        (OperationKind.ENABLE, AccountState.DISABLED),
        (OperationKind.SOFT_DELETE, AccountState.ACTIVE),
        (OperationKind.RESTORE, AccountState.SOFT_DELETED),
    ],
)
def test_a_state_that_was_changed_since_stays(did: OperationKind, state: AccountState) -> None:
    """Undo takes back what the run did, not what came after it."""
    operations, refused = undone(operation(did), account(state=state))
    assert (operations, refused) == ([], [f"the account has been changed since: it is {state}"])


def test_an_update_is_put_back() -> None:
    """What was set gets what was before, or nothing; what was cleared comes back."""
    did = operation(set={"a": "2", "b": "2"}, clear=frozenset({"c"}), before={"a": "1", "c": "1"})
    (back,), refused = undone(did, account(values={"a": "2", "b": "2", "d": "9"}))
    assert (back.kind, back.set, back.clear) == (OperationKind.UPDATE, {"a": "1", "c": "1"}, frozenset({"b"}))
    assert (back.before, refused) == ({"a": "2", "b": "2"}, [])


def test_what_was_changed_since_is_not_put_back() -> None:
    """Attribute by attribute, and it is named."""
    did = operation(set={"a": "2", "b": "2"}, clear=frozenset({"c"}), before={"a": "1", "b": "1", "c": "1"})
    (back,), refused = undone(did, account(values={"a": "2", "b": "3", "c": "3"}))
    assert (back.set, refused) == ({"a": "1"}, ["changed since: b, c"])
    operations, refused = undone(did, account(values={"a": "4", "b": "3", "c": "3"}))
    assert (operations, refused) == ([], ["changed since: a, b, c"])


def test_a_value_that_the_target_rewrote_is_not_changed_since() -> None:
    """What it gave back is what the run left."""
    did = operation(set={"phone": "+43 1"}, before={"phone": "x"})
    (back,), refused = undone(
        did, account(values={"phone": "+431"}), Confirmation(WriteOutcome.CONFIRMED, values={"phone": "+431"})
    )
    assert (back.set, refused) == ({"phone": "x"}, [])


def test_a_created_account_is_deleted() -> None:
    """With what it has now, for people."""
    (back,), refused = undone(operation(OperationKind.CREATE, set={"a": "1"}), account(values={"a": "1", "b": "2"}))
    assert (back.kind, back.remote, back.before, refused) == (OperationKind.DELETE, "remote1", {"a": "1", "b": "2"}, [])


def test_an_adopted_account_gets_its_values_back_and_stays() -> None:
    """Nobody deletes what was there before us."""
    did = operation(OperationKind.ADOPT, set={"a": "2"}, before={"a": "1"})
    (back,), refused = undone(did, account(values={"a": "2"}))
    assert (back.kind, back.set) == (OperationKind.UPDATE, {"a": "1"})
    assert refused == ["the account stays this person's: it is not given up, and not deleted"]


def test_a_deleted_account_is_made_anew_and_disabled() -> None:
    """Its person had left; what does not come back is said."""
    did = departure(account(values={"a": "1"}), OperationKind.DELETE)
    for now in (None, account(state=AccountState.DELETED)):
        (back,), refused = undone(did, now)
        assert (back.kind, back.set, back.remote, back.enabled) == (OperationKind.CREATE, {"a": "1"}, "", False)
        assert (back.before, back.anchor) == ({}, "anchor1")
        assert ["links, password" in why for why in refused] == [True]
    operations, refused = undone(did, account())
    assert (operations, refused) == ([], ["the person has an account again"])


def test_links_are_put_back() -> None:
    """Who came goes, and who went comes."""
    did = operation(OperationKind.LINK, added={"m": (1, 2)}, removed={"m": (3,)})
    (back,), refused = undone(did, account())
    assert (back.added, back.removed, back.remote, refused) == ({"m": (3,)}, {"m": (1, 2)}, "remote1", [])


@pytest.mark.parametrize("kind", sorted(set(OperationKind) - {OperationKind.DELETE}))
@pytest.mark.parametrize("now", [None, account(state=AccountState.DELETED)])
def test_what_is_gone_cannot_be_put_back(kind: OperationKind, now: ConfirmedAccount | None) -> None:
    """It is named."""
    assert undone(operation(kind), now) == ([], ["the target has no such account any more"])


def test_what_was_not_done_is_not_undone() -> None:
    """Where that is not known, it is said; a value set aside was put right by the run itself."""
    did = operation(OperationKind.DISABLE)
    now = account(state=AccountState.DISABLED)
    assert (
        undone(did, now, Confirmation(WriteOutcome.REFUSED))
        == undone(did, now, Confirmation(WriteOutcome.LATER))
        == ([], [])
    )
    operations, refused = undone(did, now, Confirmation(WriteOutcome.UNKNOWN))
    assert (operations, refused) == ([], ["it is not known whether it was done: ask the target first"])
    assert undone(operation(temporary=True, set={"a": "t"}), account(values={"a": "t"})) == ([], [])


VALUES = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2", ("1", "2")]))
PERSON = st.tuples(VALUES, st.sampled_from([AccountState.ACTIVE, AccountState.DISABLED]))
WORLD = st.dictionaries(st.integers(0, 4), PERSON)
NAME = {SCIM: {"userName": "userName"}}


@given(WORLD, WORLD, st.permutations(range(5)))
@settings(max_examples=100, deadline=None)
def test_a_run_and_its_undo_leave_everything_as_it_was(
    before: dict[int, Any], wanted: dict[int, Any], names: list[int]
) -> None:
    """Values, states and names that were exchanged; what was deleted is there again, disabled."""
    accounts = {
        person: account(person, values | {"userName": f"n{person}"}, state=state)
        for person, (values, state) in before.items()
    }
    planned: list[AccountOperation] = []
    for person, (values, state) in wanted.items():
        want = desired(person, values=values | {"userName": f"n{names[person]}"}, enabled=state is AccountState.ACTIVE)
        planned += account_difference(want, accounts.get(person)).operations
    planned += [departure(accounts[person], OperationKind.DELETE) for person in before.keys() - wanted.keys()]
    world = dict(accounts)
    journal = [TriedOperation(did, apply(world, did)) for _, did in in_order(planned, NAME)]
    found = list(undo("17", reversed(journal), lambda target, person: world.get(person)))
    back = [line.operation for line in found if isinstance(line, PlanEntry)]
    for _, did in in_order(back, NAME):
        apply(world, did)
    deleted = before.keys() - wanted.keys()
    assert {line.operation.person for line in found if isinstance(line, NotUndone)} == deleted
    assert world.keys() == accounts.keys()
    for person, was in accounts.items():
        assert world[person].values == was.values
        assert world[person].state is (AccountState.DISABLED if person in deleted else was.state)


def apply(world: dict[int, ConfirmedAccount], did: AccountOperation) -> Confirmation:
    """What a target makes of an operation."""
    if did.kind is OperationKind.DELETE:
        del world[did.person]
        return DONE
    now = world.get(did.person) or account(did.person, state=AccountState.ACTIVE if did.enabled else AccountState.DISABLED)
    values = {name: value for name, value in {**now.values, **did.set}.items() if name not in did.clear}
    state = {OperationKind.DISABLE: AccountState.DISABLED, OperationKind.ENABLE: AccountState.ACTIVE}.get(
        did.kind, now.state
    )
    assert "userName" not in values or all(
        other.person == did.person or other.values.get("userName") != values["userName"] for other in world.values()
    )
    world[did.person] = structs.replace(now, values=values, sent=values, state=state)
    return DONE
