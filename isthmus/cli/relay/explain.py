"""`isthmus relay explain`."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.times import second
from gateway.relay import AuditView
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, emit_json, json_option, run_async, wrapped
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.explanation import ADMITTED, CHECKS, Explanation, explain, reference_of
from isthmus.terminal import visible

_MOST = 20
"""Entries of one request that are shown: there are one or two."""
_LABEL = 12
_UNKNOWN = (
    "no entry of the audit trail has the reference {reference}. It may be another relay's, or older than the trail. Of "
    "many refusals in one minute only the first has an entry (isthmus relay audit list --outcome refused_by_admission), and "
    "a page on which no password was checked has none. The relay's log may know more: journalctl -u isthmus-relay | "
    "grep {reference}"
)


@click.command("explain")
@relay_config
@click.argument("reference")
@json_option
def command(config: Path, reference: str, as_json: bool) -> None:
    """Explain one sign-in: what the user saw, the cause, and what to do next.

    REFERENCE is what the user quotes from the page; also the X-Correlation-Id of any answer, and `correlation_id` in the
    API and the logs.

    \b
    Examples:
      isthmus relay explain 0a202933cc1a983d
      isthmus relay explain 0a202933cc1a983d --json | jq -r '.[].meaning'
    """
    try:
        known = reference_of(reference)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="REFERENCE") from error
    found = run_async(reported(open_administrator(config).audit(limit=_MOST, correlation_id=known)))
    checks = [explain(entry) for entry in reversed(found) if entry.kind in CHECKS]
    others = [entry for entry in reversed(found) if entry.kind not in CHECKS]
    if not found:
        raise Failure(_UNKNOWN.format(reference=known))
    if as_json:
        emit_json([*checks, *others])
        return
    for number, check in enumerate(checks):
        if number:
            click.echo()
        _show(check)
    for entry in others:
        _show_other(entry)


def _show(check: Explanation) -> None:
    where = "on the page" if check.via == "page" else f"by {_caller(check.via)}"
    asked = f"{check.agent}, in {check.milliseconds:.0f} ms" if check.agent else _no_agent(check)
    said = check.outcome + (f": {check.detail}" if check.detail else "")
    page = f'"{check.shown}"' if check.via == "page" else check.shown
    for label, text in (
        ("Reference", check.reference),
        ("Time", second(check.time)),
        ("Request", f"{check.kind} {where}"),
        ("User", f"{check.user or '(removed from the trail)'}, from {check.address or 'an unknown address'}"),
        ("Account", f"{check.account} in {check.directory}" if check.account else "not known"),
        ("User saw", page),
        ("Admission", check.admission),
        ("Agent", asked),
        ("Controller", check.controller or "none answered"),
        ("Outcome", said),
        ("Meaning", check.meaning),
        ("Next", check.next),
    ):
        if text:
            _line(label, text)


def _no_agent(check: Explanation) -> str:
    """An agent that could not check the password, so that another one was asked, is not in the trail."""
    return "none answered" if check.admission == ADMITTED else "nobody was asked"


def _show_other(entry: AuditView) -> None:
    _line("Also", f"{second(entry.time)} {entry.kind} {entry.subject} {' '.join(entry.detail.values())}".rstrip())


def _line(label: str, text: str) -> None:
    head = f"{label:<{_LABEL}}"
    click.echo(click.style(head, bold=True) + wrapped(head + visible(text), " " * _LABEL).removeprefix(head))


def _caller(via: str) -> str:
    """Who asked, where it was not the page."""
    return via.replace("api:", "API key ", 1).replace("admin:", "the administrator ", 1)
