"""The flow of commands that change something: who is asked what, and what is said of how it ended."""

from __future__ import annotations

import json
from collections.abc import Coroutine

import click
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from foundation.procedures import End, Progress, Record, RunResult, Step, StepKind
from isthmus.cli import flow
from isthmus.cli.flow import Manner
from isthmus.cli.output import Failure, FiniteRange
from isthmus.logging import set_up

ASKED, SAID_YES = Manner(yes=False, as_json=False), Manner(yes=True, as_json=False)
PROGRAM = Manner(yes=False, as_json=True)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there."""
    monkeypatch.setattr(flow, "someone_is_there", lambda: True)


def confirm(manner: Manner, typed: str) -> str:
    """What stands in the way; empty where it was confirmed."""

    @click.command()
    def command() -> None:
        flow.confirm("Type the name of the farm", "prod", manner)

    error = CliRunner().invoke(command, input=typed).exception
    assert error is None or isinstance(error, Failure)
    return str(error or "")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("typed", "stopped"), [("prod\n", ""), (" PROD \n", ""), ("test\n", "that is not prod"), ("\n", "not")]
)
def test_a_person_types_the_name(typed: str, stopped: str) -> None:
    """Blanks and case do not matter; another name does."""
    assert stopped in confirm(ASKED, typed)
    assert bool(stopped) is bool(confirm(ASKED, typed))


def test_nobody_is_there() -> None:
    """Then only --yes will do, and what is typed is not even read."""
    assert "use --yes" in confirm(ASKED, "prod\n")
    assert confirm(SAID_YES, "") == ""


@pytest.mark.usefixtures("terminal")
def test_a_program_is_not_asked() -> None:
    """JSON and a question do not go together."""
    assert "use --yes" in confirm(PROGRAM, "prod\n")


def result(end: End, **more: object) -> RunResult:
    """Of work on a lamp."""
    record = Record(id="r", kind="lamp", subject="hall", started=1.0, by="ann", state=None, outcome="done", finished=60.0)
    step = Step(kind=StepKind.DONE, title="switch it on", reasons=("no bulb",) if end is End.REFUSED else ())
    return RunResult(end=end, step=step, record=record, **more)  # type: ignore[arg-type]


def test_somebody_changes_their_mind(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is answered: how to go on, or that nothing has to be."""

    def at_work(tell: object) -> Coroutine[object, object, RunResult]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flow.follow(at_work)
    assert "Run `apply` again" in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
def test_a_question_that_is_not_answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C or Ctrl-D at the question changes nothing, and says so."""

    def leave(question: str) -> str:
        raise click.Abort

    monkeypatch.setattr(flow, "ask", leave)
    with pytest.raises(click.Abort):
        flow.confirm("Type the name of the farm", "prod", ASKED)
    assert "Nothing was changed." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("end", "code"), [(End.DONE, 0), (End.WAITING, 0), (End.ASKING, 0), (End.REFUSED, 1), (End.STOPPED, 1)]
)
def test_the_exit_code_of_a_run(end: End, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Waiting is no failure: the same command continues."""
    problem = "the fuse blew" if end is End.STOPPED else ""
    found = 0
    for manner in (ASKED, PROGRAM):
        try:
            flow.show_result(result(end, problem=problem), {"end": end.value}, manner)
        except click.exceptions.Exit as left:
            found = left.exit_code
        said = capsys.readouterr().out
        assert problem in said or manner.as_json
        assert not manner.as_json or json.loads(said) == {"end": end.value}
    assert found == code


def test_work_that_was_not_done_in_one_go(capsys: pytest.CaptureFixture[str]) -> None:
    """Every reason, and what to do then; programs get the code."""
    with pytest.raises(Failure, match=r"no bulb\. Buy one") as refused:
        flow.show_outcome(result(End.REFUSED), "Buy one", 3, ["Sweep."], ASKED)
    assert refused.value.code == 3
    flow.show_outcome(result(End.DONE), "", 1, ["Sweep."], PROGRAM)
    assert json.loads(capsys.readouterr().out)["outcome"] == "done"
    flow.show_outcome(result(End.DONE), "", 1, [], ASKED)
    assert capsys.readouterr().out == "Done at 1970-01-01 00:01Z.\n"


def test_what_is_left_for_people_is_said_last(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it was said with the plan it has scrolled away."""
    flow.show_outcome(result(End.DONE), "", 1, ["Sweep the floor."], ASKED)
    assert capsys.readouterr().out == "Done at 1970-01-01 00:01Z.\nLeft for you:\n  - Sweep the floor.\n"


def test_what_is_going_on_is_logged() -> None:
    """Elsewhere than on a terminal."""
    step = Step(kind=StepKind.DO, stage="switch", title="switch it on")
    with capture_logs() as logs, flow.progress() as tell:
        tell(Progress(event="act", step=step, text="hall: press", at=1.0))
    assert logs == [
        {"event": "procedure.act", "stage": "switch", "title": "switch it on", "text": "hall: press", "log_level": "info"}
    ]


@pytest.mark.parametrize(("level", "said"), [("info", ""), ("warning", "done: switch it on: it is on\n")])
def test_what_is_done_is_said_whatever_is_logged(
    level: str, said: str, capsys: pytest.CaptureFixture[str], restored_logging: None
) -> None:
    """Once: by the log, or by a line where the log leaves it out. What is only under way is not."""
    set_up(level)
    step = Step(kind=StepKind.DO, stage="switch", title="switch it on")
    with capture_logs(), flow.progress() as tell:
        tell(Progress(event="act", step=step, text="hall: press", at=1.0))
        tell(Progress(event="completed", step=step, text="it is on", at=2.0))
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "soon"])
def test_a_time_to_wait_is_a_number_of_seconds(text: str) -> None:
    """No moment is after `nan`: it would be waited for without end."""
    with pytest.raises(click.BadParameter):
        FiniteRange(0).convert(text, None, None)


def test_a_time_to_wait_may_be_nothing() -> None:
    """Whoever does not want to wait says 0."""
    assert FiniteRange(0).convert("0", None, None) == 0.0
