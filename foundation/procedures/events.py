"""From a journal's events to a Record. Pure: one function for each kind of event.

started ─► (begun ─► acted | failed)* ─► completed ─► … ─► finished
               └── nothing after it: killed, or the connection broke; the effect is unknown
stopped         a run ended for another reason than a failed act
acknowledged    a person said that something was done, or opened a gate
turned          a rollback starts (`to`), or is over (`to` is empty); `forget`: stages to be done anew
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec

from foundation.procedures.errors import Effect
from foundation.procedures.model import ActId, Record

StateTypes: TypeAlias = Mapping[str, type[Any]]
"""The state's type by the procedure's kind: those whose records a journal may hold."""


class _Event(msgspec.Struct, frozen=True, tag=str.lower, tag_field="event", forbid_unknown_fields=True):
    """Base of what a journal holds."""


class Started(_Event, frozen=True):
    """A piece of work starts."""

    id: str
    kind: str
    subject: str
    table: str
    """`Procedure.table`."""
    state: Any
    begun: ActId | None = None
    """Of the work that it ends: the act that was open, whose effect may yet come."""
    begun_at: float = 0.0


class ActBegun(_Event, frozen=True, tag="begun"):
    """An act is about to be done."""

    act: ActId


class Acted(_Event, frozen=True):
    """It came back without an error."""

    act: ActId


class Failed(_Event, frozen=True):
    """It did not. After `unknown` it stays open."""

    why: str
    effect: Effect


class Stopped(_Event, frozen=True):
    """A run was refused, or what it waited for did not come."""

    why: str


class Completed(_Event, frozen=True):
    """A stage's postcondition was seen to hold. `state`: what the procedure knows from now on, where that changed."""

    stage: str
    state: Any = None


class Acknowledged(_Event, frozen=True):
    """A person said so."""

    name: str


class Turned(_Event, frozen=True):
    """A rollback starts, or is over."""

    to: str
    forget: tuple[str, ...] = ()


class Finished(_Event, frozen=True):
    """Nothing is left to be done."""

    outcome: str


Event: TypeAlias = Started | ActBegun | Acted | Failed | Stopped | Completed | Acknowledged | Turned | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a journal."""

    event: Event
    at: float
    by: str = ""


class Impossible(ValueError):
    """An event that cannot follow those before it: the journal was edited, or parts of it are missing."""


def fold(entries: Iterable[Entry]) -> Record[Any] | None:
    """The state after all entries; None where nothing was ever started. Raises Impossible."""
    record: Record[Any] | None = None
    for entry in entries:
        record = record_after(record, entry)
    return record


def record_after(record: Record[Any] | None, entry: Entry) -> Record[Any]:
    """The state after one more entry. Raises Impossible."""
    event = entry.event
    if isinstance(event, Started):
        if record is not None and record.open:
            raise Impossible(f"a second start, while {record.id} is not finished")
        told = {name: getattr(event, name) for name in event.__struct_fields__}
        return Record(**told, started=entry.at, by=entry.by)
    if record is None or not record.open:
        raise Impossible(f"{kind_of(event)!r}, but nothing is under way")
    return _CHANGES[type(event)](record, event, entry.at)


def kind_of(event: Event) -> str:
    """As in the journal."""
    return str(type(event).__struct_config__.tag)


def encode_event(event: Event) -> dict[str, Any]:
    """As plain data, without its kind."""
    data: dict[str, Any] = msgspec.to_builtins(event)
    del data["event"]
    return data


def decode_event(kind: str, data: Mapping[str, Any], types: StateTypes, record: Record[Any] | None) -> Event:
    """From plain data, with a typed state; `record` is what stands before it. Raises Impossible."""
    try:
        event: Event = msgspec.convert({**data, "event": kind}, Event)
        if isinstance(event, Started):
            return msgspec.structs.replace(event, state=_state(event.state, event.kind, types))
        if isinstance(event, Completed) and event.state is not None and record is not None:
            return msgspec.structs.replace(event, state=_state(event.state, record.kind, types))
    except msgspec.ValidationError as error:
        raise Impossible(f"{kind!r} is not as it should be ({error})") from error
    return event


def _state(data: Any, kind: str, types: StateTypes) -> Any:
    if kind not in types:
        raise Impossible(f"it is of {kind!r}, which is not known here")
    return msgspec.convert(data, types[kind])


def _begun(record: Record[Any], event: ActBegun, at: float) -> Record[Any]:
    tries = {**record.tries, event.act: record.tries.get(event.act, 0) + 1}
    return replace(record, begun=event.act, begun_at=at, tries=tries, problem="", failure="")


def _acted(record: Record[Any], event: Acted, at: float) -> Record[Any]:
    return replace(record, begun=None, begun_at=0.0, acted={**record.acted, event.act: at}, problem="", failure="")


def _failed(record: Record[Any], event: Failed, at: float) -> Record[Any]:
    if event.effect == "unknown":
        return replace(record, problem=event.why, failure=event.why)
    tries = dict(record.tries)
    if event.effect == "none" and record.begun in tries:
        tries[record.begun] -= 1
    return replace(record, begun=None, begun_at=0.0, tries=tries, problem=event.why, failure=event.why)


def _stopped(record: Record[Any], event: Stopped, at: float) -> Record[Any]:
    return replace(record, problem=event.why)


def _completed(record: Record[Any], event: Completed, at: float) -> Record[Any]:
    state = record.state if event.state is None else event.state
    completed = {**record.completed, event.stage: at}
    return replace(record, completed=completed, state=state, begun=None, begun_at=0.0, problem="", failure="")


def _acknowledged(record: Record[Any], event: Acknowledged, at: float) -> Record[Any]:
    return replace(record, acknowledged={**record.acknowledged, event.name: at})


def _turned(record: Record[Any], event: Turned, at: float) -> Record[Any]:
    """Stages that are to be done anew are forgotten, with their acts and gates (which have the stage's name)."""
    forget = frozenset(event.forget)
    return replace(
        record,
        back=event.to,
        completed={name: when for name, when in record.completed.items() if name not in forget},
        acted={act: when for act, when in record.acted.items() if act.stage not in forget},
        tries={act: count for act, count in record.tries.items() if act.stage not in forget},
        acknowledged={name: when for name, when in record.acknowledged.items() if name not in forget},
        problem="",
        failure="",
    )


def _finished(record: Record[Any], event: Finished, at: float) -> Record[Any]:
    """An act that is still open then stays so: the work that comes next waits for it."""
    return replace(record, finished=at, outcome=event.outcome, problem="", failure="")


_CHANGES: dict[type[Any], Callable[[Record[Any], Any, float], Record[Any]]] = {
    ActBegun: _begun,
    Acted: _acted,
    Failed: _failed,
    Stopped: _stopped,
    Completed: _completed,
    Acknowledged: _acknowledged,
    Turned: _turned,
    Finished: _finished,
}
