"""Steps: they look first; what is there is left alone; killed anywhere, the same steps end the same way."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.setup import (
    FileAccess,
    Machine,
    NotAgreed,
    OwnedDirectory,
    OwnedFile,
    ServiceRuns,
    SetupStep,
    StepFailed,
    StepReport,
    SystemUser,
    UserIds,
    carry_out,
    survey,
)
from tests.fakes.machine import UID, FakeMachine, Killed

STATE = Path("/var/lib/svc")
SETTINGS = Path("/etc/isthmus/svc.toml")
UNIT = Path("/etc/systemd/system/svc.service")
STEPS: list[SetupStep] = [
    SystemUser("svc", STATE),
    OwnedDirectory(Path("/etc/isthmus"), None, 0o755, exact=False),
    OwnedDirectory(STATE, "svc", 0o700),
    OwnedFile(path=SETTINGS, content=b"a = 1\n", group="svc", mode=0o640),
    OwnedFile(path=UNIT, content=b"[Unit]\n"),
    ServiceRuns(name="svc", depends_on=(SETTINGS, UNIT), ready_url="http://127.0.0.1:1/healthz"),
]


def run(machine: FakeMachine, steps: list[SetupStep] = STEPS, *, agrees: bool = False) -> list[StepReport]:
    shown: list[StepReport] = []
    carry_out(steps, machine, tell=shown.append, agree=lambda title, difference: agrees)
    return shown


def test_a_bare_machine_gets_everything() -> None:
    """User, directories, files with their owners and modes, and the service runs."""
    machine = FakeMachine()
    assert [report.result for report in run(machine)] == ["done"] * 6
    assert machine.files[STATE].access == FileAccess(UID, UID, 0o700)
    assert machine.files[SETTINGS].access == FileAccess(0, UID, 0o640)
    assert machine.enabled == {"svc"}


def test_a_second_run_changes_nothing() -> None:
    """And says so of each step."""
    machine = FakeMachine()
    run(machine)
    changes = machine.changes
    assert [report.result for report in run(machine)] == ["already"] * 6
    assert machine.changes == changes


def test_killed_at_each_change_and_started_again_it_ends_the_same_way() -> None:
    """Before the change and after it, wherever it is."""
    whole = FakeMachine()
    run(whole)
    for number, after in itertools.product(range(1, whole.changes + 1), (False, True)):
        machine = FakeMachine(kill_at=number, kill_after=after)
        with pytest.raises(Killed):
            run(machine)
        run(machine)
        assert machine.state() == whole.state(), (number, after)


def test_a_survey_changes_nothing() -> None:
    """It says what each step would do on a machine where none was done."""
    machine = FakeMachine()
    assert [found.done for _, found in survey(STEPS, machine)] == [False] * 6
    assert machine.changes == 0


def test_another_content_is_changed_only_if_somebody_agrees() -> None:
    """Whoever is asked sees what would be changed."""
    machine = FakeMachine()
    run(machine)
    machine.put(str(SETTINGS), "a = 2\n# mine\n", 0o640, 0, UID)
    seen: list[tuple[str, str]] = []

    def refuse(title: str, text: str) -> bool:
        seen.append((title, text))
        return False

    with pytest.raises(NotAgreed, match=r"svc\.toml"):
        carry_out(STEPS, machine, tell=lambda _: None, agree=refuse)
    assert seen[0][0] == str(SETTINGS)
    assert "-a = 2" in seen[0][1]
    assert "+a = 1" in seen[0][1]
    assert machine.read(SETTINGS) == b"a = 2\n# mine\n"
    run(machine, agrees=True)
    assert machine.read(SETTINGS) == b"a = 1\n"


def test_a_secret_is_in_no_difference() -> None:
    """Neither the one that is there nor the one that would be."""
    machine = FakeMachine()
    machine.put("/etc/password", "hunter2")
    step = OwnedFile(path=Path("/etc/password"), content=b"hunter3", secret=True)
    found = step.find(machine)
    assert found.difference
    assert "hunter" not in repr(found)


def test_a_copy_is_renewed_without_asking() -> None:
    """Nobody edits it."""
    machine = FakeMachine()
    machine.put("/etc/copy", "old")
    run(machine, [OwnedFile(path=Path("/etc/copy"), content=b"new", asks=False)])
    assert machine.read(Path("/etc/copy")) == b"new"


def test_a_link_is_not_written_through() -> None:
    """Nor replaced: somebody made it for a reason."""
    machine = FakeMachine()
    machine.put("/etc/isthmus/svc.toml", "")
    machine.files[SETTINGS] = replace(machine.files[SETTINGS], kind="link")
    with pytest.raises(StepFailed, match="is not a regular file, but a link"):
        run(machine)


@pytest.mark.parametrize("place", ["/etc", "/", "/srv/of-another"])
def test_a_directory_that_somebody_uses_is_not_given_away(place: str) -> None:
    """Whose it is can replace what is in it: a wrong word in a file of answers made a service's user the owner of /etc."""
    machine = FakeMachine(users={"svc": UserIds(UID, UID)})
    machine.put(f"{place}/passwd", "root:x:0:0")
    machine.files.setdefault(Path(place), replace(machine.files[Path("/etc")], access=FileAccess(33, 33, 0o755)))
    before = machine.files[Path(place)]
    with pytest.raises(StepFailed, match=r"somebody else's, and not empty.*Choose another"):
        run(machine, [OwnedDirectory(Path(place), "svc", 0o700)])
    assert machine.files[Path(place)] == before


