"""`isthmus relay audit export` and `verify-export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from foundation.times import second
from gateway.administrator import Administrator
from isthmus.cli.admin import reported
from isthmus.cli.output import FILE, Failure, counted, emit_json, json_option, run_async
from isthmus.cli.owned_work import as_owner
from isthmus.cli.private_files import private_output
from isthmus.cli.relay.audit.entries import MomentType
from isthmus.cli.relay.context import load_relay_settings, open_administrator, relay_config
from isthmus.cli.state import own
from isthmus.terminal import visible


@click.command("export")
@relay_config
@click.option("--output", type=FILE, help="File to create, mode 0600. [default: standard output, if not a terminal]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="JSON lines, or CSV with cells protected against being interpreted as formulas.",
)
@click.option("--since", type=MomentType(), help="Only entries since this time: 30d (ago), 2026-11-01, 2026-11-30 09:15.")
@click.option("--until", type=MomentType(end=True), help="Only entries until this time; for a day, until its end.")
@json_option
def export_audit(config: Path, output: Path | None, form: Any, as_json: bool, **chosen: float | None) -> None:
    """Export the audit trail, oldest entries of each chain first, and verify all of it during the export.

    Each line contains the exact bytes that the chain covers, so that `isthmus relay audit verify-export` can verify the file
    later, even after the entries have been pruned. The last line states what was exported; without it the file is
    incomplete. With --output the file is created only if the trail is intact. The export contains personal data.

    \b
    Examples:
      isthmus relay audit export --since 2026-11-01 --output november.jsonl
      isthmus relay audit export --format csv > trail.csv
    """
    since, until = chosen["since"], chosen["until"]
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"--since ({second(since)}) is not before --until ({second(until)}).")
    if output is None and sys.stdout.isatty():  # the bytes are exact: a terminal would obey the controls in users' names
        raise click.UsageError(
            "An export goes to a file or a pipe, not to a terminal; to read entries: isthmus relay audit list"
        )
    settings = load_relay_settings(config, now=False).server  # where the export goes may be root's alone
    with private_output(output) as file:

        def write() -> bytes:
            exporting = Administrator(settings).export_audit(file, form, since=since, until=until)
            count = run_async(reported(exporting))
            file.flush()  # the process that does this ends without it
            return b"%d" % count

        if output is None:
            own(settings.state_dir)
            exported = int(write())
        else:
            exported = int(as_owner(settings.state_dir, write))
    admin = open_administrator(config)  # a running relay is told by root: the trail has to know who took it
    what = f"{counted(exported, 'entry', 'entries')}{_span(since, until)}"
    run_async(reported(admin.record_export(str(output.absolute()) if output is not None else "standard output", what)))
    if output is None:
        return
    if as_json:
        emit_json({"file": str(output), "entries": exported})
    else:
        click.echo(visible(f"{output}: {what}, checked."))


def _span(since: float | None, until: float | None) -> str:
    begin = f" from {second(since)}" if since is not None else ""
    return f"{begin} up to {second(until)}" if until is not None else begin


@click.command("verify-export")
@relay_config
@click.argument("file", type=FILE)
@json_option
def verify_export(config: Path, file: Path, as_json: bool) -> None:
    """Check that FILE is what this relay exported: each entry, and that none is missing or was added.

    It needs the relay's keys, and of its database nothing else: entries that are pruned by now can be checked, too.

    \b
    Example:
      isthmus relay audit verify-export november.jsonl
    """
    try:
        with file.open("rb") as opened:
            end = run_async(reported(open_administrator(config).check_export(opened)))
    except OSError as error:
        raise Failure(f"{file} cannot be read ({error.strerror})") from error
    if as_json:
        emit_json({"ok": True, **msgspec.to_builtins(end)})
    else:
        click.echo(f"{counted(end.entries, 'entry', 'entries')}, exported at {end.made_at}, none changed.")
