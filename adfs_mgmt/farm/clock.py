"""The time in one reading of a farm, however long it takes: `now` is a parameter, what passes since is measured."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FarmClock:
    """Goes on from `start` (Unix seconds) by the monotonic clock, which nobody sets."""

    start: float
    _since: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        """Unix seconds."""
        return self.start + time.monotonic() - self._since
