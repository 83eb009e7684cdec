"""Times."""

from __future__ import annotations

import pytest

from foundation import times
from foundation.times import ElapsedClock


def test_a_clock_continues_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what passed meanwhile, whoever sets the wall clock."""
    passed = iter([100.0, 100.0, 107.5])
    monkeypatch.setattr(times.time, "monotonic", lambda: next(passed))
    clock = ElapsedClock(1_000.0)
    assert clock.now() == 1_000.0
    assert clock.now() == 1_007.5
