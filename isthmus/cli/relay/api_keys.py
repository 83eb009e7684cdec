"""`isthmus relay api-key`."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.times import minute
from gateway.relay import API_KEY_RATE, API_KEY_RATE_MOST, API_KEY_SCOPES
from isthmus.cli.admin import reported
from isthmus.cli.output import FiniteRange, emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_api_keys
from isthmus.cli.tables import table, wide_option
from isthmus.terminal import visible


@click.group("api-key")
def api_key() -> None:
    """API keys for trusted back ends (POST /api/v1/authenticate)."""


@api_key.command("create")
@relay_config
@click.option("--name", required=True, help="What the key is for.")
@click.option("--days", type=FiniteRange(min=0.01), help="Days until the key expires. [default: never]")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(API_KEY_SCOPES),
    default=("check",),
    show_default="check",
    help="`check` passwords, `change` them (proving the old one); again for both.",
)
@click.option(
    "--from",
    "networks",
    metavar="NETWORK",
    multiple=True,
    help="Address or network that may use the key, such as 192.0.2.7 or 2001:db8::/32; can be repeated. [default: any]",
)
@click.option(
    "--rate",
    type=click.IntRange(1, API_KEY_RATE_MOST),
    default=int(API_KEY_RATE),
    show_default=True,
    help="Maximum checks and changes per minute, at each relay node; a burst may use a whole minute's rate.",
)
@json_option
def create_api_key(
    config: Path,
    name: str,
    days: float | None,
    scopes: tuple[str, ...],
    networks: tuple[str, ...],
    rate: int,
    as_json: bool,
) -> None:
    """Create an API key and print it; it is not shown again.

    A stolen key can be used for everything that you allow. Give the back end's addresses, its peak load as the rate, and
    the scope `change` only if it has a form for changing passwords.

    \b
    Examples:
      isthmus relay api-key create --name crm --from 192.0.2.7 --days 365
      isthmus relay api-key create --name portal --scope check --scope change
    """
    lifetime = days * 86400 if days is not None else None
    made = open_administrator(config).create_api_key(name, lifetime, scopes=scopes, networks=networks, rate=float(rate))
    view = run_async(reported(made))
    if as_json:
        emit_json(view)
        return
    click.echo("Store this key safely; it is not shown again:", err=True)
    click.echo(view.secret)


@api_key.command("list")
@relay_config
@wide_option
@json_option
def list_api_keys(config: Path, as_json: bool) -> None:
    """List the API keys, without their secrets.

    \b
    Example:
      isthmus relay api-key list --json | jq -r '.[] | [.id, .name] | @tsv'
    """
    views = run_async(reported(open_administrator(config).api_keys()))
    if as_json:
        emit_json(views)
        return
    rows = [
        [
            view.id,
            view.name,
            ", ".join(view.scopes),
            ", ".join(view.networks) or "anywhere",
            f"{view.rate:g}",
            minute(view.created_at),
            minute(view.expires_at),
            minute(view.revoked_at),
        ]
        for view in views
    ]
    headers = ["id", "name", "for", "from", "a minute", "made", "expires", "revoked"]
    table(
        headers,
        rows,
        "No API keys: isthmus relay api-key create --name NAME",
        drop=("made", "a minute", "from", "for", "revoked"),
        prose=("for", "from"),
    )


@api_key.command("revoke")
@relay_config
@click.argument("key_id", shell_complete=complete_api_keys)
@json_option
def revoke_api_key(config: Path, key_id: str, as_json: bool) -> None:
    """Revoke an API key; this takes effect immediately. `isthmus relay api-key list` shows the ids.

    \b
    Example:
      isthmus relay api-key revoke 3f6c0d9be1a24c55
    """
    revoked = run_async(reported(open_administrator(config).revoke_api_key(key_id)))
    if as_json:
        emit_json({"id": key_id, "revoked": revoked})
    else:
        nothing = f"There is no valid key with the id {visible(key_id)}; `isthmus relay api-key list` shows the ids."
        click.echo(f"{key_id} is revoked." if revoked else nothing)
    if not revoked:
        raise SystemExit(1)
