"""Ephemeral state in this process's memory: bounded, and gone with it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

LIMIT = 100_000
"""Entries; beyond that the oldest goes. An attacker who floods it ends other people's half-done sign-ins, no more."""


class MemoryEphemeral:
    """Implements `port.Ephemeral`. clock: seconds, monotonic."""

    def __init__(self, *, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._entries: OrderedDict[str, tuple[float, bytes | int]] = OrderedDict()

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """See `port.Ephemeral`."""
        self._set(key, self._clock() + ttl, value)

    async def get(self, key: str) -> bytes | None:
        """See `port.Ephemeral`."""
        value = self._live(key)
        return value if isinstance(value, bytes) else None

    async def take(self, key: str) -> bytes | None:
        """See `port.Ephemeral`."""
        value = await self.get(key)
        self._entries.pop(key, None)
        return value

    async def increment(self, key: str, ttl: float) -> int:
        """See `port.Ephemeral`."""
        value = self._live(key)
        if not isinstance(value, int):
            self._set(key, self._clock() + ttl, 1)
            return 1
        self._entries[key] = (self._entries[key][0], value + 1)
        return value + 1

    def _live(self, key: str) -> bytes | int | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._entries[key]
            return None
        return entry[1]

    def _set(self, key: str, expires: float, value: bytes | int) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (expires, value)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)
