"""`isthmus sync export`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.output import FILE, emit_said, json_option
from isthmus.cli.sync.context import failures, load_sync_settings, sync_config
from isthmus.cli.sync.status import open_existing


@click.command("export")
@sync_config
@click.argument("file", type=FILE)
@json_option
def command(config: Path, file: Path, as_json: bool) -> None:
    """Write a copy of the state without names and values to FILE, for bug reports.

    Names of people, attributes' values, DNs and keys are not in it; how many there are, how they are linked, and what was
    done when, is. FILE must not exist.

    \b
    Example:
      isthmus sync export state-for-report.db
    """
    settings = load_sync_settings(config)
    with failures(), open_existing(settings) as state:
        state.export_scrubbed(file)
    text = f"{file}: the state without names and values. Look at it before you send it to anybody."
    emit_said(text, as_json=as_json, file=str(file))
