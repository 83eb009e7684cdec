"""The journal as the runner sees it: what was done, written down before it is done. Behind it a file, a store, or memory."""

from __future__ import annotations

from typing import Any, Protocol

from foundation.procedures.errors import JournalError
from foundation.procedures.events import Acted, Entry, Event, Failed, Impossible, record_after
from foundation.procedures.model import Record


class Journal(Protocol):
    """A journal that is open for writing, by one at a time."""

    @property
    def record(self) -> Record[Any] | None:
        """What it says; None where nothing was ever started."""
        ...

    async def write(self, event: Event, now: float) -> Record[Any]:
        """Add an event; what it says now. Returns only when the event is kept whatever happens to the process. Raises
        JournalError."""
        ...


def following(where: object, record: Record[Any] | None, entry: Entry) -> Record[Any]:
    """The record after an entry that is about to be written. Raises JournalError."""
    try:
        return record_after(record, entry)
    except Impossible as error:
        raise JournalError(where, f"cannot write {error}", "This is a mistake of the program.") from error


def unwritten(where: object, event: Event, problem: str, remedy: str) -> JournalError:
    """An event could not be kept. After an act it is not true that nothing was done: that it was begun is kept, and the next
    run looks for it. remedy: a sentence without its full stop."""
    acted = isinstance(event, Acted | Failed)
    effect = "an act was done whose end could not be written down" if acted else "nothing was done"
    remedy += ": it looks what became of that." if acted else "."
    return JournalError(where, f"cannot be written ({problem})", remedy, effect=effect)


class MemoryJournal:
    """For work that is not taken up again by another process, and for tests."""

    def __init__(self, who: str = "") -> None:
        self.who = who
        self.entries: list[Entry] = []
        self.record: Record[Any] | None = None

    def append(self, event: Event, now: float) -> Record[Any]:
        """Add an event. Raises JournalError."""
        entry = Entry(event=event, at=now, by=self.who)
        self.record = following("the journal", self.record, entry)
        self.entries.append(entry)
        return self.record

    async def write(self, event: Event, now: float) -> Record[Any]:
        """As `append`."""
        return self.append(event, now)
