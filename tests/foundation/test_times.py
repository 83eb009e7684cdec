"""Times."""

from __future__ import annotations

import time

import pytest

from foundation.times import DAY, ElapsedClock, NotATime, minute, moment, second


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


NOW = 1_796_000_400.0
"""2026-11-30 01:00Z."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-11-29 23:00:00Z"),
        ("2 hours ago", "2026-11-29 23:00:00Z"),
        ("90s", "2026-11-30 00:58:30Z"),
        ("15 min", "2026-11-30 00:45:00Z"),
        ("3d", "2026-11-27 01:00:00Z"),
        ("1w", "2026-11-23 01:00:00Z"),
        ("now", "2026-11-30 01:00:00Z"),
        ("today", "2026-11-30 00:00:00Z"),
        ("Yesterday", "2026-11-29 00:00:00Z"),
        ("9:15", "2026-11-30 09:15:00Z"),
        ("2026-11-28", "2026-11-28 00:00:00Z"),
        ("2026-11-28 09:15", "2026-11-28 09:15:00Z"),
        ("2026-11-28T09:15:40", "2026-11-28 09:15:40Z"),
        ("2026-11-28T09:15:40.5Z", "2026-11-28 09:15:40Z"),
        ("2026-11-28 09:15 +0100", "2026-11-28 08:15:00Z"),
        ("2026-11-28T09:15:40+01:00", "2026-11-28 08:15:40Z"),
        (" 2026-11-28  09:15 utc ", "2026-11-28 09:15:00Z"),
    ],
)
def test_times_as_people_write_them(text: str, expected: str) -> None:
    """UTC, as they are shown, unless a zone is named."""
    assert second(moment(text, NOW)) == expected


@pytest.mark.parametrize("text", ["2026-11-28", "yesterday"])
def test_the_end_of_a_day(text: str) -> None:
    """Where somebody wants entries until a day, they want those of that day."""
    assert moment(text, NOW, end=True) - moment(text, NOW) == DAY
    assert moment("2h", NOW, end=True) == moment("2h", NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30.11.2026",
        "11/30/2026",
        "2026-02-30",
        "2026-11-28 25:00",
        "24:01",
        "-5m",
        "2h30",
        "9999999h",
        "\uff12h",
        "tomorrow",
        "2026-W48-1",
        "20261128",
    ],
)
def test_what_is_no_time_is_told_what_would_be(text: str) -> None:
    """Never guessed: 11/12 is another day elsewhere."""
    with pytest.raises(NotATime, match="is not a time: give how long ago") as refused:
        moment(text, NOW)
    assert repr(text) in str(refused.value)
