"""A histogram of durations, in the form that Prometheus wants."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


class Durations:
    """Counts durations; sums are worked out when somebody looks. bounds: of its buckets, seconds, ascending."""

    __slots__ = ("_bounds", "_in_bucket", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds, self._in_bucket = bounds, [0] * (len(bounds) + 1)
        self.seconds = 0.0
        """All of them together."""

    def add(self, seconds: float) -> None:
        """Count one; as long as a bound is within it."""
        self._in_bucket[bisect_left(self._bounds, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Each bound, and how many were not longer."""
        below, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._in_bucket, strict=True):
            below += count
            buckets.append((bound, below))
        return buckets
