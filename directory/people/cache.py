"""A bounded memory of what a directory said, each thing for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """`entries` at most, each for `seconds` (0 keeps nothing); the least recently used goes first."""

    def __init__(self, entries: int, seconds: float) -> None:
        self._entries, self._seconds = entries, seconds
        self._kept: OrderedDict[bytes, tuple[float, V]] = OrderedDict()

    def get(self, key: bytes) -> V | None:
        """What was kept, unless it is too old."""
        kept = self._kept.get(key)
        if kept is None or kept[0] <= time.monotonic():
            return None
        self._kept.move_to_end(key)
        return kept[1]

    def put(self, key: bytes, value: V) -> None:
        """Keep it, from now on for the cache's whole time."""
        if self._seconds <= 0:
            return
        self._kept[key] = (time.monotonic() + self._seconds, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Forget what no longer holds; nothing where it is not kept."""
        self._kept.pop(key, None)
