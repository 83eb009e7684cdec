"""Threads that work for an event loop: a lane is a queue with some of them.

Leaner than a ThreadPoolExecutor, whose futures have a lock and a condition each: a sign-in passes through here, and what
two futures and their callbacks cost is more than the commit itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class LaneJob:
    """One piece of work. work: what a thread calls with this job."""

    __slots__ = ("abandoned", "future", "loop", "run")

    def __init__(self, run: Callable[[Any], Any]) -> None:
        self.run = run
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.abandoned = False
        """Nobody waits for it any more: if it has not begun, it need not."""

    def deliver(self, result: Any, error: BaseException | None) -> None:
        """What came of it; in the loop's thread."""
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Lane:
    """A queue and its threads. Jobs begin in the order in which they came."""

    def __init__(self, name: str, threads: int) -> None:
        self.kept: Any = None
        """What its only thread keeps from job to job: a connection."""
        self.used_at = -math.inf
        """Of the monotonic clock: when that was last seen to work."""
        self._queue: SimpleQueue[LaneJob | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"isthmus-store-{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, job: LaneJob) -> None:
        """Have it done; its future tells what came of it."""
        self._queue.put(job)

    def close(self) -> None:
        """Let what waits be done, then end. Blocks."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if job.abandoned:
                continue
            result, error = None, None
            try:
                result = job.run(job)
            except BaseException as raised:  # noqa: BLE001 - whoever waits gets it
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                job.loop.call_soon_threadsafe(job.deliver, result, error)
            del job, result, error  # not kept until the next one comes
