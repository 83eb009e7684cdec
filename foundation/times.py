"""Times as people read them, one form for each precision, always UTC; and the time that passes while something is done."""

from __future__ import annotations

import datetime as dt
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
