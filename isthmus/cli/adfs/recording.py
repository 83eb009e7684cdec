"""`isthmus adfs recording`: what a recording tells, before it is sent to anybody, and after it was received."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isthmus.cli.adfs.looking import plain, wrapped
from isthmus.cli.output import Failure, emit_json, json_option, reporting, run_async

if TYPE_CHECKING:
    from adfs_mgmt.farm import Farm
    from adfs_mgmt.remoting import Replay

_NODE, _PROXY = "Get-AdfsSyncProperties", "Get-WebApplicationProxySslCertificate"
"""Whoever was asked this was taken for one."""


@click.command("recording")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Show what a recording of `isthmus adfs --record FILE status` or `check` tells: the farm, with pseudonyms, and every
    error.

    No server is asked, and no settings are needed. Names are replaced when the recording is made; ordinary words in the
    texts of errors are not, so read those before you send the file to anybody.

    \b
    Example:
      isthmus adfs recording status.jsonl
    """
    from adfs_mgmt.farm import ExternalView
    from adfs_mgmt.remoting import RecordingDamaged, Replay
    from isthmus.cli.adfs import tables

    with reporting(OSError, RecordingDamaged):
        replay = Replay(file)
        made = file.stat().st_mtime
    farm = run_async(_read(replay, file.name, made))
    failures = [str(error) for error in replay.failures]
    if as_json:
        emit_json({"farm": plain(farm), "failures": failures})
        return
    tables.show(farm, ExternalView(federation_name=farm.properties.federation_name, read_at=farm.read_at, served=()))
    click.echo()
    click.secho("Errors", bold=True)
    for failure in failures:
        click.echo(wrapped(failure, "  "))
    if not failures:
        click.echo("none")


async def _read(replay: Replay, name: str, made: float) -> Farm:
    """As it was read then: by the first clock of the recording, else by the file's. Raises Failure."""
    from adfs_mgmt.farm import FarmSettings, read_farm
    from adfs_mgmt.remoting import make_command

    nodes = tuple(host for host, commands in replay.hosts.items() if _NODE in commands)
    proxies = tuple(host for host, commands in replay.hosts.items() if _PROXY in commands)
    if not nodes:
        raise Failure(f"{name}: no farm was read in it; record `isthmus adfs status` or `check`")
    moments = await replay.run(nodes[0], make_command("Get-Date")) if "Get-Date" in replay.hosts[nodes[0]] else []
    now = next((value for thing in moments for value in thing.values() if isinstance(value, dt.datetime)), None)
    settings = FarmSettings(name=name, federation_name="", nodes=nodes, proxies=proxies)
    return await read_farm(replay, settings, now.timestamp() if now else made, metadata=None)
