"""Times."""

from __future__ import annotations

import time

from foundation.times import ElapsedClock, minute, second


def test_a_clock_continues_from_its_start() -> None:
    """By what the monotonic clock says has passed meanwhile."""
    before = time.monotonic()
    clock = ElapsedClock(1_000.0)
    first, second = clock.now(), clock.now()
    assert 1_000.0 <= first <= second <= 1_000.0 + time.monotonic() - before


def test_a_moment_in_each_precision() -> None:
    """In UTC; a dash for none."""
    assert (minute(1_000_000_000), second(1_000_000_000)) == ("2001-09-09 01:46Z", "2001-09-09 01:46:40Z")
    assert (minute(None), second(None), second(0)) == ("-", "-", "-")
