"""The one delay after which every refusal is answered: how long a check takes tells which accounts exist. Pure.

The smallest multiple of `STEP` above the 99th percentile of the checks of the last ten minutes, at most `LONGEST` of them;
of names that exist and of those that are nobody's apart, and the longer of the two: or a flood of the quicker kind would
make the other kind the slowest percent.
It changes every ten seconds at most: soon enough when a load begins, too rarely to follow a single check. One that took
longer is answered at the next multiple.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

STEP = 0.25
"""Seconds."""
LONGEST = 12
"""Steps: 3 s."""
FIRST = 2
"""Steps until something is known: while caches are cold and connections are made, a check takes longer."""
_SLOT, _SLOTS = 10.0, 60
"""Seconds, and how many make ten minutes."""


def steps_above(counts: Sequence[int]) -> int:
    """The smallest number of steps above the 99th percentile; 0 where there was no check.

    counts: checks that took no step in full, one, …, `LONGEST` or more.
    """
    total, seen = sum(counts), 0
    for steps, count in enumerate(counts, 1):
        seen += count
        if total and seen * 100 >= total * 99:
            return min(steps, LONGEST)
    return 0


def answer_after(steps: int, seconds: float) -> float:
    """Seconds from its beginning after which a refusal is answered that is known after `seconds`."""
    return max(steps, math.ceil(seconds / STEP)) * STEP


class CheckTimes:
    """How long checks took, ten seconds by ten seconds. Times are seconds of a clock that never jumps."""

    def __init__(self) -> None:
        self._slots: deque[tuple[list[int], list[int]]] = deque(maxlen=_SLOTS)
        """Of each ten seconds: checks of names that are nobody's, and of those that exist."""
        self._counts, self._slot = _no_checks(), 0
        self._until = _SLOT
        """When the present ten seconds end."""
        self._steps = FIRST

    def note(self, seconds: float, now: float, *, exists: bool) -> None:
        """A check of a name that exists, or of nobody's, took so long."""
        if now >= self._until:
            self._go_on(now)
        self._counts[exists][min(int(seconds / STEP), LONGEST)] += 1

    def steps(self, now: float) -> int:
        """The delay, in steps."""
        if now >= self._until:
            self._go_on(now)
        return self._steps

    def _go_on(self, now: float) -> None:
        slot = int(now // _SLOT)
        self._until = (slot + 1) * _SLOT
        self._slots.append(self._counts)
        self._slots.extend(_no_checks() for _ in range(min(slot - self._slot - 1, _SLOTS)))
        self._counts, self._slot = _no_checks(), slot
        kinds = zip(*self._slots, strict=True)
        self._steps = max(steps_above([*map(sum, zip(*kind, strict=True))]) for kind in kinds) or self._steps


def _no_checks() -> tuple[list[int], list[int]]:
    return [0] * (LONGEST + 1), [0] * (LONGEST + 1)
