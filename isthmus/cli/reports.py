"""Lists of findings for people. A finding's status is the word for it in every list, for people and for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from findings import worst
from isthmus.cli.output import wrapped
from isthmus.terminal import visible

if TYPE_CHECKING:
    from findings import Finding, Status

_COLOURS: dict[Status, str] = {"fail": "red", "warn": "yellow", "pass": "green", "unknown": "cyan"}
_JUDGED: tuple[Status, ...] = ("fail", "warn", "pass")
"""What a check comes to; the worst first."""
_PLACES_SHOWN = 4

FailOn = Literal["warning", "failure"]
"""From which status on a check's exit code is 1."""
fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(("warning", "failure")),
    default="failure",
    show_default=True,
    help="Exit with code 1 if a line warns or fails, or only if one fails.",
)


def exit_if(fail_on: FailOn, found: Sequence[Finding]) -> None:
    """End the command with exit code 1 where a finding is as severe as `fail_on` says, or more."""
    if worst(found) in (("warn", "fail") if fail_on == "warning" else ("fail",)):
        raise SystemExit(1)


def show_finding(status: Status, text: str, remedy: str = "", *, lead: str = "  ", width: int = 9) -> None:
    """One finding, and what to do below it. `width`: of its word, with blanks."""
    head = f"{lead}{status.upper():<{width}}"
    indent = " " * len(head)
    click.echo(click.style(head, fg=_COLOURS[status]) + wrapped(head + text, indent).removeprefix(head))
    if remedy:
        click.echo(wrapped(indent + remedy, indent))


def finding_data(finding: Finding) -> dict[str, str]:
    """A finding as `--json` of a check shows it: `name` says where, too."""
    name = f"{finding.where}: {finding.name}" if finding.where else finding.name
    return {"name": name, "status": finding.status, "seen": finding.seen, "remedy": finding.remedy}


def print_finding(finding: Finding) -> None:
    """A finding of a check, with the remedy below it."""
    show_finding(finding.status, f"{finding_data(finding)['name']}: {finding.seen}", finding.remedy, lead="", width=6)


def show_report(subject: str, findings: Sequence[Finding], *, everything: bool) -> None:
    """The worst first, places with the same words together, and how many there are of each; `everything`: passes, too."""
    for status in _JUDGED:
        together: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
        for finding in findings:
            if finding.status == status and (everything or status != "pass"):
                together[finding.name, finding.seen, finding.remedy].append(finding.where)
        for (title, seen, remedy), places in together.items():
            more = f" and {len(places) - _PLACES_SHOWN} more" if len(places) > _PLACES_SHOWN else ""
            text = f"{title}, {', '.join(places[:_PLACES_SHOWN])}{more}: {seen}"
            show_finding(status, text, remedy, lead="", width=6)
    counts = (f"{sum(finding.status == status for finding in findings)} {status}" for status in _JUDGED)
    click.echo(visible(f"{subject}: {', '.join(counts)}"))


def show_comparison(headline: str, findings: Sequence[Finding]) -> None:
    """In the order given."""
    click.secho(visible(headline), bold=True)
    for finding in findings:
        where = f"{finding.where}: " if finding.where else ""
        show_finding(finding.status, f"{where}{finding.seen}", finding.remedy)


def show_checklist(checklist: Sequence[Finding]) -> None:
    """What must hold before something is changed."""
    for line in checklist:
        show_finding(
            line.status, line.seen, line.remedy or ("You have to verify this yourself." if line.status == "unknown" else "")
        )
