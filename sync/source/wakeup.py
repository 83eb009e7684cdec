"""Waiting until one of several directories says that something changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from directory import Reading, ReadOutcome
from sync.source.port import Wait


async def first_change(readings: Sequence[Reading], begun: Callable[[], None]) -> Wait:
    """The first one that tells. begun: called when all of them would, or cannot. Cancelling hangs up."""
    waiting = len(readings)

    def ready() -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            begun()

    tasks = [asyncio.create_task(_wait(reading, ready), name="sync.source.wait") for reading in readings]
    reasons: list[str] = []
    try:
        for done in asyncio.as_completed(tasks):
            wait = await done
            if wait.changed:
                return wait
            reasons += [wait.reason] if wait.reason else []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if waiting:  # whoever reads after `begun` must not wait for ever
            begun()
    return Wait(False, "; ".join(reasons))


async def _wait(reading: Reading, ready: Callable[[], None]) -> Wait:
    async with reading:
        able = await reading.begin()
        ready()
        if able:
            async for _ in reading:
                return Wait(True)
    result = reading.result
    return Wait(False, "" if result.outcome is ReadOutcome.COMPLETE else result.reason)
