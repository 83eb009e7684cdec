"""Times as people read them, one form for each precision, always UTC; and the time that passes while something is done."""

from __future__ import annotations

import datetime as dt
import re
import time
from dataclasses import dataclass, field

DAY = 86400.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class ElapsedClock:
    """Continues from `start` (Unix seconds) by the monotonic clock, which nobody sets: `now` is a parameter of what takes
    long, what passes since is measured."""

    start: float
    _since: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        """Unix seconds."""
        return self.start + time.monotonic() - self._since


def minute(seconds: float | None) -> str:
    """A moment in Unix seconds, such as `2026-01-31 09:05Z`; `-` for none (None or 0)."""
    return _formatted(seconds, "%Y-%m-%d %H:%MZ") if seconds else "-"


def second(seconds: float | None) -> str:
    """A moment in Unix seconds, such as `2026-01-31 09:05:40Z`; `-` for none (None or 0)."""
    return _formatted(seconds, "%Y-%m-%d %H:%M:%SZ") if seconds else "-"


def day(seconds: float | None) -> str:
    """The day of a moment in Unix seconds, such as `2026-01-31`; `unknown` for none."""
    return "unknown" if seconds is None else _formatted(seconds, "%Y-%m-%d")


def distance(seconds: float, now: float) -> str:
    """`in 12 days`, `3 days ago`, `today`."""
    days = round((seconds - now) / DAY)
    if abs(seconds - now) < DAY / 2:
        return "today"
    counted = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
    return f"in {counted}" if seconds > now else f"{counted} ago"


def _formatted(seconds: float, form: str) -> str:
    """Years that no calendar of ours has (a certificate may end in the year 9999 and later) are said to be far."""
    try:
        return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):{form}}"
    except (ValueError, OverflowError, OSError):
        return "far future" if seconds > 0 else "far past"


class NotATime(ValueError):
    """What somebody gave for a moment; the text says what would be one."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return (
            f"{self.text!r} is not a time: give how long ago (90s, 15m, 2h, 3d, 1w), today, yesterday, a time today "
            "(09:15), a day (2026-11-30), or both (2026-11-30 09:15, 2026-11-30T09:15:40+01:00); UTC unless it names a zone"
        )


_AGO = re.compile(r"(\d{1,6}) ?(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)(?: ago)?", re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY, "w": 7 * DAY}
_CLOCK = re.compile(r"\d{1,2}:\d{2}", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[t ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)? ?(z|utc|[+-]\d{2}:?\d{2})?", re.ASCII)


def moment(text: str, now: float, *, end: bool = False) -> float:
    """A moment as people write it, in Unix seconds. end: of a day its end is meant, not its beginning.

    Raises NotATime.
    """
    plain = " ".join(text.casefold().split())
    if found := _AGO.fullmatch(plain):
        return now - int(found[1]) * _UNITS[found[2][0]]
    today = now - now % DAY
    days = {"today": today, "yesterday": today - DAY}
    try:
        if plain in days or _DAY.fullmatch(plain):
            start = days[plain] if plain in days else _unix(plain)
            return start + DAY if end else start
        if _CLOCK.fullmatch(plain):
            return _unix(f"{day(now)}t{plain:0>5}")
        if _TIME.fullmatch(plain):
            return _unix(plain.replace(" utc", "z").replace("utc", "z").replace(" ", "t", 1).replace(" ", ""))
    except (ValueError, OverflowError) as error:  # no such day, or hour
        raise NotATime(text) from error
    if plain == "now":
        return now
    raise NotATime(text)


def _unix(text: str) -> float:
    parsed = dt.datetime.fromisoformat(text.upper())
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)).timestamp()
