"""`isthmus relay trust logo`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from gateway.federation import LARGEST_LOGO
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, emit_said, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from isthmus.cli.relay.sources import read_source


@click.command("logo")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@click.argument("source", metavar="[FILE|URL]", required=False)
@click.option("--remove", is_flag=True, help="Show no logo.")
@json_option
def logo(config: Path, trust: str, source: str | None, remove: bool, as_json: bool) -> None:
    """Show the logo of an application on the sign-in page, on the consent page and in the list of applications.

    PNG or JPEG, up to 100 KiB and 2048 pixels in each direction. It is read once, from a file or an https:// address,
    and kept in the database for all nodes; browsers get it from the relay.

    \b
    Examples:
      isthmus relay trust logo grafana grafana.png
      isthmus relay trust logo grafana --remove
    """
    if bool(source) == remove:
        raise click.UsageError("give a file or an address, or --remove")
    content = read_logo(config, source) if source else b""
    view = run_async(reported(open_administrator(config).put_logo(trust, content, source or "")))
    said = f"The logo of {view.trust} is in use." if view.digest else f"{view.trust} has no logo."
    emit_said(said, as_json=as_json, **msgspec.structs.asdict(view))


def read_logo(config: Path, source: str) -> bytes:
    """Raises Failure."""
    content = read_source(config, source, LARGEST_LOGO)
    if not content:
        raise Failure(f"{source} is empty")
    return content
