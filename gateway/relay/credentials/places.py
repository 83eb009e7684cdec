"""Waiting for a place: whoever comes while as many attempts for an account are under way as may still fail.

Those who wait stand in line for each record; an attempt that ends there wakes the first, and one who gets a place wakes
the next, for there may be more room (a success forgets all failures). Nobody asks at intervals, but for the case that
the attempt in the way is on another node, whose end nobody tells us.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable


class Places:
    """The lines, by key of the record that is waited for. One event loop; nothing here outlives the process."""

    def __init__(self) -> None:
        self._lines: dict[bytes, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """How many wait; whoever stands in two lines counts twice."""
        return sum(len(line) for line in self._lines.values())

    async def wait(self, keys: Iterable[bytes], patience: float, *, first: bool = False) -> None:
        """Until an attempt on one of these records ends, or for `patience` seconds.

        first: at the head of the lines, for somebody who has waited already. Cancelling leaves the lines, and hands on
        what it was woken for.
        """
        turn = asyncio.get_running_loop().create_future()
        keys = [key for key in keys if key]
        for key in keys:
            line = self._lines.setdefault(key, deque())
            (line.appendleft if first else line.append)(turn)
        try:
            await asyncio.wait((turn,), timeout=patience)
        except asyncio.CancelledError:
            if turn.done():
                for key in keys:
                    self.wake(key)
            raise
        finally:
            for key in keys:
                self._leave(key, turn)

    def wake(self, key: bytes) -> None:
        """An attempt on this record has ended, or there may be room for one more: the first in its line may look."""
        for turn in self._lines.get(key, ()):
            if not turn.done():
                turn.set_result(None)
                return

    def _leave(self, key: bytes, turn: asyncio.Future[None]) -> None:
        line = self._lines.get(key)
        if line is None or turn not in line:
            return
        line.remove(turn)
        if not line:
            del self._lines[key]
