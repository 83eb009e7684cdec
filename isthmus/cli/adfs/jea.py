"""`isthmus adfs jea`: files for an endpoint on the servers that lets us do what we need, and no more."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.adfs.context import failures
from isthmus.cli.output import emit_json, json_option

_NEXT = """
On each AD FS node and proxy, in Windows PowerShell as an administrator:

    Copy-Item -Recurse {module} 'C:\\Program Files\\WindowsPowerShell\\Modules'
    Register-PSSessionConfiguration -Name {node} -Path {node}.pssc -Force      # on a node
    Register-PSSessionConfiguration -Name {proxy} -Path {proxy}.pssc -Force    # on a proxy

Registering restarts WinRM. Then set `configuration` under [remoting] in the settings file. To use one name for nodes and
proxies, register both with the same -Name."""


@click.command("jea")
@click.option(
    "--directory", type=click.Path(path_type=Path, file_okay=False), required=True, help="Directory to write the files to."
)
@click.option(
    "--group",
    default="BUILTIN\\Administrators",
    show_default=True,
    help="Group that is allowed to use the endpoint, such as 'CORP\\AD FS operators'.",
)
@click.option(
    "--gmsa",
    default="",
    metavar="ACCOUNT",
    help="Group managed service account for the endpoint on nodes, such as 'CORP\\adfs-jea'. Needed if local "
    "administrators are not AD FS administrators; by default the endpoint runs as a virtual account.",
)
@json_option
def command(directory: Path, group: str, gmsa: str, as_json: bool) -> None:
    """Write JEA role capability and session configuration files that allow exactly the commands that Isthmus uses.

    \b
    Example:
      isthmus adfs jea --directory ./jea --group 'CORP\\AD FS operators'
    """
    from adfs_mgmt.operations import write_jea_files
    from adfs_mgmt.remoting import JEA_MODULE, HostKind, jea_role

    with failures():
        files = write_jea_files(directory, group, gmsa)
    if as_json:
        emit_json({"files": [str(path) for path in files], "group": group})
        return
    for path in files:
        click.echo(f"wrote {path}")
    click.echo(_NEXT.format(module=JEA_MODULE, node=jea_role(HostKind.NODE), proxy=jea_role(HostKind.PROXY)))
