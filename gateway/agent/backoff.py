"""How long to wait before the next try: growing, random, bounded, without end."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Exponential back-off with full jitter: spreads a thousand agents whose relay restarts over the whole interval.

    floor, ceiling: seconds.
    """

    def __init__(self, floor: float, ceiling: float, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._floor, self._ceiling, self._draw = floor, ceiling, draw
        self._tries = 0

    def next_delay(self) -> float:
        """Seconds to wait now."""
        self._tries = min(self._tries + 1, 30)
        return self._draw(self._floor, min(self._ceiling, self._floor * 2**self._tries))

    def reset(self) -> None:
        """The last try succeeded."""
        self._tries = 0
