"""`isthmus relay claims`."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.times import minute
from gateway.federation import ClaimsPreviewView
from isthmus.cli.admin import reported
from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from isthmus.terminal import visible

_ACCESS = {
    "test users": "the application is limited to test users, and this is none of them",
    "network": "the application may not be used from this address",
    "group": "the user is in none of the groups that may use the application",
}

_ACCOUNT = {
    "live": "enabled",
    "must_change": "must change the password",
    "gone": "deleted",
    "unchecked": "not known now",
}


@click.command("claims")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@click.argument("user")
@click.option("--scope", "scopes", multiple=True, help="OpenID Connect: only these scopes. [default: all of the trust]")
@click.option("--address", default="", help="Client's IP address, for conditions on networks. [default: the last sign-in's]")
@json_option
def claims(config: Path, trust: str, user: str, scopes: tuple[str, ...], address: str, as_json: bool) -> None:
    """Show what an application would be told of a user, line by line, and why.

    The running relay asks the agents who the user is now; nobody signs in. USER is a user name or an objectGUID. Where a
    sign-in of the user still lasts, what has changed since then is shown as well. The audit trail records who looked.

    \b
    Examples:
      isthmus relay claims grafana anna@corp.example.com
      isthmus relay claims wiki anna@corp.example.com --scope groups
      isthmus relay claims grafana anna@corp.example.com --json | jq .values
    """
    admin = open_administrator(config)
    view = run_async(reported(admin.show_claims(trust, user, scopes=scopes or None, address=address)))
    if as_json:
        emit_json(view)
        return
    for line in claim_lines(view):
        click.echo(visible(line))


def claim_lines(view: ClaimsPreviewView) -> list[str]:
    """The preview as text, line by line."""
    lines = [f"{view.user} at {view.name} ({view.trust}, {view.protocol})", _source(view)]
    if view.access:
        lines.append(f"No access: {_ACCESS.get(view.access, view.access)} (see isthmus relay trust show {view.trust}).")
    else:
        lines.append("The user may use the application.")
    lines += ["", *view.lines]
    if view.name_id:
        lines.append(f"NameID = {view.name_id} (format {view.name_id_format.rpartition(':')[2]})")
    if view.name_id_problem:
        lines.append(f"NameID: no sign-in to this application: {view.name_id_problem}")
    if view.withheld:
        lines += ["", f"Not sent by the agent: {', '.join(view.withheld)} (add them to `attributes` in its settings)"]
    if view.absent:
        lines += ["", f"Not set for this user: {', '.join(view.absent)}"]
    return [*lines, "", *_changes(view)]


def _source(view: ClaimsPreviewView) -> str:
    account = _ACCOUNT.get(view.state, view.state)
    if view.source == "directory":
        return f"As the directory says now (agent {view.agent}); account: {account}"
    return f"As of the last sign-in, {minute(view.last_sign_in)}; account: {account} ({view.why})"


def _changes(view: ClaimsPreviewView) -> list[str]:
    if not view.last_sign_in:
        return ["No sign-in of this user lasts that could be compared with."]
    if view.source != "directory":
        return []
    since = f"the last sign-in, {minute(view.last_sign_in)}"
    lines = [f"Changed since {since}:", *view.changes] if view.changes else [f"Nothing changed since {since}."]
    if view.trust_changed_at:
        lines.append(
            f"The trust was changed after it, {minute(view.trust_changed_at)}: `isthmus relay audit list --kind trust`"
        )
    return lines
