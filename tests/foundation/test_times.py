"""Times."""

from __future__ import annotations

import time

from foundation.times import ElapsedClock


def test_a_clock_continues_from_its_start() -> None:
    """By what the monotonic clock says has passed meanwhile."""
    before = time.monotonic()
    clock = ElapsedClock(1_000.0)
    first, second = clock.now(), clock.now()
    assert 1_000.0 <= first <= second <= 1_000.0 + time.monotonic() - before
