"""Lists of findings for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from isthmus.cli.output import wrapped

if TYPE_CHECKING:
    from findings import Finding, Status

WEIGHTS: dict[Status, str] = {"fail": "failure", "warn": "warning", "pass": "ok", "unknown": "unknown"}
"""How a finding is weighed in a comparison, for people and for programs."""
_COLOURS: dict[Status, str] = {"fail": "red", "warn": "yellow", "pass": "green", "unknown": "yellow"}
_MARKS: dict[Status, str] = {"pass": "+", "warn": "!", "fail": "!", "unknown": "?"}
_JUDGED: tuple[Status, ...] = ("fail", "warn", "pass")
"""What a check comes to; the worst first."""
_PLACES_SHOWN = 4


def show_report(subject: str, findings: Sequence[Finding], *, everything: bool) -> None:
    """The worst first, places with the same words together, and how many there are of each; `everything`: passes, too."""
    for status in _JUDGED:
        together: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
        for finding in findings:
            if finding.status == status and (everything or status != "pass"):
                together[finding.name, finding.seen, finding.remedy].append(finding.where)
        for (title, seen, remedy), places in together.items():
            more = f" and {len(places) - _PLACES_SHOWN} more" if len(places) > _PLACES_SHOWN else ""
            head = wrapped(f"{status.upper()}  {title}, {', '.join(places[:_PLACES_SHOWN])}{more}: {seen}", "      ")
            click.echo(click.style(status.upper(), fg=_COLOURS[status]) + head.removeprefix(status.upper()))
            if remedy:
                click.echo(wrapped(f"      {remedy}", "      "))
    counts = (f"{sum(finding.status == status for finding in findings)} {status}" for status in _JUDGED)
    click.echo(f"{subject}: {', '.join(counts)}")


def show_comparison(headline: str, findings: Sequence[Finding]) -> None:
    """One line for each, with what to do under it."""
    click.secho(headline, bold=True)
    for finding in findings:
        where = f"{finding.where}: " if finding.where else ""
        click.secho(f"{WEIGHTS[finding.status]:<8}", fg=_COLOURS[finding.status], nl=False)
        click.echo(f"{where}{finding.seen}")
        if finding.remedy:
            click.echo(f"{'':8}{finding.remedy}")


def show_checklist(checklist: Sequence[Finding]) -> None:
    """One line for each, marked by whether it holds."""
    for line in checklist:
        click.secho(f"  {_MARKS[line.status]} ", fg=_COLOURS[line.status], nl=False)
        click.echo(line.seen + (f": {line.remedy}" if line.remedy else ""))
    if any(line.status == "unknown" for line in checklist):
        click.echo("  (? only you can know)")
