"""The time scale: what is shown of time, and where."""

from __future__ import annotations

import datetime as dt

import pytest

from foundation.time_scale import TimeScale, axis, grid, upright
from foundation.times import DAY

NOW = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(("last", "days"), [(None, 120), (10, 120), (200, 215), (4000, 430)])
def test_the_stretch_that_is_shown(last: int | None, days: int) -> None:
    """From two months ago to a little after the last end, within reason; an end that is not known (0) says nothing."""
    ends = [0.0] if last is None else [0.0, NOW + last * DAY]
    scale = TimeScale.around(NOW, ends)
    assert scale == TimeScale(NOW - 60 * DAY, NOW + days * DAY, NOW)


def test_places_are_percent_of_the_stretch() -> None:
    """What lies outside is held at the edge, and not shown."""
    scale = TimeScale(0.0, 100.0, 50.0)
    assert [scale.place(moment) for moment in (-1.0, 0.0, 25.0, 100.0, 101.0)] == [0.0, 0.0, 25.0, 100.0, 100.0]
    assert [scale.shows(moment) for moment in (-1.0, 0.0, 100.0, 101.0)] == [False, True, True, False]


def test_months_and_now_are_marked() -> None:
    """January by its year, quarters before the months between; each has a line below."""
    scale = TimeScale.around(NOW, [])
    assert [f"{month:%Y-%m-%d}" for _, month in scale.months()][:2] == ["2026-01-01", "2026-02-01"]
    text = axis(scale)
    assert ">2026</text>" in text
    assert '<g class="tick minor">' in text
    assert f'<line class="now" x1="{scale.place(NOW):.2f}%"' in text
    assert len(grid(scale)) == len(list(scale.months()))
    assert '<line class="warning" x1="5.00%" x2="5.00%"' in upright("warning", 5.0)
