"""From journal entries to a Record. Pure: one function for each kind of entry.

started ─► (begun ─► acted | failed)* ─► held ─► … ─► finished
               └── nothing after it: killed, or the connection broke; the effect is unknown
acknowledged    a person said that a partner knows the new certificate, or opened a gate
turned          a rollback begins (`to` = published | start), or is over (`to` empty; `forget`: stages to be done anew)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adfs_mgmt.rollover.model import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a journal."""

    kind: str
    at: float
    by: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Impossible(ValueError):
    """An entry that cannot follow those before it: the journal was edited, or parts of it are missing."""


def fold(entries: Iterable[Entry]) -> Record | None:
    """The state after all entries; None where nothing was ever started. Raises Impossible."""
    record: Record | None = None
    for entry in entries:
        record = after(record, entry)
    return record


def after(record: Record | None, entry: Entry) -> Record:
    """The state after one more entry. Raises Impossible."""
    if entry.kind == "started":
        if record is not None and record.open:
            raise Impossible(f"a second start, while {record.id} is not finished")
        return _started(entry)
    if record is None or not record.open:
        raise Impossible(f"{entry.kind!r}, but nothing is under way")
    change = _CHANGES.get(entry.kind)
    if change is None:
        raise Impossible(f"an unknown kind of entry, {entry.kind!r}")
    try:
        return change(record, entry)
    except (KeyError, TypeError, AttributeError) as error:
        raise Impossible(f"{entry.kind!r} without {error}") from error


def stage_act(stage: str, act_id: str) -> str:
    """How an act is remembered."""
    return f"{stage}: {act_id}"


def _started(entry: Entry) -> Record:
    try:
        return Record(
            id=entry.data["id"],
            kind=entry.data["kind"],
            farm=entry.data["farm"],
            started=entry.at,
            by=entry.by,
            facts=dict(entry.data.get("facts", {})),
        )
    except KeyError as error:
        raise Impossible(f"'started' without {error}") from error


def _begun(record: Record, entry: Entry) -> Record:
    name = stage_act(entry.data["stage"], entry.data["act"])
    tries = {**record.tries, name: record.tries.get(name, 0) + 1}
    return replace(record, begun=name, begun_at=entry.at, tries=tries, problem="")


def _acted(record: Record, entry: Entry) -> Record:
    name = stage_act(entry.data["stage"], entry.data["act"])
    return replace(record, begun="", begun_at=0.0, acted={**record.acted, name: entry.at}, problem="")


def _failed(record: Record, entry: Entry) -> Record:
    """`effect` is `unknown` (the act stays open: it may have taken effect, or still be under way), `none` (it never got to
    the host: that is no try), or `refused` (it ran, and wrote an error)."""
    why, effect = str(entry.data["why"]), entry.data["effect"]
    if effect == "unknown":
        return replace(record, problem=why)
    tries = dict(record.tries)
    if effect == "none" and record.begun in tries:
        tries[record.begun] -= 1
    return replace(record, begun="", begun_at=0.0, tries=tries, problem=why)


def _held(record: Record, entry: Entry) -> Record:
    facts = {**record.facts, **entry.data.get("facts", {})}
    held = {**record.held, entry.data["stage"]: entry.at}
    return replace(record, held=held, facts=facts, begun="", begun_at=0.0, problem="")


def _acknowledged(record: Record, entry: Entry) -> Record:
    return replace(record, acknowledged={**record.acknowledged, entry.data["name"]: entry.at})


def _turned(record: Record, entry: Entry) -> Record:
    """Stages that are to be done anew are forgotten, with their acts and gates."""
    forget = frozenset(entry.data.get("forget", ()))

    def kept(name: str) -> bool:
        return name.split(": ", 1)[0] not in forget

    return replace(
        record,
        back=entry.data["to"],
        held={name: at for name, at in record.held.items() if kept(name)},
        acted={name: at for name, at in record.acted.items() if kept(name)},
        tries={name: count for name, count in record.tries.items() if kept(name)},
        acknowledged={name: at for name, at in record.acknowledged.items() if kept(name)},
        problem="",
    )


def _finished(record: Record, entry: Entry) -> Record:
    return replace(record, finished=entry.at, outcome=entry.data["outcome"], begun="", begun_at=0.0, problem="")


_CHANGES: dict[str, Callable[[Record, Entry], Record]] = {
    "begun": _begun,
    "acted": _acted,
    "failed": _failed,
    "held": _held,
    "acknowledged": _acknowledged,
    "turned": _turned,
    "finished": _finished,
}
