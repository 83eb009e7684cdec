"""From a source into the state: everything or what changed, and what has to be asked for because neither told it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from sync.model import SourceChange, SourceObject
from sync.run.errors import SourceUnread
from sync.source import Source, SourceOutcome, SourceReading, SourceResult
from sync.state import ReadingKind, ReadingPort, ReadingSummary, SyncState

_PORTION: Final = 1000
"""Changes that are committed together."""
_ASKED: Final = 500
"""Keys in one request."""


class SourceRead(Struct, frozen=True):
    """How the reading of a source ended."""

    source: str
    outcome: SourceOutcome
    reason: str = ""
    full: bool = False
    told: int = 0
    changed: int = 0
    asked: int = 0
    """Objects that were asked for by their key."""

    @property
    def usable(self) -> bool:
        """Whether a plan may rest on what is known of the source."""
        return self.outcome is SourceOutcome.COMPLETE


async def read_source(
    state: SyncState, source: Source, run: int, clock: Callable[[], float], *, full: bool = False
) -> SourceRead:
    """full: everything, although a cookie is there. Raises StateError."""
    cookie = state.objects.status(source.name).cookie if source.delta and not full else None
    result, summary = await _read(state, source, cookie, run, clock)
    if result.outcome is SourceOutcome.COOKIE_REFUSED:
        cookie = None
        result, summary = await _read(state, source, None, run, clock)
    asked = await _ask(state, source, run, clock) if result.outcome is SourceOutcome.COMPLETE else 0
    return SourceRead(source.name, result.outcome, result.reason, cookie is None, summary.told, summary.changed, asked)


def require_complete(read: Iterable[SourceRead]) -> None:
    """Of sources that were just read. Raises SourceUnread, with the reason of each."""
    unread = {one.source: one.reason for one in read if not one.usable}
    if unread:
        raise SourceUnread(tuple(unread), unread)


async def _read(
    state: SyncState, source: Source, cookie: bytes | None, run: int, clock: Callable[[], float]
) -> tuple[SourceResult, ReadingSummary]:
    kind = ReadingKind.FULL if cookie is None else ReadingKind.DELTA
    into = state.begin_reading(source.name, kind, run, clock())
    result = await _apply(source.read(cookie), into)
    summary = into.finish(
        complete=result.outcome is SourceOutcome.COMPLETE,
        cookie=result.cookie,
        exhaustive=result.exhaustive,
        now=clock(),
    )
    return result, summary


async def _ask(state: SyncState, source: Source, run: int, clock: Callable[[], float]) -> int:
    """For what a delta does not tell, and for what a complete reading did not have: absent is only what is not found."""
    asked = 0
    for portion in _portions((*state.objects.rereads(source.name), *state.objects.absence_candidates(source.name))):
        into = state.begin_reading(source.name, ReadingKind.FETCH, run, clock())
        result = await _apply(source.fetch([found.key for found in portion]), into)
        into.finish(complete=result.outcome is SourceOutcome.COMPLETE, now=clock())
        asked += len(portion)
        if result.outcome is not SourceOutcome.COMPLETE:
            break
    return asked


async def _apply(reading: SourceReading, into: ReadingPort) -> SourceResult:
    portion: list[SourceChange] = []
    async with reading:
        async for change in reading:
            portion.append(change)
            if len(portion) >= _PORTION:
                into.apply(portion)
                portion.clear()
        into.apply(portion)
        return reading.result


def _portions(found: Iterable[SourceObject]) -> Iterator[list[SourceObject]]:
    waiting = iter(found)
    while portion := list(islice(waiting, _ASKED)):
        yield portion
