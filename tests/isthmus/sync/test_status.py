"""status, history, errors and export: what the state knows, without a source or a target."""

from __future__ import annotations

import pytest

from sync.model import AccountOperation, Confirmation, ObjectKind, OperationKind, WriteOutcome
from sync.state import open_state
from tests.isthmus.sync.conftest import Stand


def refuse(stand: Stand) -> None:
    """A target refuses an account."""
    state = open_state(stand.state)
    try:
        state.take_lease("test", 4e9, 300)
        person = next(state.persons.all())
        run = state.journal.begin_run("run", 1_800_000_000.0)
        operation = AccountOperation(1, OperationKind.UPDATE, "app", person.id, ObjectKind.USER, "YQ==", set={"title": "x"})
        state.journal.intend(run, [operation])
        confirmation = Confirmation(WriteOutcome.REFUSED, cause="Refused403", detail="not this one")
        state.journal.settle(run, operation, confirmation, 1_800_000_000.0)
        state.release_lease()
    finally:
        state.close()


@pytest.mark.parametrize("command", [["status"], ["history"], ["errors"], ["export", "x.db"]])
def test_before_the_first_run_it_is_said_how_to_begin(stand: Stand, command: list[str]) -> None:
    """And no state is made."""
    code, _, err = stand.run(*command)
    assert code == 1
    assert "nothing has been run yet. Begin with: isthmus sync check" in err
    assert not stand.state.exists()


def test_status_tells_sources_targets_and_failures_with_remedies(stand: Stand) -> None:
    """For people and for programs."""
    stand.run("run")
    refuse(stand)
    code, out, _ = stand.run("status")
    assert code == 0
    assert "Refused403" in out
    assert "isthmus sync errors" in out
    found = stand.json("status")
    assert [(one["name"], one["complete"], one["objects"]) for one in found["sources"]] == [("staff", True, 2)]
    assert found["targets"] == [{"name": "app", "accounts": 2, "failures": 1}]
    (failure,) = found["failures"]
    assert (failure["cause"], failure["number"]) == ("Refused403", 1)
    assert failure["remedy"]


def test_a_run_without_an_end_was_ended_before_it_was_done(stand: Stand) -> None:
    """Nobody holds the lease: it cannot be in progress."""
    stand.run("run")
    refuse(stand)
    assert stand.json("status")["last_run"]["outcome"] == "ended before it was done"


def test_errors_name_the_person_the_next_attempt_and_the_remedy(stand: Stand) -> None:
    """Nothing where the target is another one."""
    stand.run("run")
    assert "No target has refused anything." in stand.run("errors")[1]
    refuse(stand)
    code, out, _ = stand.run("errors")
    assert code == 0
    for text in ("@example.com", "Refused403", "not this one", "2027-01-15"):
        assert text in out
    code, _, err = stand.run("errors", "--target", "other")
    assert code == 2
    assert "there are: app" in err


def test_an_export_holds_no_names(stand: Stand) -> None:
    """And an existing file is not replaced."""
    stand.run("run")
    file = stand.folder / "report.db"
    code, out, err = stand.run("export", file)
    assert code == 0, err
    assert "without names and values" in out
    content = file.read_bytes()
    assert b"Anna" not in content
    assert b"anna@example.com" not in content
    assert stand.run("export", file)[0] == 1
