"""The timeline: every certificate of a farm on one page, with now, the thresholds and what will happen by itself. Pure.

One HTML file without scripts or anything from elsewhere; the same input gives the same bytes. A table below says all of
it in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

from adfs_mgmt.farm import ExternalView, Farm
from adfs_mgmt.health.chart import MARKS, certificate_chart
from adfs_mgmt.health.forecast import LATE, EventKind
from adfs_mgmt.health.inventory import PROXY_TRUST, CertificateEntry, certificate_inventory, end_limits
from adfs_mgmt.health.rendering import common_name
from adfs_mgmt.health.settings import Thresholds
from findings import Status
from foundation.report_page import REPORT_END, report_start
from foundation.time_scale import TimeScale, axis
from foundation.times import DAY, day, distance, minute

_WORDS: dict[Status, str] = {"pass": "in time", "warn": "warning", "fail": "alarm"}
_HOSTS_SHOWN = 4


def timeline_page(farm: Farm, external: ExternalView | None, thresholds: Thresholds, now: float) -> str:
    """The page, as HTML. `now` is Unix seconds."""
    entries = certificate_inventory(farm, external)
    scale = TimeScale.around(now, [end for entry in entries if (end := entry.certificate.not_after) is not None])
    title = f"Certificates of {farm.name}"
    body = [_head(farm, external, entries, thresholds, now), f'<div class="axis">{axis(scale)}</div>'] if entries else []
    body += _groups(scale, entries, thresholds)
    body.append(_table(entries, thresholds, now) if entries else "<p>No certificate of this farm could be read.</p>")
    style = files("adfs_mgmt.health").joinpath("timeline.css").read_text(encoding="utf-8")
    start = report_start(title, style, skip=("table", "To the table with the same data"))
    return start + "\n".join(body) + REPORT_END


def status_of(entry: CertificateEntry, thresholds: Thresholds, now: float) -> Status:
    """How its end stands against now. Names, keys and bindings have checks of their own."""
    left = entry.certificate.left(now)
    if entry.certificate.not_after is None:
        return "warn"
    if entry.role in {"secondary", "next"}:
        return "pass" if left > 0 else "warn"
    if left <= 0 or any(event.kind is EventKind.CRITICAL and event.at <= now for event in entry.events):
        return "fail"
    if entry.managed:
        return "warn" if any(event.at + LATE < now for event in entry.events) or _trust_ends(entry, left) else "pass"
    warning, failure = end_limits(entry, thresholds)
    return "fail" if left < failure * DAY else "warn" if left < warning * DAY else "pass"


def _trust_ends(entry: CertificateEntry, left: float) -> bool:
    return entry.group == PROXY_TRUST and left < 7 * DAY


def _head(
    farm: Farm, external: ExternalView | None, entries: Sequence[CertificateEntry], thresholds: Thresholds, now: float
) -> str:
    name = farm.properties.federation_name or (external.federation_name if external else "")
    statuses = [status_of(entry, thresholds, now) for entry in entries]
    counts = ", ".join(f"{word}: {statuses.count(status)}" for status, word in _WORDS.items() if status in statuses)
    moment = f"{minute(now).removesuffix('Z')} UTC"
    auto = "not known" if farm.error else "on" if farm.properties.auto_rollover else "off"
    return (
        f"<p>{escape(name)}, {moment}: {len(entries)} certificates. By expiry date alone: {counts}. For other problems,"
        " run <code>isthmus adfs check</code>.</p>\n"
        f'<p class="quiet">AutoCertificateRollover is {auto}.{_rule(farm)}</p>\n{_legend()}'
    )


def _rule(farm: Farm) -> str:
    settings = farm.properties
    if farm.error or not settings.auto_rollover:
        return ""
    return (
        f" AD FS creates a successor {settings.generation_threshold_days} days before a certificate expires and promotes it"
        f" {settings.promotion_threshold_days} days later."
        f" {settings.critical_threshold_days} days before expiry, it promotes the successor immediately."
    )


def _legend() -> str:
    def symbol(inner: str) -> str:
        return f'<svg viewBox="-8 -8 16 16" aria-hidden="true">{inner}</svg>'

    entries = [
        (symbol('<line class="now" x1="0" x2="0" y1="-8" y2="8"/>'), "now"),
        (symbol('<line class="limit warning" x1="0" x2="0" y1="-8" y2="8"/>'), "warning from here"),
        (symbol('<line class="limit" x1="0" x2="0" y1="-8" y2="8"/>'), "alarm from here"),
        (symbol('<rect class="bar pass waiting" x="-8" y="-5" width="16" height="10" rx="2"/>'), "not in use"),
    ]
    names = {
        EventKind.GENERATION: "AD FS creates a successor",
        EventKind.PROMOTION: "AD FS promotes it",
        EventKind.CRITICAL: "AD FS replaces it immediately",
    }
    entries += [(symbol(f'<g class="event">{MARKS[kind]}</g>'), text) for kind, text in names.items()]
    return '<ul class="legend">' + "".join(f"<li>{picture}{text}</li>" for picture, text in entries) + "</ul>"


def _groups(scale: TimeScale, entries: Sequence[CertificateEntry], thresholds: Thresholds) -> list[str]:
    parts, number = [], 0
    for group, members in groupby(entries, key=lambda entry: entry.group):
        rows = []
        for entry in members:
            number += 1
            rows.append(_row(scale, entry, thresholds, number))
        parts.append(f'<section>\n<h2>{escape(group)}</h2>\n<ul class="rows">\n' + "\n".join(rows) + "\n</ul>\n</section>")
    return parts


def _row(scale: TimeScale, entry: CertificateEntry, thresholds: Thresholds, number: int) -> str:
    now, certificate = scale.now, entry.certificate
    status, name = status_of(entry, thresholds, now), common_name(certificate)
    role = f' <span class="role">{entry.role}</span>' if entry.role else ""
    notes = _notes(entry, thresholds, now)
    title = f"{entry.group}: {name}" + (f" ({entry.role})" if entry.role else "")
    words = f"From {day(certificate.not_before)} to {day(certificate.not_after)}, {_WORDS[status]}. {'; '.join(notes)}"
    picture = certificate_chart(
        scale, entry, status, end_limits(entry, thresholds), number=number, title=title, description=words
    )
    shown = "".join(f'<span class="note">{escape(note)}</span>' for note in notes)
    below = f'<p class="small">{shown}</p>' if shown else ""
    return (
        f'<li><div class="head"><span class="status {status}">{_WORDS[status]}</span>'
        f' <span class="name">{escape(name)}</span>{role} <span class="end">{_end(entry, now)}</span></div>'
        f'{picture}<p class="small">{escape(certificate.thumbprint[:12])} on {escape(_some_hosts(entry))}</p>'
        f"{below}</li>"
    )


def _end(entry: CertificateEntry, now: float) -> str:
    end = entry.certificate.not_after
    if end is None:
        return "expiry date unknown"
    return f"{'expires' if end > now else 'expired'} {day(end)}, {distance(end, now)}"


def _notes(entry: CertificateEntry, thresholds: Thresholds, now: float) -> list[str]:
    """What will happen by itself, and when it becomes an alarm."""
    notes = [f"{day(event.at)} ({distance(event.at, now)}): {event.why}" for event in entry.events]
    if entry.group == PROXY_TRUST:
        return ["the proxy renews it automatically every 8 hours"]
    if entry.role in {"next", "secondary"} or entry.certificate.not_after is None:
        return notes
    for days, word in zip(end_limits(entry, thresholds), ("warning", "alarm"), strict=True):
        if days:
            notes.append(f"{word} from {day(entry.certificate.not_after - days * DAY)}")
    return notes


def _some_hosts(entry: CertificateEntry) -> str:
    rest = len(entry.hosts) - _HOSTS_SHOWN
    return ", ".join(entry.hosts[:_HOSTS_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


_COLUMNS = ("Use", "Certificate", "Role", "From", "To", "State", "What happens when", "Hosts", "Thumbprint")


def _table(entries: Sequence[CertificateEntry], thresholds: Thresholds, now: float) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
    rows = "\n".join(_table_row(entry, thresholds, now) for entry in entries)
    return (
        '<h2 id="table">The same data as a table</h2>\n'
        '<div class="scroll" role="region" aria-labelledby="caption" tabindex="0"><table>'
        '<caption id="caption">Every certificate, in the order of the pictures above. Dates are in UTC.</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _table_row(entry: CertificateEntry, thresholds: Thresholds, now: float) -> str:
    certificate, status = entry.certificate, status_of(entry, thresholds, now)
    cells = [
        ("", common_name(certificate)),
        ("", entry.role or "-"),
        ("fixed", day(certificate.not_before)),
        ("fixed", f"{day(end)}, {distance(end, now)}" if (end := certificate.not_after) is not None else "unknown"),
        (f"fixed {status}", _WORDS[status]),
        ("itself", "; ".join(_notes(entry, thresholds, now)) or "-"),
        ("hosts", ", ".join(entry.hosts)),
        ("mono", certificate.thumbprint),
    ]
    data = "".join(f"<td{_class(kind)}>{escape(text)}</td>" for kind, text in cells)
    return f'<tr><th scope="row">{escape(entry.group)}</th>{data}</tr>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
