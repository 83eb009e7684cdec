"""`isthmus relay explain`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from foundation.times import second
from gateway.relay import AuditView, AuditWanted
from isthmus.application_explanation import (
    ANSWER_TIME,
    AT_APPLICATIONS,
    ApplicationExplanation,
    explain_application,
    logout_outcome,
)
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, emit_json, json_option, run_async, wrapped
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.explanation import ADMITTED, CHECKS, Explanation, explain, reference_of
from isthmus.terminal import visible

_MOST = 20
"""Entries of one request that are shown: there are one or two."""
_MOST_LOGOUTS = 200
"""Entries about logout of one person in a few minutes."""
_LABEL = 12
_AFTER = 600.0
"""Seconds after a sign-in in which what happens at applications is taken for its sequel."""
_UNKNOWN = (
    "no entry of the audit trail has the reference {reference}. It may be another relay's, or older than the trail. Of many "
    "refusals for one cause in one minute only the first and the last have an entry (isthmus relay audit list --outcome "
    "refused_by_admission; --kind federation.refused), and a page on which nothing was checked has none. The relay's log "
    "may know more: journalctl -u isthmus-relay | grep {reference}"
)


@click.command("explain")
@relay_config
@click.argument("reference")
@json_option
def command(config: Path, reference: str, as_json: bool) -> None:
    """Explain one sign-in: what the user saw, the cause, and what to do next.

    REFERENCE is what the user quotes from the page; also the X-Correlation-Id of any answer, and `correlation_id` in the
    API and the logs. What follows at applications is explained likewise: request, checks, claims and answer.

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
    if not found:
        raise Failure(_UNKNOWN.format(reference=known))
    checks = [explain(entry) for entry in reversed(found) if entry.kind in CHECKS]
    applications = [_explained(config, entry) for entry in reversed(found) if entry.kind in AT_APPLICATIONS]
    others = [entry for entry in reversed(found) if entry.kind not in CHECKS and entry.kind not in AT_APPLICATIONS]
    following = _following(config, found)
    if as_json:
        emit_json([*checks, *applications, *following, *others])
        return
    for number, check in enumerate(checks):
        if number:
            click.echo()
        _show(check)
    for number, application in enumerate(applications):
        if checks or number:
            click.echo()
        _show_application(application)
    for application in following:
        said = " ".join(filter(None, (application.answer, application.reason)))
        text = f"{second(application.time)} {said}, application {application.trust}: explain {application.reference}"
        _line("Then", text)
    for entry in others:
        _show_other(entry)


def _following(config: Path, found: list[AuditView]) -> list[ApplicationExplanation]:
    """What the user did at applications in the minutes after a sign-in: each has a reference of its own."""
    sign_in = next((entry for entry in found if entry.kind == "signin" and entry.object_guid), None)
    if sign_in is None:
        return []
    wanted = AuditWanted(
        kind="federation", person=sign_in.object_guid, since=sign_in.time, until=sign_in.time + _AFTER, limit=_MOST
    )
    entries = run_async(reported(open_administrator(config).audit(**wanted)))
    known = {entry.id for entry in found}
    return [
        _explained(config, entry)
        for entry in reversed(entries)
        if entry.kind in AT_APPLICATIONS and entry.id not in known and entry.address == sign_in.address
    ]


def _explained(config: Path, entry: AuditView) -> ApplicationExplanation:
    """Of a browser that was sent away for logout, what came of it has an entry, and a reference, of its own."""
    if entry.kind != "federation.logout_told" or entry.detail.get("outcome") != "asked":
        return explain_application(entry)
    wanted = AuditWanted(kind=entry.kind, since=entry.time, until=entry.time + ANSWER_TIME, limit=_MOST_LOGOUTS)
    if entry.object_guid:
        wanted["person"] = entry.object_guid
    later = run_async(reported(open_administrator(config).audit(**wanted)))
    return explain_application(entry, logout=logout_outcome(entry, later, time.time()))


def _show_application(told: ApplicationExplanation) -> None:
    for label, text in (
        ("Reference", told.reference),
        ("Time", second(told.time)),
        ("Application", told.trust or (f"not proven; the request names {told.client}" if told.client else "not proven")),
        ("Request", told.request),
        ("User", f"{told.user or 'not known yet, or removed from the trail'}, from {told.address or 'an unknown address'}"),
        ("Checks", told.checks),
        ("Claims", told.claims),
        ("Answer", " ".join(filter(None, (told.answer, told.reason)))),
        ("Signing key", told.key),
        ("Meaning", told.meaning),
        ("Next", told.next),
    ):
        if text:
            _line(label, text)


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
