"""What the relay does beside requests: each package registers its own jobs here, the process runs them.

The lowest module of the gateway: it knows none of the packages that register.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

log = structlog.get_logger()

MINUTE = 60
"""Seconds between two rounds of the jobs that `every_minute` registered."""

Sleep = Callable[[float], Awaitable[None]]
Duty = Callable[[], Awaitable[object]]
Loop = Callable[[], Coroutine[Any, Any, None]]


class Housekeeping:
    """The jobs. A job that fails is logged and keeps no other one from being done.

    sleep: waits between two rounds; seconds. expected: errors that are no defect of the job's, such as a database that does
    not answer: they are logged in one line, without a traceback.
    """

    def __init__(self, sleep: Sleep = asyncio.sleep, *, expected: tuple[type[Exception], ...] = ()) -> None:
        self._sleep, self._expected = sleep, expected
        self._ticks: list[Callable[[], None]] = []
        self._duties: list[tuple[str, Duty]] = []
        self._loops: list[tuple[str, Loop]] = [("relay-ticker", self.run)]

    def every_second(self, tick: Callable[[], None]) -> None:
        """Let time pass for somebody; must not block."""
        self._ticks.append(tick)

    def every_minute(self, name: str, duty: Duty) -> None:
        """Do something once a minute, in the order of registration. name: for the log, where it fails."""
        self._duties.append((name, duty))

    def beside(self, name: str, loop: Loop) -> None:
        """Run a loop that has its own pace, for as long as the relay serves. name: of its task."""
        self._loops.append((name, loop))

    async def run(self) -> None:
        """Run what is due, until cancelled."""
        beat = 0
        while True:
            await self._sleep(1.0)
            self.tick()
            beat += 1
            if beat % MINUTE == 0:
                await self.tidy()

    def tick(self) -> None:
        """One second has passed."""
        for tick in self._ticks:
            try:
                tick()
            except Exception:
                log.exception("tick.failed")

    async def tidy(self) -> None:
        """One minute has passed."""
        for name, duty in self._duties:
            try:
                await duty()
            except self._expected as error:
                log.error("housekeeping.failed", duty=name, error=str(error))  # noqa: TRY400 - its text says all
            except Exception:
                log.exception("housekeeping.failed", duty=name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all jobs for as long as the block lasts."""
        tasks = [asyncio.create_task(_guarded(name, loop), name=name) for name, loop in self._loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _guarded(name: str, loop: Loop) -> None:
    try:
        await loop()
    except Exception:
        log.exception("housekeeping.failed", duty=name)
