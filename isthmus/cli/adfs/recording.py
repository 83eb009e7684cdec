"""`isthmus adfs recording`: what a recording tells, before it is sent to anybody, and after it was received."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.adfs.context import failures
from isthmus.cli.adfs.observation import plain
from isthmus.cli.output import emit_json, json_option, run_async, wrapped
from isthmus.cli.tables import wide_option


@click.command("recording")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@wide_option
@json_option
def command(file: Path, as_json: bool) -> None:
    """Show a recording made by `isthmus adfs --record FILE status` or `check`: the farm, with pseudonyms, and every
    error.

    No server is contacted and no settings are needed. Names are replaced when the recording is made; ordinary words in
    error messages are not, so read those before you send the file to anyone.

    \b
    Example:
      isthmus adfs recording status.jsonl
    """
    from adfs_mgmt.farm import ExternalView
    from adfs_mgmt.operations import read_recording
    from isthmus.cli.adfs import farm_tables

    with failures():
        recorded = run_async(read_recording(file))
    farm = recorded.farm
    if as_json:
        emit_json({"farm": plain(farm), "failures": recorded.failures})
        return
    farm_tables.show(farm, ExternalView(federation_name=farm.properties.federation_name, read_at=farm.read_at, served=()))
    click.echo()
    click.secho("Errors", bold=True)
    for failure in recorded.failures:
        click.echo(wrapped(failure, "  "))
    if not recorded.failures:
        click.echo("none")
