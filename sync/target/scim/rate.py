"""How fast a service is asked: additive increase, multiplicative decrease, and never more than the setting.

start at the setting ── 429, 503, or slower than `slow` ──► half, at most once a second
                     ◄── a twentieth of the setting for each second without trouble ──
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_PAUSE: Final = 86_400.0
"""Seconds. Whoever wants to be left alone for longer has sent something else."""
_SLOWEST: Final = 0.1
"""Requests a second, below which it never falls: a service that takes less is asked again when its operations are due."""
_RECOVERY: Final = 20.0
"""Seconds from nothing to the setting."""
_BURST: Final = 0.05
"""Seconds that a request may be early: timers are no more exact than that."""


class Rate:
    """The decision, pure: `now` is monotonic seconds."""

    def __init__(self, ceiling: float, slow: float, now: float) -> None:
        self._ceiling, self._slow = ceiling, slow
        self._rate, self._since = ceiling, now
        self._halved = -math.inf
        self._next, self._paused_until = now, now

    def current(self, now: float) -> float:
        """Requests a second."""
        return min(self._ceiling, self._rate + max(now - self._since, 0.0) * self._ceiling / _RECOVERY)

    def delay(self, now: float) -> float:
        """Seconds that the next request has to wait. It is counted."""
        begin = max(now, self._next, self._paused_until)
        self._next = begin + 1 / self.current(now)
        wait = begin - now
        return wait if wait > _BURST or now < self._paused_until else 0.0

    def answered(self, seconds: float, now: float) -> None:
        """An answer came, after so long."""
        if seconds > self._slow:
            self._halve(now)

    def refused(self, retry_after: float, now: float) -> None:
        """The service said that it is busy, and for how long it wants to be left alone; 0 where it did not say."""
        self._halve(now)
        self._paused_until = max(self._paused_until, now + min(retry_after, LONGEST_PAUSE))

    def _halve(self, now: float) -> None:
        """Once a second: what was under way together is refused together."""
        if now - self._halved >= 1.0:
            self._rate, self._since, self._halved = max(self.current(now) / 2, _SLOWEST), now, now


class Pace:
    """Waits as a `Rate` says, with so many requests at one time. Cancelling lets the next one go."""

    def __init__(
        self,
        rate: Rate,
        concurrency: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._free = asyncio.Semaphore(concurrency)

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Around one request, its answer included."""
        async with self._free:
            if (wait := self._rate.delay(self._clock())) > 0:
                await self._sleep(wait)
            begun = self._clock()
            try:
                yield
            finally:  # an answer that does not come is the slowest
                self._rate.answered(self._clock() - begun, self._clock())

    def refused(self, retry_after: float) -> None:
        """See `Rate.refused`."""
        self._rate.refused(retry_after, self._clock())


def read_retry_after(value: str, now: float) -> float:
    """Seconds, by the header Retry-After (RFC 9110 section 10.2.3): a number, which some send with decimals, or a date.

    now: Unix seconds. 0 where it cannot be read or lies in the past; never more than a day.
    """
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST_PAUSE) if math.isfinite(seconds) else 0.0
