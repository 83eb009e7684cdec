"""The record, folded from events: what each of them changes, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.procedures import (
    Acknowledged,
    ActBegun,
    Acted,
    ActId,
    Completed,
    Entry,
    Event,
    Failed,
    Finished,
    Impossible,
    Record,
    Started,
    Stopped,
    Turned,
)
from foundation.procedures.events import fold

WIRE, LIGHT = ActId("wire", "a", "wire"), ActId("light", "a", "paint red")
STARTED = Started(id="r1", kind="lamps", subject="house", table="t1", state="grey")


def folded(*events: Event) -> Record[Any]:
    """One second apart, after a start."""
    record = fold(Entry(event=event, at=float(at), by="ann") for at, event in enumerate((STARTED, *events)))
    assert record is not None
    return record


def test_an_act_is_in_doubt_until_something_is_known_of_it() -> None:
    """Begun, it stays open after a lost answer; it closes when it came back, was refused, or never ran."""
    assert folded(ActBegun(act=WIRE)).begun == WIRE
    assert folded(ActBegun(act=WIRE), Failed(why="lost", effect="unknown")).begun == WIRE
    for event in (Acted(act=WIRE), Failed(why="no", effect="refused"), Failed(why="no", effect="none")):
        assert folded(ActBegun(act=WIRE), event).begun is None
    assert folded(ActBegun(act=WIRE), Completed(stage="wire")).begun is None


@pytest.mark.parametrize(("effect", "tries"), [("none", 0), ("refused", 1), ("unknown", 1)])
def test_what_never_ran_is_no_try(effect: Any, tries: int) -> None:
    """The other two are."""
    record = folded(ActBegun(act=WIRE), Failed(why="no", effect=effect))
    assert (record.tries_of("wire"), record.problem, record.failure) == (tries, "no", "no")


def test_what_a_stage_was_about() -> None:
    """By its name: begun, came back, or completed."""
    record = folded(ActBegun(act=WIRE), Acted(act=WIRE), Completed(stage="cool"))
    assert (record.acted_in("wire"), record.acted_in("light")) == (True, False)
    assert [record.touched(stage) for stage in ("wire", "cool", "light")] == [True, True, False]
    assert not folded(ActBegun(act=WIRE), Failed(why="no", effect="none")).touched("wire")


def test_what_was_refused() -> None:
    """It ran and wrote an error: not one that never ran, is still open, or came back well at last."""
    assert folded(ActBegun(act=WIRE), Failed(why="no", effect="refused")).refused(WIRE)
    assert not folded(ActBegun(act=WIRE), Failed(why="no", effect="none")).refused(WIRE)
    assert not folded(ActBegun(act=WIRE)).refused(WIRE)
    assert not folded(ActBegun(act=WIRE), Failed(why="no", effect="refused"), ActBegun(act=WIRE), Acted(act=WIRE)).refused(
        WIRE
    )


def test_when_stages_changed_something() -> None:
    """The last of what was begun, came back and was completed; the start where nothing was."""
    untouched = folded()
    assert untouched.changed_at("wire") == untouched.started
    begun = folded(ActBegun(act=WIRE))
    assert begun.changed_at("wire") == begun.begun_at
    done = folded(ActBegun(act=WIRE), Acted(act=WIRE), Completed(stage="cool"))
    assert done.changed_at("wire") == done.acted[WIRE]
    assert done.changed_at("wire", "cool") == done.completed["cool"]
    assert done.changed_at("light") == done.started


def test_a_turn_forgets_its_stages_and_no_other() -> None:
    """Completed, acts, tries, and the gate of the same name: all of it is to be done anew."""
    before = (
        *(ActBegun(act=WIRE), Acted(act=WIRE), Completed(stage="wire"), Acknowledged(name="wire")),
        *(ActBegun(act=LIGHT), Acted(act=LIGHT), Completed(stage="light"), Acknowledged(name="light")),
    )
    record = folded(*before, Turned(to="start", forget=("light",)))
    assert record.back == "start"
    assert list(record.completed) == list(record.acknowledged) == ["wire"]
    assert list(record.acted) == list(record.tries) == [WIRE]
    assert folded(*before, Turned(to="")).completed == folded(*before).completed


def test_what_was_learnt_replaces_the_state() -> None:
    """Where something was."""
    assert folded(Completed(stage="wire", state="red")).state == "red"
    assert folded(Completed(stage="wire")).state == "grey"


def test_why_it_stopped_is_known_until_it_moves_on() -> None:
    """Why an act failed is told apart from why a run was refused."""
    record = folded(ActBegun(act=WIRE), Failed(why="no spool", effect="refused"), Stopped(why="enough"))
    assert (record.problem, record.failure) == ("enough", "no spool")
    moved = folded(ActBegun(act=WIRE), Failed(why="no", effect="refused"), ActBegun(act=WIRE))
    assert (moved.problem, moved.failure) == ("", "")


@pytest.mark.parametrize(
    "events", [(STARTED, STARTED), (ActBegun(act=WIRE),), (STARTED, Finished(outcome="done"), Completed(stage="wire"))]
)
def test_events_that_cannot_follow(events: tuple[Event, ...]) -> None:
    """A second start, an act of nothing, and anything after the end but a new start."""
    with pytest.raises(Impossible):
        fold(Entry(event=event, at=1.0) for event in events)
    again = fold(Entry(event=event, at=1.0) for event in (STARTED, Finished(outcome="done"), STARTED))
    assert again is not None
    assert again.open
