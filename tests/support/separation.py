"""How well two sets of times can be told apart."""

from __future__ import annotations

from collections.abc import Sequence


def separated(first: Sequence[float], second: Sequence[float]) -> float:
    """The share of pairs in which the first takes longer (equal: half of it): 0.5 tells nothing, 0 and 1 tell all."""
    longer = sum((one > other) + (one == other) / 2 for one in first for other in second)
    return longer / (len(first) * len(second))
