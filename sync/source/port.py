"""What a source is, whatever it reads: the port, how a reading ends, and what a reading is.

A reading ends with a `SourceResult`, whatever happened to the source; only defects of ours raise. Leaving the `async with`
early, or being cancelled, ends the search, closes the file, or gives the connection back.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Protocol

from msgspec import Struct

from findings import Finding
from sync.model import ChangeKind, SourceChange

_FLAWS = 5
"""That are named to the operator; the others are counted."""


class SourceOutcome(enum.StrEnum):
    """How a reading ended."""

    COMPLETE = "complete"
    """All that there is, or all that changed, was told."""
    PARTIAL = "partial"
    """Some of it was told, all of it true; what is missing must not be taken for absent."""
    FAILED = "failed"
    """Nothing was told."""
    COOKIE_REFUSED = "cookie_refused"
    """From this cookie the source cannot tell what changed: read in full."""


class SourceResult(Struct, frozen=True):
    """What the changes of a reading are worth."""

    outcome: SourceOutcome
    reason: str = ""
    """What stood in the way, and what to do about it, for the operator. Never a secret."""
    cookie: bytes | None = None
    """What to continue with next time; None: read in full."""
    exhaustive: bool = False
    """Whether an object that was not told of, or only as deleted, is not there. True of complete readings only."""
    changes: int = 0
    invalid: int = 0
    """Changes with values that were left out (`SourceChange.invalid`)."""
    server: str = ""
    """Who answered: host:port, a file, a database."""


class Wait(Struct, frozen=True):
    """How a wait for a change ended."""

    changed: bool
    reason: str = ""
    """Why the source could not be asked to tell; empty where it could, or where this kind of source never tells."""


class Tally:
    """What a reading has come to so far: counts, flaws, and the result once it is set."""

    def __init__(self) -> None:
        self.changes = self.invalid = 0
        self.result: SourceResult | None = None
        self._flaws: list[str] = []
        self._more = 0

    def note(self, flaw: str) -> None:
        """Something is missing from what is told."""
        if len(self._flaws) < _FLAWS:
            self._flaws.append(flaw)
        else:
            self._more += 1

    @property
    def flaws(self) -> str:
        """The first ones; empty where there are none."""
        return "; ".join([*self._flaws, *([f"and {self._more} more"] if self._more else [])])

    def end(self, outcome: SourceOutcome, reason: str = "", cookie: bytes | None = None, server: str = "") -> None:
        """The result of a reading that is not exhaustive."""
        self.result = SourceResult(outcome, reason, cookie, False, self.changes, self.invalid, server)

    def complete(self, cookie: bytes | None, server: str, *, exhaustive: bool, given: bytes | None = None) -> None:
        """The result of a reading that came to its end: partial where there are flaws. given: the cookie it began with."""
        flaws = self.flaws
        outcome = SourceOutcome.PARTIAL if flaws else SourceOutcome.COMPLETE
        cookie, exhaustive = (given, False) if flaws else (cookie, exhaustive)
        self.result = SourceResult(outcome, flaws, cookie, exhaustive, self.changes, self.invalid, server)

    def broken(self, reason: str, cookie: bytes | None = None, server: str = "") -> None:
        """The result of a reading that did not come to its end."""
        reason = "; ".join(filter(None, (self.flaws, reason)))
        self.end(SourceOutcome.PARTIAL if self.changes else SourceOutcome.FAILED, reason, cookie, server)


class SourceReading:
    """An asynchronous iterator of changes, and a context manager. `result` is there when the iteration has ended.

    produce: gives the changes, one by one, and sets the result before it ends.
    """

    def __init__(self, produce: Callable[[Tally], AsyncGenerator[SourceChange, None]]) -> None:
        self._tally = Tally()
        self._changes = produce(self._tally)

    async def __aenter__(self) -> SourceReading:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._changes.aclose()

    def __aiter__(self) -> AsyncIterator[SourceChange]:
        return self

    async def __anext__(self) -> SourceChange:
        change = await self._changes.__anext__()
        self._tally.changes += 1
        if change.invalid:
            self._tally.invalid += 1
        return change

    @property
    def result(self) -> SourceResult:
        """How it ended. Raises RuntimeError while changes may come."""
        if self._tally.result is None:
            raise RuntimeError("the reading has not ended: take its changes first")
        return self._tally.result


def nobody_listens() -> None:
    """Of a wait whose beginning nobody wants to know."""


class Source(Protocol):
    """Where objects come from. One for each source of the settings; it may read several times at once."""

    @property
    def name(self) -> str:
        """In the settings."""

    @property
    def delta(self) -> bool:
        """Whether it can tell what changed since a cookie. One that cannot tells everything, each time."""

    def read(self, cookie: bytes | None) -> SourceReading:
        """What changed since `cookie`; without one, everything."""

    def fetch(self, keys: Sequence[bytes]) -> SourceReading:
        """These objects as they are now: WHOLE, or DELETED where it is certain that there is none of that key.

        Of a tombstone, DELETED holds its DN. A key without a change is one that could not be asked for: the result is not
        complete then.
        """

    async def wait(self, seconds: float, cookie: bytes | None = None, begun: Callable[[], None] = nobody_listens) -> Wait:
        """Until something changes, for so many seconds at most. It may tell too often, never reliably what.

        cookie: that of the last reading. begun: called when changes from now on will be noticed, or cannot be: to miss none,
        begin to wait, then read. Where the source cannot be asked, it returns immediately, with the reason; one of a kind
        that never tells waits all the time.
        """

    async def check(self) -> list[Finding]:
        """Whether it can be read, whole, and with all that rules name. Never raises; each with what fixes it."""

    async def close(self) -> None:
        """Hang up; no reading may be under way."""


def gone(key: bytes, dn: str = "") -> SourceChange:
    """An object that was asked for and is not there. dn: of its tombstone."""
    return SourceChange(ChangeKind.DELETED, key, dn=dn)
