"""`isthmus relay token`, `agents` and `revoke`."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.times import minute
from isthmus.cli.admin import reported
from isthmus.cli.output import counted, emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_agents
from isthmus.cli.tables import table, wide_option
from isthmus.terminal import visible


@click.command()
@relay_config
@click.option("--name", required=True, help="Name of the agent; use a different one for each machine.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help="UPN suffix or NetBIOS name that the agent may answer for; can be repeated. `*`: names of domains that no agent "
    "has claimed, and names without a domain.",
)
@click.option("--any-domain", is_flag=True, help="Instead: let the agent answer for every domain that it claims.")
@json_option
def token(config: Path, name: str, domains: tuple[str, ...], any_domain: bool, as_json: bool) -> None:
    """Print a single-use enrolment token for an agent.

    Give every domain of the agent's directories: their `name`, `upn_suffixes` and `netbios_name`, the same for each agent
    of a directory. The relay accepts the agent's answers only for users of these domains.

    \b
    Examples:
      isthmus relay token --name dc1-agent --domain corp.example.com --domain CORP
      isthmus relay token --name dc1-agent --domain corp.example.com --domain '*'
      isthmus relay token --name dc1-agent --domain CORP 2>/dev/null > token
    """
    if bool(domains) == any_domain:
        once_each = "Give --domain, once for each domain of the agent's directories"
        wanted = "Give --domain or --any-domain, not both" if domains else once_each
        raise click.UsageError(f"{wanted}; --any-domain trusts the agent with the sign-ins of all users.")
    view = run_async(reported(open_administrator(config).create_token(name, domains, any_domain=any_domain)))
    if as_json:
        emit_json(view)
        return
    click.echo(f"On {visible(name)}, run `isthmus agent enrol --token-file -` and paste this token there.", err=True)
    click.echo(f"It can be used once, before {minute(view.expires_at)}:\n", err=True)
    click.echo(view.text)


@click.command()
@relay_config
@wide_option
@json_option
def agents(config: Path, as_json: bool) -> None:
    """List the agents: connections, state of their domain controllers, certificates.

    \b
    Examples:
      isthmus relay agents
      isthmus relay agents --json | jq '.[] | select(.connections == 0) | .name'
    """
    views = run_async(reported(open_administrator(config).agents()))
    if as_json:
        emit_json(views)
        return
    rows = []
    for view in views:
        away = "elsewhere" if view.nodes else "away"
        state = "revoked" if view.revoked_at else f"{view.connections} connected" if view.connections else away
        directories = ", ".join(f"{name} {state}" for name, state in view.directories.items())
        rows.append(
            [
                view.name,
                state,
                ", ".join(view.nodes) or "-",
                ", ".join(view.domains) or "-",
                directories or "-",
                minute(view.seen_at),
                minute(view.not_after),
                view.software or "-",
                view.revoked_why or ("any domain" if view.any_domain else ""),
            ]
        )
    headers = ["agent", "state", "nodes", "domains", "directories", "seen", "certificate ends", "version", "note"]
    table(
        headers,
        rows,
        "No agents yet: isthmus relay token --name NAME --domain DOMAIN",
        drop=("version", "nodes", "certificate ends", "note", "domains", "seen"),
        prose=("nodes", "domains", "directories", "note"),
    )


@click.command()
@relay_config
@click.argument("name", shell_complete=complete_agents)
@click.option("--why", default="revoked by an administrator", show_default=True, help="Reason, for the audit trail.")
@json_option
def revoke(config: Path, name: str, why: str, as_json: bool) -> None:
    """Revoke an agent: its connections end immediately, its certificates are refused.

    \b
    Example:
      isthmus relay revoke dc1-agent --why "machine was stolen"
    """
    ended = run_async(reported(open_administrator(config).revoke(name, why)))
    if as_json:
        emit_json({"name": name, "connections_ended": ended})
    else:
        click.echo(f"{name} is revoked; {counted(ended, 'live connection')} ended.")
