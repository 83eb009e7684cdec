"""`isthmus relay binding`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from foundation.times import minute
from gateway.relay import RebindingView
from isthmus.cli.admin import reported
from isthmus.cli.output import counted, emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_domains
from isthmus.cli.relay.sessions import show_departures
from isthmus.cli.tables import table, wide_option


@click.group()
def binding() -> None:
    """Show or set the directory that a domain is bound to.

    The first answer about a user of a domain binds the domain to the directory in that answer: for Active Directory the
    domain's objectGUID, for LDAP the naming context. From then on the relay rejects answers that name another directory.
    Change the binding if the domain was created again or has moved, or if the wrong agent answered first.
    """


@binding.command("list")
@relay_config
@wide_option
@json_option
def list_bindings(config: Path, as_json: bool) -> None:
    """List the domains that are bound, with their directories.

    \b
    Example:
      isthmus relay binding list --json | jq -r '.[] | .domain + " " + .directory'
    """
    views = run_async(reported(open_administrator(config).bindings()))
    if as_json:
        emit_json(views)
        return
    rows = [[view.domain, view.directory or "-", minute(view.bound_at), view.bound_by] for view in views]
    empty = "No domain is bound yet: the first sign-in does it."
    table(["domain", "directory", "since", "by"], rows, empty, drop=("since", "by"))


@binding.command("set")
@relay_config
@click.argument("domain")
@click.argument("directory")
@json_option
def set_binding(config: Path, domain: str, directory: str, as_json: bool) -> None:
    """Bind a domain to a directory. If it was bound to another one, the sessions of that directory's users end.

    DIRECTORY is the domain's objectGUID for Active Directory, or the naming context for LDAP. If you set it before the
    first sign-in, no agent can bind the domain to another directory.

    \b
    In PowerShell:
      (Get-ADDomain).ObjectGUID

    \b
    Examples:
      isthmus relay binding set CORP 9f2c1b7e-0d3a-4c58-8e61-2b7d5a90c4f3
      isthmus relay binding set example.org dc=example,dc=org
    """
    if not _names_a_directory(directory):
        wanted = "expected a GUID (9f2c1b7e-…), or a naming context (dc=example,dc=org)"
        raise click.BadParameter(f"{directory!r}: {wanted}", param_hint="DIRECTORY")
    view = run_async(reported(open_administrator(config).bind(domain, directory)))
    if as_json:
        emit_json(view)
    else:
        click.echo(f"{view.domain} is bound to {view.directory}; {_ended(view)}.")
        show_departures(view.departures)


def _names_a_directory(text: str) -> bool:
    """Whether it is a GUID or a DN: a domain that is bound to a slip of the keyboard lets nobody in."""
    return bool(re.fullmatch(r"\s*\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?\s*", text)) or "=" in text


@binding.command("remove")
@relay_config
@click.argument("domain", shell_complete=complete_domains)
@json_option
def remove_binding(config: Path, domain: str, as_json: bool) -> None:
    """Remove a domain's binding: the next answer binds it again. The sessions of the directory's users end.

    If the binding came from an agent that gave a false answer, revoke that agent first: isthmus relay revoke NAME.

    \b
    Example:
      isthmus relay binding remove corp.example.com
    """
    view = run_async(reported(open_administrator(config).unbind(domain)))
    if as_json:
        emit_json(view)
    elif view.before is None:
        click.echo(f"{view.domain} is not bound to a directory. To list the bindings: isthmus relay binding list")
    else:
        click.echo(f"{view.domain} is no longer bound; {_ended(view)}.")
        show_departures(view.departures)
    if view.before is None:
        raise SystemExit(1)


def _ended(view: RebindingView) -> str:
    return f"{counted(view.sessions, 'session')} and {counted(view.grants, 'grant')} of applications ended"
