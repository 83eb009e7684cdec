"""`isthmus sync check`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.reports import FailOn, exit_if, fail_on_option, finding_data, print_finding
from isthmus.cli.sync.context import load_sync_settings, sync_config


@click.command("check")
@sync_config
@fail_on_option
@json_option
def command(config: Path, fail_on: FailOn, as_json: bool) -> None:
    """Find out what is wrong with the settings, sources, targets and rules.

    Checks the state of synchronisation, the rules, whether each source can be read whole and with everything that the rules
    name, and each target's credentials and capabilities.

    Each line passes, warns or fails, with a remedy. Nothing is changed, and a run in progress is not affected.

    \b
    Exit codes: 0 nothing failed, 1 something failed (with --fail-on warning:
                or warns), 2 wrong usage.

    \b
    Examples:
      isthmus sync check
      isthmus sync check --config sync.toml --json --fail-on warning
    """
    from isthmus.sync_check import check_sync

    settings = load_sync_settings(config)
    found = run_async(check_sync(settings, on_finding=None if as_json else print_finding))
    if as_json:
        emit_json([finding_data(finding) for finding in found])
    exit_if(fail_on, found)
