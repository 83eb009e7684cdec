"""What everybody who refuses asks: a place, the delay, an entry in the trail."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Hashable

from gateway.housekeeping import Housekeeping
from gateway.relay.refusals import delay
from gateway.relay.refusals.delay import CheckTimes, answer_after
from gateway.relay.refusals.open_requests import OpenRequests
from gateway.relay.refusals.trail import FoldedTrail
from gateway.store import AuditEvent, AuditLog

_DITHER = 25
"""Event loops wake in whole milliseconds, counted from when the wait began: that would tell when the check ended. A random
part of a step over so many hides it."""


class Refusals:
    """One for a relay. clock: Unix seconds; per_address: requests that one address may have open."""

    def __init__(self, audit: AuditLog, clock: Callable[[], float], *, per_address: int) -> None:
        self._clock = clock
        self._open = OpenRequests(per_address)
        self._times = CheckTimes()
        self._trail = FoldedTrail(audit)
        self.waiting = 0
        """Refusals that wait to be answered."""

    def use(self, *, per_address: int) -> None:
        """Settings were read anew."""
        self._open.use(per_address)

    @property
    def open(self) -> int:
        """Requests that are not answered yet."""
        return len(self._open)

    @property
    def delay(self) -> float:
        """Seconds after which refusals are answered at present."""
        return self._times.steps(asyncio.get_running_loop().time()) * delay.STEP

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """What was counted in the last minute is written."""
        housekeeping.every_minute("refusals", lambda: self._trail.flush(self._clock()))

    async def flush(self) -> None:
        """Write everything that was counted: the relay stops. Raises StoreError."""
        await self._trail.flush(self._clock(), everything=True)

    def enter(self, address: str) -> bool:
        """Take a place among the open requests; see `OpenRequests.enter`."""
        return self._open.enter(address)

    def leave(self, address: str) -> None:
        """Give it back."""
        self._open.leave(address)

    def note(self, began: float, *, exists: bool) -> None:
        """A check that began then (on the event loop's clock) is done. exists: the answer was about an account."""
        now = asyncio.get_running_loop().time()
        self._times.note(now - began, now, exists=exists)

    async def hold(self, began: float) -> None:
        """Wait until a refusal of what began then may be answered. Cancelling ends the wait.

        Nothing is held meanwhile but the request itself, which has its place.
        """
        now = asyncio.get_running_loop().time()
        due = began + answer_after(self._times.steps(now), now - began)
        self.waiting += 1
        try:
            await asyncio.sleep(due - now + secrets.randbelow(1000) / 1000 * delay.STEP / _DITHER)
        finally:
            self.waiting -= 1

    async def record(self, key: Hashable, event: AuditEvent) -> bool:
        """See `FoldedTrail.append`."""
        return await self._trail.append(key, event)
