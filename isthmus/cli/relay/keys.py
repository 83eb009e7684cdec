"""`isthmus relay keys`."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.times import minute
from isthmus.cli.admin import reported
from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config


@click.group()
def keys() -> None:
    """Keys for cookies, forms and the audit trail."""


@keys.command("roll")
@relay_config
@json_option
def roll_keys(config: Path, as_json: bool) -> None:
    """Create new keys. They come into use two minutes later; the previous ones stay valid until the next roll. Users stay
    signed in. If a key may have been compromised, roll twice: the second time once the first keys are in use.

    \b
    Example:
      isthmus relay keys roll
    """
    view = run_async(reported(open_administrator(config).roll_keys()))
    if as_json:
        emit_json(view)
    else:
        click.echo(f"Keys {view.id} are in use from {minute(view.active_from)} on.")