def test_an_empty_directory_is_taken() -> None:
    """Made for it, or a disk of its own; and one that is the service's, whatever its mode and content."""
    machine = FakeMachine(users={"svc": UserIds(UID, UID)})
    machine.make_directory(STATE, FileAccess(0, 0, 0o755))
    machine.put(str(STATE / "lost+found"), "")
    run(machine, [OwnedDirectory(STATE, "svc", 0o700)])
    assert machine.files[STATE].access == FileAccess(UID, UID, 0o700)
    machine.put(str(STATE / "secret.key"), "")
    machine.set_access(STATE, FileAccess(UID, UID, 0o755))
    run(machine, [OwnedDirectory(STATE, "svc", 0o700)])
    assert machine.files[STATE].access == FileAccess(UID, UID, 0o700)


def test_a_service_is_not_roots() -> None:
    """A user of this name that is root is refused."""
    machine = FakeMachine(users={"svc": UserIds(0, 0)})
    with pytest.raises(StepFailed, match="must not run as root"):
        run(machine)


def test_what_a_service_reads_at_its_start_makes_it_start_again() -> None:
    """Killed between the change and the restart, the next run restarts it."""
    machine = FakeMachine()
    run(machine)
    machine.clock += 10
    machine.put(str(SETTINGS), "a = 1\n", 0o640, 0, UID)
    reports = run(machine)
    assert (reports[-1].result, reports[-1].text) == ("done", "restarted")
    assert [report.result for report in reports[:-1]] == ["already"] * 5


def test_a_service_that_does_not_answer_is_told() -> None:
    """With where to look."""
    machine = FakeMachine(ready=False)
    with pytest.raises(StepFailed, match=r"does not answer at http://127.0.0.1:1/healthz. See .*journalctl -u svc"):
        run(machine)


def test_what_a_program_says_is_told() -> None:
    """With the step that called it."""
    machine = FakeMachine(systemd=False)
    with pytest.raises(StepFailed, match=r"service svc: .*has not been booted with systemd"):
        run(machine)


class _DoesNothing(SystemUser):
    def apply(self, machine: Machine) -> str:
        return "made"


def test_a_step_that_had_no_effect_is_told() -> None:
    """What was done is looked at once more: a program may end well and do nothing."""
    with pytest.raises(StepFailed, match="user svc: made, and yet not so"):
        run(FakeMachine(), [_DoesNothing("svc", STATE)])
