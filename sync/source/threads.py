"""What blocks, in a thread, a piece at a time: files and databases give their changes from a generator."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

_PIECE = 500
"""Items for which the event loop waits at a time."""


def _nothing() -> None:
    """Of what needs no interruption: it ends by itself."""


async def from_thread(
    items: Generator[T, None, None], *, patience: float | None = None, interrupt: Callable[[], None] = _nothing
) -> AsyncGenerator[T, None]:
    """The items. patience: seconds for each piece of them. interrupt: makes a blocked call of the generator fail.

    Raises what the generator raises, and TimeoutError. Whoever leaves it waits until the thread has left the generator.
    """
    try:
        while True:
            for item in (piece := await _finished(lambda: list(islice(items, _PIECE)), patience, interrupt)):
                yield item
            if len(piece) < _PIECE:
                return
    finally:
        await asyncio.shield(asyncio.to_thread(items.close))


async def _finished(work: Callable[[], T], patience: float | None, interrupt: Callable[[], None]) -> T:
    task = asyncio.create_task(asyncio.to_thread(work), name="sync.source.thread")
    try:
        async with asyncio.timeout(patience):
            return await asyncio.shield(task)
    except BaseException:
        if not task.done():
            interrupt()
            while not task.done():  # also where whoever waits is cancelled again
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # it was interrupted: that is no news
        raise
