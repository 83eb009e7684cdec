"""The picture of one certificate on a time scale, as SVG. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from adfs_mgmt.health.forecast import EventKind
from adfs_mgmt.health.inventory import CertificateEntry
from findings import Status
from foundation.time_scale import TimeScale, grid, upright
from foundation.times import DAY, day

MARKS = {
    EventKind.GENERATION: '<circle r="5"/>',
    EventKind.PROMOTION: '<path d="M0 -6 L6 5 L-6 5 Z"/>',
    EventKind.CRITICAL: '<path d="M0 -6 L6 0 L0 6 L-6 0 Z"/>',
}
_MIDDLE, _TOP, _HEIGHT = 16, 7, 18


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
    bar, lines = _bar(scale, entry, status), _limits(scale, entry, limits)
    parts = [*grid(scale), *bar, *lines, upright("now", scale.place(scale.now)), *_events(scale, entry)]
    return (
        f'<svg class="strip" role="img" aria-labelledby="t{number} d{number}">'
        f'<title id="t{number}">{escape(title)}</title><desc id="d{number}">{escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _bar(scale: TimeScale, entry: CertificateEntry, status: Status) -> Iterator[str]:
    begin, end = entry.certificate.not_before, entry.certificate.not_after
    if begin is None or end is None or end < begin:
        return
    left, right = scale.place(begin), scale.place(end)
    waiting = " waiting" if entry.role in {"next", "secondary"} else ""
    yield (
        f'<rect class="bar {status}{waiting}" x="{left:.2f}%" y="{_TOP}" width="{max(right - left, 0.4):.2f}%"'
        f' height="{_HEIGHT}" rx="3"/>'
    )


def _limits(scale: TimeScale, entry: CertificateEntry, limits: tuple[float, float]) -> Iterator[str]:
    for days, kind in zip(limits, ("warning", "failure"), strict=True):
        at = entry.certificate.left(days * DAY)
        if days and entry.certificate.not_after is not None and scale.shows(at):
            yield upright(f"limit {kind}", scale.place(at))


def _events(scale: TimeScale, entry: CertificateEntry) -> Iterator[str]:
    """The later ones first: where they overlap, the next one is on top."""
    for event in sorted(entry.events, key=lambda event: -event.at):
        if scale.shows(event.at):
            yield (
                f'<svg x="{scale.place(event.at):.2f}%" y="{_MIDDLE}" overflow="visible"><g class="event">'
                f"<title>{day(event.at)}: {escape(event.why)}</title>{MARKS[event.kind]}</g></svg>"
            )
