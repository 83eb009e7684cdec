"""The picture of one certificate, as SVG whose horizontal positions are percentages: it fits every width unscaled. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from adfs_mgmt.health.check import DAY, Status
from adfs_mgmt.health.forecast import Happening
from adfs_mgmt.health.inventory import Line
from adfs_mgmt.health.rendering import day

MARKS = {
    Happening.GENERATION: '<circle r="5"/>',
    Happening.PROMOTION: '<path d="M0 -6 L6 5 L-6 5 Z"/>',
    Happening.CRITICAL: '<path d="M0 -6 L6 0 L0 6 L-6 0 Z"/>',
}
_BACK, _AHEAD_LEAST, _AHEAD_MOST = 60, 120, 430
_MIDDLE, _TOP, _HEIGHT = 16, 7, 18


@dataclass(frozen=True, slots=True)
class Scale:
    """The stretch of time that is shown; Unix seconds."""

    begin: float
    end: float
    now: float

    @classmethod
    def around(cls, now: float, ends: list[float]) -> Scale:
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


def axis(scale: Scale) -> str:
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


def strip(scale: Scale, line: Line, status: Status, limits: tuple[float, float], number: int, title: str, text: str) -> str:
    """One certificate. `limits`: days before its end; `text` says in words what is drawn."""
    parts = [f'<line class="grid" x1="{at:.2f}%" x2="{at:.2f}%" y1="0" y2="100%"/>' for at, _ in scale.months()]
    parts += [*_bar(scale, line, status), *_limits(scale, line, limits), _upright("now", scale.place(scale.now))]
    parts += _events(scale, line)
    return (
        f'<svg class="strip" role="img" aria-labelledby="t{number} d{number}">'
        f'<title id="t{number}">{escape(title)}</title><desc id="d{number}">{escape(text)}</desc>{"".join(parts)}</svg>'
    )


def _bar(scale: Scale, line: Line, status: Status) -> Iterator[str]:
    begin, end = line.certificate.not_before, line.certificate.not_after
    if not end or end < begin:
        return
    left, right = scale.place(begin), scale.place(end)
    waiting = " waiting" if line.role in {"next", "secondary"} else ""
    yield (
        f'<rect class="bar {status}{waiting}" x="{left:.2f}%" y="{_TOP}" width="{max(right - left, 0.4):.2f}%"'
        f' height="{_HEIGHT}" rx="3"/>'
    )


def _limits(scale: Scale, line: Line, limits: tuple[float, float]) -> Iterator[str]:
    for days, kind in zip(limits, ("warning", "failure"), strict=True):
        at = line.certificate.not_after - days * DAY
        if days and line.certificate.not_after and scale.shows(at):
            yield _upright(f"limit {kind}", scale.place(at))


def _upright(kind: str, place: float) -> str:
    """A line from top to bottom, with a halo that sets it off from the bar."""
    where = f'x1="{place:.2f}%" x2="{place:.2f}%" y1="0" y2="100%"'
    return f'<line class="halo" {where}/><line class="{kind}" {where}/>'


def _events(scale: Scale, line: Line) -> Iterator[str]:
    """The later ones first: where they overlap, the next one is on top."""
    for event in sorted(line.events, key=lambda each: -each.at):
        if scale.shows(event.at):
            yield (
                f'<svg x="{scale.place(event.at):.2f}%" y="{_MIDDLE}" overflow="visible"><g class="event">'
                f"<title>{day(event.at)}: {escape(event.why)}</title>{MARKS[event.what]}</g></svg>"
            )
