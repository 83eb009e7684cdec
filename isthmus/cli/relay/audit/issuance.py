"""`isthmus relay audit issued`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from foundation.times import second
from gateway.federation import EvidenceView, IssueView
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, emit_json, json_option, run_async
from isthmus.cli.relay.audit.entries import MomentType
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.terminal import visible

_LARGEST = 512 * 1024


@click.command("issued")
@relay_config
@click.argument("file", metavar="FILE")
@click.option("--since", type=MomentType(), help="Only look at entries since then.")
@click.option("--until", type=MomentType(end=True), help="Only look at entries until then.")
@json_option
def issued(config: Path, file: str, since: float | None, until: float | None, as_json: bool) -> None:
    """Find out whether a token, assertion or SAML response that turned up was issued here, to whom, and when.

    FILE (- for standard input) has an access, ID or refresh token, the answer of a token endpoint, a SAML response or
    assertion, or the form field SAMLResponse. It is compared with the hashes in the audit trail; the trail has no tokens.

    \b
    Exit codes: 0 everything in the file was issued here, 1 something was not,
                or could not be read, 2 wrong usage.

    \b
    Examples:
      isthmus relay audit issued token.txt
      pbpaste | isthmus relay audit issued - --since 2d --json
    """
    data = _content(file)
    views = run_async(reported(open_administrator(config).find_issued(data, since=since, until=until)))
    if as_json:
        emit_json(views)
    else:
        click.echo("\n\n".join("\n".join(map(visible, issued_lines(view))) for view in views))
    if not all(_is_certain(view) for view in views):
        raise SystemExit(1)


def _content(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read(_LARGEST + 1)
        with Path(file).open("rb") as stream:
            return stream.read(_LARGEST + 1)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}") from error


def _is_certain(view: EvidenceView) -> bool:
    return any(issue.matched == "hash" for issue in view.issued)


def issued_lines(view: EvidenceView) -> list[str]:
    """What is known of one token."""
    evidence = view.evidence
    named = f", ID {evidence.id}" if evidence.id else ""
    said = f"{evidence.form}{named}, SHA-256 {evidence.sha256}"
    if not view.issued:
        return [f"Not issued here, as far as the audit trail goes: {said}", *_claims(view)]
    return [f"{_verdict(view)}: {said}", *(line for issue in view.issued for line in _issue(issue))]


def _verdict(view: EvidenceView) -> str:
    if _is_certain(view):
        return "Issued here"
    return "Not as it was issued here (something with this ID was, but not these bytes; it may have been changed)"


def _claims(view: EvidenceView) -> list[str]:
    """What it says of itself, where that is ours."""
    if view.own_issuer and view.own_key:
        return [
            "It names this relay and one of its signing keys. Anybody can write that; but if its signature is good, the key"
            " is in other hands, or the entry was pruned or its user removed from the trail: isthmus certs emergency"
        ]
    if view.own_issuer:
        return ["It names this relay as its issuer, but no signing key that the relay has now."]
    return [f"It names another issuer: {view.evidence.issuer}"] if view.evidence.issuer else []


def _issue(issue: IssueView) -> list[str]:
    whom = issue.user or "(removed from the trail)"
    lines = [f"  {issue.what}, by {issue.protocol}, {second(issue.time)}"]
    lines.append(f"  for {whom}, to the application {issue.trust}, from {issue.address or 'an unknown address'}")
    lines.append(f"  entry {issue.entry}; more: isthmus relay explain {issue.reference}")
    return lines
