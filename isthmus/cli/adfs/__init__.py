"""`isthmus adfs`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import FILE

_HERE = "isthmus.cli.adfs"
_PARTS = {
    "status": (f"{_HERE}.status", "Show nodes, proxies and every certificate, and where they contradict each other."),
    "check": (f"{_HERE}.check", "Say what is wrong or soon will be, each line with its remedy."),
    "timeline": (f"{_HERE}.timeline", "Write a page that shows when each certificate ends and what happens by itself."),
    "rollover": (f"{_HERE}.rollover", "Roll token-signing and token-decrypting certificates."),
    "ssl": (f"{_HERE}.ssl", "Roll the SSL and Service-Communications certificate, proxies included."),
    "trust": (f"{_HERE}.trust", "The trust with Entra ID and with other partners."),
    "farm": (f"{_HERE}.servers:farm_command", "Make the first server of a new farm."),
    "node": (f"{_HERE}.servers:node_command", "Add or remove a federation server."),
    "proxy": (f"{_HERE}.servers:proxy_command", "Add or remove a Web Application Proxy."),
    "jea": (f"{_HERE}.jea", "Write the least-privilege endpoint for the servers."),
    "recording": (f"{_HERE}.recording", "Show a farm as a recording has it, pseudonyms and all."),
}


@click.group("adfs", cls=LazyGroup, parts=_PARTS)
@click.option(
    "--record",
    type=FILE,
    help="Write down what is said to the servers and what they answer, names replaced, into a new file: for bug reports.",
)
@click.pass_context
def command(context: click.Context, record: Path | None) -> None:
    """AD FS farms: look at them, renew and roll their certificates, add servers, keep the trust with Entra ID in step.

    Runs on any workstation; the servers are reached over WinRM. Whatever changes something shows a plan first.

    \b
    Example of a bug report:
      isthmus adfs --record status.jsonl status
      isthmus adfs recording status.jsonl
    """
    if record is not None:
        from isthmus.cli.adfs.context import record_to

        record_to(context, record)
