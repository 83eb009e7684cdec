"""`isthmus relay trust logo`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from foundation.http import FetchFailed
from gateway.federation import LARGEST_LOGO, open_outbound
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, emit_said, json_option, reporting, run_async
from isthmus.cli.relay.context import load_relay_settings, open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from settings import UnusableFile, read_regular


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
    if source.startswith(("https://", "http://")):
        settings = load_relay_settings(config, now=False).server.federation
        with reporting(FetchFailed):
            content = run_async(open_outbound(settings).get(source, most=LARGEST_LOGO))
    else:
        try:
            content, _ = read_regular(Path(source), LARGEST_LOGO)
        except UnusableFile as error:
            raise Failure(str(error)) from error
    if not content:
        raise Failure(f"{source} is empty")
    return content
