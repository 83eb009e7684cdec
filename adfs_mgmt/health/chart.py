"""The picture of one certificate, as SVG whose horizontal positions are percentages: it fits every width unscaled. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from adfs_mgmt.health.forecast import EventKind
from adfs_mgmt.health.inventory import CertificateEntry
from findings import Status
from foundation.times import DAY, day

MARKS = {
    EventKind.GENERATION: '<circle r="5"/>',
    EventKind.PROMOTION: '<path d="M0 -6 L6 5 L-6 5 Z"/>',
    EventKind.CRITICAL: '<path d="M0 -6 L6 0 L0 6 L-6 0 Z"/>',
}
_BACK, _AHEAD_LEAST, _AHEAD_MOST = 60, 120, 430
_MIDDLE, _TOP, _HEIGHT = 16, 7, 18


@dataclass(frozen=True, slots=True)
class TimeScale:
    """The stretch of time that is shown; Unix seconds."""

    begin: float
    end: float
    now: float

    @classmethod
    def around(cls, now: float, ends: list[float]) -> TimeScale:
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


def certificate_chart(
    scale: TimeScale,
    entry: CertificateEntry,
    status: Status,
    limits: tuple[float, float],
    *,
    number: int,
    title: str,
    description: str,
) -> str:
    """One certificate. `limits`: days before its end; `number` makes the ids unique on the page;
    `description` says in words what is drawn, for those who cannot see it."""
    parts = [f'<line class="grid" x1="{at:.2f}%" x2="{at:.2f}%" y1="0" y2="100%"/>' for at, _ in scale.months()]
    parts += [*_bar(scale, entry, status), *_limits(scale, entry, limits), _upright("now", scale.place(scale.now))]
    parts += _events(scale, entry)
    return (
        f'<svg class="strip" role="img" aria-labelledby="t{number} d{number}">'
        f'<title id="t{number}">{escape(title)}</title><desc id="d{number}">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _bar(scale: TimeScale, entry: CertificateEntry, status: Status) -> Iterator[str]:
    begin, end = entry.certificate.not_before, entry.certificate.not_after
    if not end or end < begin:
        return
    left, right = scale.place(begin), scale.place(end)
    waiting = " waiting" if entry.role in {"next", "secondary"} else ""
    yield (
        f'<rect class="bar {status}{waiting}" x="{left:.2f}%" y="{_TOP}" width="{max(right - left, 0.4):.2f}%"'
        f' height="{_HEIGHT}" rx="3"/>'
    )


def _limits(scale: TimeScale, entry: CertificateEntry, limits: tuple[float, float]) -> Iterator[str]:
    for days, kind in zip(limits, ("warning", "failure"), strict=True):
        at = entry.certificate.not_after - days * DAY
        if days and entry.certificate.not_after and scale.shows(at):
            yield _upright(f"limit {kind}", scale.place(at))


def _upright(kind: str, place: float) -> str:
    """A line from top to bottom, with a halo that sets it off from the bar."""
    where = f'x1="{place:.2f}%" x2="{place:.2f}%" y1="0" y2="100%"'
    return f'<line class="halo" {where}/><line class="{kind}" {where}/>'


def _events(scale: TimeScale, entry: CertificateEntry) -> Iterator[str]:
    """The later ones first: where they overlap, the next one is on top."""
    for event in sorted(entry.events, key=lambda event: -event.at):
        if scale.shows(event.at):
            yield (
                f'<svg x="{scale.place(event.at):.2f}%" y="{_MIDDLE}" overflow="visible"><g class="event">'
                f"<title>{day(event.at)}: {escape(event.why)}</title>{MARKS[event.kind]}</g></svg>"
            )
