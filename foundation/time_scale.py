"""A stretch of time as SVG whose horizontal positions are percentages, so that it fits every width unscaled. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from foundation.times import DAY

_BACK, _AHEAD_LEAST, _AHEAD_MOST = 60, 120, 430


@dataclass(frozen=True, slots=True)
class TimeScale:
    """The stretch of time that is shown; Unix seconds."""

    begin: float
    end: float
    now: float

    @classmethod
    def around(cls, now: float, ends: Iterable[float]) -> TimeScale:
        """From two months ago to the last end, within reason."""
        last = max((end for end in ends if end), default=now)
        ahead = min(max((last - now) / DAY + 15, _AHEAD_LEAST), _AHEAD_MOST)
        return cls(now - _BACK * DAY, now + ahead * DAY, now)

    def place(self, moment: float) -> float:
        """Percent from the left, held within the picture."""
        return min(max((moment - self.begin) / (self.end - self.begin) * 100, 0.0), 100.0)

    def shows(self, moment: float) -> bool:
        """Whether it lies within."""
        return self.begin <= moment <= self.end

    def months(self) -> Iterator[tuple[float, dt.datetime]]:
        """The first of each month."""
        first = dt.datetime.fromtimestamp(self.begin, dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while (first := (first + dt.timedelta(days=32)).replace(day=1)).timestamp() < self.end:
            yield self.place(first.timestamp()), first


def axis(scale: TimeScale) -> str:
    """Months, and where now is."""
    parts = [_tick(at, month) for at, month in scale.months() if at < 97]
    now = scale.place(scale.now)
    parts.append(
        f'<text class="nowtext" x="{now:.2f}%" y="12" text-anchor="middle">now</text>'
        f'<line class="now" x1="{now:.2f}%" x2="{now:.2f}%" y1="34" y2="100%"/>'
    )
    return f'<svg class="scale" aria-hidden="true">{"".join(parts)}</svg>'


def _tick(at: float, month: dt.datetime) -> str:
    label = f"{month:%Y}" if month.month == 1 else f"{month:%b}"
    minor = "" if month.month % 3 == 1 else " minor"
    return (
        f'<g class="tick{minor}"><line class="grid" x1="{at:.2f}%" x2="{at:.2f}%" y1="34" y2="100%"/>'
        f'<text x="{at:.2f}%" y="31" text-anchor="middle">{label}</text></g>'
    )


def grid(scale: TimeScale) -> list[str]:
    """A line from top to bottom at the first of each month."""
    return [f'<line class="grid" x1="{at:.2f}%" x2="{at:.2f}%" y1="0" y2="100%"/>' for at, _ in scale.months()]


def upright(kind: str, place: float) -> str:
    """A line of this class from top to bottom, with a halo that sets it off from what is behind it."""
    where = f'x1="{place:.2f}%" x2="{place:.2f}%" y1="0" y2="100%"'
    return f'<line class="halo" {where}/><line class="{kind}" {where}/>'
