"""The timeline: every certificate of a farm on one page, with now, the thresholds and what will happen by itself. Pure.

One HTML file without scripts or anything from elsewhere; the same input gives the same bytes. A table below says all of
it in words.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

from adfs_mgmt.farm.model import Farm, Outside
from adfs_mgmt.health.chart import MARKS, Scale, axis, strip
from adfs_mgmt.health.check import DAY, Status
from adfs_mgmt.health.forecast import LATE, Happening
from adfs_mgmt.health.inventory import PROXY_TRUST, Line, certificate_lines, limits
from adfs_mgmt.health.rendering import common_name, day, distance
from adfs_mgmt.health.settings import Thresholds

_WORDS: dict[Status, str] = {"pass": "good", "warn": "warning", "fail": "alarm"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_HOSTS_SHOWN = 4


def timeline(farm: Farm, outside: Outside | None, thresholds: Thresholds, now: float) -> str:
    """The page, as HTML. `now` is Unix seconds."""
    lines = certificate_lines(farm, outside)
    scale = Scale.around(now, [line.certificate.not_after for line in lines])
    title = f"Certificates of {farm.name}"
    body = [_head(farm, outside, lines, thresholds, now), f'<div class="axis">{axis(scale)}</div>'] if lines else []
    body += _groups(scale, lines, thresholds)
    body.append(_table(lines, thresholds, now) if lines else "<p>No certificate of this farm could be read.</p>")
    style = files("adfs_mgmt.health").joinpath("timeline.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#table">To the table with the same data</a>\n<main>\n<h1>{escape(title)}</h1>\n'
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def status_of(line: Line, thresholds: Thresholds, now: float) -> Status:
    """How its end stands against now. Names, keys and bindings are judged elsewhere."""
    left = line.certificate.not_after - now
    if line.role in {"secondary", "next"} or not line.certificate.not_after:
        return "pass" if left > 0 else "warn"
    if left <= 0 or any(event.what is Happening.CRITICAL and event.at <= now for event in line.events):
        return "fail"
    if line.managed:
        return "warn" if any(event.at + LATE < now for event in line.events) or _trust_ends(line, left) else "pass"
    warning, failure = limits(line, thresholds)
    return "fail" if left < failure * DAY else "warn" if left < warning * DAY else "pass"


def _trust_ends(line: Line, left: float) -> bool:
    return line.group == PROXY_TRUST and left < 7 * DAY


def _head(farm: Farm, outside: Outside | None, lines: Sequence[Line], thresholds: Thresholds, now: float) -> str:
    name = farm.properties.federation_name or (outside.federation_name if outside else "")
    statuses = [status_of(line, thresholds, now) for line in lines]
    counts = ", ".join(f"{statuses.count(status)} {word}" for status, word in _WORDS.items() if status in statuses)
    moment = f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y-%m-%d %H:%M} UTC"
    auto = "not known" if farm.error else "on" if farm.properties.auto_rollover else "off"
    return (
        f"<p>{escape(name)}, {moment}: {len(lines)} certificates, {counts}.</p>\n"
        f'<p class="quiet">AutoCertificateRollover is {auto}.{_rule(farm)}</p>\n{_legend()}'
    )


def _rule(farm: Farm) -> str:
    settings = farm.properties
    if farm.error or not settings.auto_rollover:
        return ""
    return (
        f" AD FS makes a successor {settings.generation_threshold_days} days before the end and promotes it"
        f" {settings.promotion_threshold_days} days later."
        f" {settings.critical_threshold_days} days before the end it waits for nobody."
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
        Happening.GENERATION: "AD FS makes a successor",
        Happening.PROMOTION: "AD FS promotes it",
        Happening.CRITICAL: "AD FS waits for nobody",
    }
    entries += [(symbol(f'<g class="event">{MARKS[what]}</g>'), text) for what, text in names.items()]
    return '<ul class="legend">' + "".join(f"<li>{picture}{text}</li>" for picture, text in entries) + "</ul>"


def _groups(scale: Scale, lines: Sequence[Line], thresholds: Thresholds) -> list[str]:
    parts, number = [], 0
    for group, members in groupby(lines, key=lambda line: line.group):
        rows = []
        for line in members:
            number += 1
            rows.append(_row(scale, line, thresholds, number))
        parts.append(f'<section>\n<h2>{escape(group)}</h2>\n<ul class="rows">\n' + "\n".join(rows) + "\n</ul>\n</section>")
    return parts


def _row(scale: Scale, line: Line, thresholds: Thresholds, number: int) -> str:
    now, certificate = scale.now, line.certificate
    status, name = status_of(line, thresholds, now), common_name(certificate)
    role = f' <span class="role">{line.role}</span>' if line.role else ""
    notes = _notes(line, thresholds, now)
    title = f"{line.group}: {name}" + (f" ({line.role})" if line.role else "")
    words = f"From {day(certificate.not_before)} to {day(certificate.not_after)}, {_WORDS[status]}. {'; '.join(notes)}"
    picture = strip(scale, line, status, limits(line, thresholds), number, title, words)
    shown = "".join(f'<span class="note">{escape(note)}</span>' for note in notes)
    below = f'<p class="small">{shown}</p>' if shown else ""
    return (
        f'<li><div class="head"><span class="status {status}">{_WORDS[status]}</span>'
        f' <span class="name">{escape(name)}</span>{role} <span class="end">{_end(line, now)}</span></div>'
        f'{picture}<p class="small">{escape(certificate.thumbprint[:12])} on {escape(_some_hosts(line))}</p>'
        f"{below}</li>"
    )


def _end(line: Line, now: float) -> str:
    end = line.certificate.not_after
    if not end:
        return "end not known"
    return f"{'ends' if end > now else 'ended'} {day(end)}, {distance(end, now)}"


def _notes(line: Line, thresholds: Thresholds, now: float) -> list[str]:
    """What will happen by itself, and when it becomes an alarm."""
    notes = [f"{day(event.at)} ({distance(event.at, now)}): {event.why}" for event in line.events]
    if line.group == PROXY_TRUST:
        return ["the proxy renews it by itself every 8 hours"]
    if line.role in {"next", "secondary"} or not line.certificate.not_after:
        return notes
    for days, word in zip(limits(line, thresholds), ("warning", "alarm"), strict=True):
        if days:
            notes.append(f"{word} from {day(line.certificate.not_after - days * DAY)}")
    return notes


def _some_hosts(line: Line) -> str:
    rest = len(line.hosts) - _HOSTS_SHOWN
    return ", ".join(line.hosts[:_HOSTS_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


_COLUMNS = ("Use", "Certificate", "Role", "From", "To", "State", "What happens when", "Hosts", "Thumbprint")


def _table(lines: Sequence[Line], thresholds: Thresholds, now: float) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
    rows = "\n".join(_table_row(line, thresholds, now) for line in lines)
    return (
        '<h2 id="table">The same as a table</h2>\n'
        '<div class="scroll" role="region" aria-labelledby="caption" tabindex="0"><table>'
        '<caption id="caption">Every certificate, in the order of the pictures above. Days are UTC.</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _table_row(line: Line, thresholds: Thresholds, now: float) -> str:
    certificate, status = line.certificate, status_of(line, thresholds, now)
    cells = [
        ("", common_name(certificate)),
        ("", line.role or "-"),
        ("fixed", day(certificate.not_before)),
        (
            "fixed",
            f"{day(certificate.not_after)}, {distance(certificate.not_after, now)}" if certificate.not_after else "unknown",
        ),
        (f"fixed {status}", _WORDS[status]),
        ("itself", "; ".join(_notes(line, thresholds, now)) or "-"),
        ("hosts", ", ".join(line.hosts)),
        ("mono", certificate.thumbprint),
    ]
    data = "".join(f"<td{_class(kind)}>{escape(text)}</td>" for kind, text in cells)
    return f'<tr><th scope="row">{escape(line.group)}</th>{data}</tr>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
