"""Operations from intent to confirmation, accounts, failures and decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from sync.model import AccountOperation, AccountState, Confirmation, GuardDecision, ObjectKind, OperationKind, WriteOutcome
from sync.state import AccountUnknown, SyncState, open_state
from tests.sync.state.support import NOW, new_state

HOUR = 3600.0
CONFIRMED = Confirmation(WriteOutcome.CONFIRMED, "r1")


def operation(kind: OperationKind, number: int = 1, **more: object) -> AccountOperation:
    return AccountOperation(number, kind, "app", 7, ObjectKind.USER, "anchor", **more)  # type: ignore[arg-type]


def carry_out(state: SyncState, one: AccountOperation, said: Confirmation = CONFIRMED) -> int:
    run = state.journal.begin_run("run", NOW)
    state.journal.intend(run, [one])
    state.journal.attempt(run, [one.id], NOW)
    state.journal.settle(run, one, said, NOW + 1)
    return run


def test_an_account_is_what_was_confirmed(state: SyncState) -> None:
    """Created, updated with a rewritten value, disabled, deleted: each as the target said."""
    carry_out(
        state,
        operation(OperationKind.CREATE, set={"name": "A", "phone": "030 1"}),
        Confirmation(WriteOutcome.CONFIRMED, "r1", {"phone": "+49301"}),
    )
    known = state.accounts.find(7, "app")
    assert known is not None
    assert (known.remote, known.values, known.sent) == (
        "r1",
        {"name": "A", "phone": "+49301"},
        {"name": "A", "phone": "030 1"},
    )
    carry_out(state, operation(OperationKind.UPDATE, set={"name": "B", "tags": (1, "x", b"y")}, clear=frozenset({"phone"})))
    known = state.accounts.find(7, "app")
    assert known is not None
    assert (known.values, known.state) == ({"name": "B", "tags": (1, "x", b"y")}, AccountState.ACTIVE)
    assert known.sent == known.values
    carry_out(state, operation(OperationKind.DISABLE))
    known = state.accounts.by_remote("app", "r1")
    assert known is not None
    assert (known.state, known.since) == (AccountState.DISABLED, NOW + 1)
    assert state.accounts.by_anchor("app", "anchor") == known
    carry_out(state, operation(OperationKind.DELETE))
    assert state.accounts.by_remote("app", "r1") is None
    assert state.accounts.count("app") == 0


def test_only_confirmed_operations_change_an_account(state: SyncState) -> None:
    """Refused, put off or unknown: the account is as before, and the failure is kept."""
    carry_out(state, operation(OperationKind.CREATE, set={"name": "A"}))
    before = state.accounts.find(7, "app")
    for outcome in (WriteOutcome.REFUSED, WriteOutcome.LATER, WriteOutcome.UNKNOWN):
        carry_out(state, operation(OperationKind.UPDATE, set={"name": "B"}), Confirmation(outcome, cause="busy"))
        assert state.accounts.find(7, "app") == before
    assert state.journal.failure_counts() == {("app", "busy"): 1}
    with pytest.raises(AccountUnknown, match="person 8"):
        state.accounts.confirm_links(8, "app", "members", added=[7])


def test_links_are_confirmed_one_by_one(state: SyncState) -> None:
    """Persons, by their numbers."""
    carry_out(state, operation(OperationKind.CREATE))
    carry_out(state, operation(OperationKind.LINK, added={"members": (3, 1, 2)}))
    carry_out(state, operation(OperationKind.LINK, removed={"members": (1,)}, added={"manager": (9,)}))
    assert list(state.accounts.links_of(7, "app", "members")) == [2, 3]
    assert list(state.accounts.links_of(7, "app", "manager")) == [9]


def test_the_journal_knows_what_was_attempted(state: SyncState) -> None:
    """After a crash: what was meant only, and what may have worked."""
    run = state.journal.begin_run("run", NOW)
    operations = [operation(OperationKind.CREATE, number, set={"n": number}) for number in range(4)]
    state.journal.intend(run, operations)
    state.journal.attempt(run, [0, 1, 2], NOW)
    state.journal.settle(run, operations[0], CONFIRMED, NOW + 1)
    state.journal.settle(run, operations[1], Confirmation(WriteOutcome.UNKNOWN, cause="timeout"), NOW + 1)
    entries = list(state.journal.open_operations())
    assert [(entry.operation, entry.attempts) for entry in entries] == [
        (operations[1], 1),
        (operations[2], 1),
        (operations[3], 0),
    ]
    assert [entry.confirmation and entry.confirmation.outcome for entry in entries] == [WriteOutcome.UNKNOWN, None, None]
    state.journal.abandon(run, [1, 2, 3], NOW)
    assert list(state.journal.open_operations()) == []
    assert [entry.operation.id for entry in state.journal.operations(run)] == [0, 1, 2, 3]
    assert [entry.operation.id for entry in state.journal.of_person(7)] == [3, 2, 1, 0]
    state.journal.end_run(run, "stopped", NOW + 2, detail="why", counts={"create": 1})
    (last,) = state.journal.runs()
    assert (last.id, last.ended, last.outcome, last.counts) == (run, NOW + 2, "stopped", {"create": 1})


def test_every_field_of_an_operation_comes_back(state: SyncState) -> None:
    """With bytes, several values and persons."""
    one = operation(
        OperationKind.UPDATE,
        5,
        remote="r",
        set={"a": ("x",), "b": b"\0", "c": True},
        clear=frozenset({"d"}),
        added={"members": (1, 2)},
        removed={"members": (3,)},
        before={"a": "y", "d": (1,)},
        temporary=True,
    )
    run = state.journal.begin_run("run", NOW)
    state.journal.intend(run, [one])
    assert [entry.operation for entry in state.journal.open_operations()] == [one]


def test_a_failure_is_tried_again_after_6_12_and_24_hours(state: SyncState) -> None:
    """Then daily; another cause begins anew, and a success ends it."""
    waits = [state.journal.fail("app", 7, "busy", "", NOW + day).due - NOW - day for day in range(4)]
    assert waits == [6 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR]
    failure = state.journal.failure("app", 7)
    assert failure is not None
    assert (failure.attempts, failure.since, failure.last) == (4, NOW, NOW + 3)
    assert list(state.journal.failures(due=NOW)) == []
    assert list(state.journal.failures(due=failure.due)) == [failure]
    assert state.journal.fail("app", 7, "conflict", "", NOW).due == NOW + 6 * HOUR
    carry_out(state, operation(OperationKind.CREATE))
    assert state.journal.failure("app", 7) is None


def decision(*, allow: bool = True, **what: Any) -> GuardDecision:
    return GuardDecision(allow, "root", "asked", NOW, **what)


def test_a_decision_lasts(state: SyncState) -> None:
    """Whole, in the order in which they were taken, until it is withdrawn."""
    given = (
        decision(cause="rule:in@1"),
        decision(allow=False, target="app", person=7, kind=OperationKind.DELETE),
        decision(person=8),
    )
    kept = [state.decisions.decide(one) for one in given]
    assert list(state.decisions.all()) == kept
    assert [structs.replace(one, id=0) for one in kept] == list(given)
    assert state.decisions.withdraw(kept[0].id)
    assert list(state.decisions.all()) == kept[1:]
    assert not state.decisions.withdraw(kept[0].id)


def test_a_decision_about_nothing_is_refused(state: SyncState) -> None:
    """It would allow whatever ever comes."""
    with pytest.raises(ValueError, match="names a cause"):
        state.decisions.decide(decision())


def test_an_administrator_decides_while_a_process_runs(tmp_path: Path) -> None:
    """Without the lease; everything else needs it."""
    path = tmp_path / "state.db"
    running, other = new_state(path), open_state(path)
    other.decisions.decide(decision(cause="left scope"))
    assert [one.cause for one in running.decisions.all()] == ["left scope"]
    running.close()
    other.close()
