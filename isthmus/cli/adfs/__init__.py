"""`isthmus adfs`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import FILE

_HERE = "isthmus.cli.adfs"
_PARTS = {
    "status": (f"{_HERE}.status", "Show servers, certificates, bindings and trusts, and any inconsistencies."),
    "check": (f"{_HERE}.check", "Check farms, and show a remedy for each problem."),
    "timeline": (
        f"{_HERE}.timeline",
        "Write an HTML page that shows when each certificate expires and what AD FS does automatically.",
    ),
    "rollover": (f"{_HERE}.rollover", "Roll over token-signing and token-decrypting certificates."),
    "ssl": (f"{_HERE}.ssl", "Replace the SSL and Service-Communications certificate, including on proxies."),
    "trust": (f"{_HERE}.trust", "Manage the federation trust with Entra ID and with other partners."),
    "farm": (f"{_HERE}.servers:farm_command", "Create a new farm."),
    "node": (f"{_HERE}.servers:node_command", "Add or remove a federation server."),
    "proxy": (f"{_HERE}.servers:proxy_command", "Add or remove a Web Application Proxy."),
    "jea": (f"{_HERE}.jea", "Write the files of a least-privilege (JEA) endpoint for the servers."),
    "recording": (f"{_HERE}.recording", "Show the content of a recording."),
}


@click.group("adfs", cls=LazyGroup, parts=_PARTS)
@click.option(
    "--record",
    type=FILE,
    help="Record every command and its answer in a new file, with names replaced by pseudonyms, for bug reports.",
)
@click.pass_context
def command(context: click.Context, record: Path | None) -> None:
    """Manage AD FS farms: monitor them, roll over certificates, add servers, and keep the trust with Entra ID up to date.

    Runs on any workstation and reaches the servers over WinRM. Commands that change something show a plan first.

    \b
    To record data for a bug report:
      isthmus adfs --record status.jsonl status
      isthmus adfs recording status.jsonl
    """
    if record is not None:
        from isthmus.cli.adfs.context import record_to

        record_to(context, record)
