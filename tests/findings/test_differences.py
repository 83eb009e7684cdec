"""Differences of clocks, in words."""

from __future__ import annotations

import pytest

from findings import difference


@pytest.mark.parametrize(
    ("seconds", "digits", "said"),
    [(-0.3, 0, "0 s"), (0.3, 0, "0 s"), (-0.04, 1, "0 s"), (2.6, 0, "+3 s"), (-7, 1, "-7.0 s"), (-400, 0, "-400 s")],
)
def test_no_difference_has_no_sign(seconds: float, digits: int, said: str) -> None:
    """However little it is off."""
    assert difference(seconds, digits) == said
