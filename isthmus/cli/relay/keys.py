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
    """What the relay signs cookies, forms and the audit trail with."""


@keys.command("roll")
@relay_config
@json_option
def roll_keys(config: Path, as_json: bool) -> None:
    """Make new keys. They are in use two minutes later; the ones before stay valid until the next roll.

    Nobody is signed out. Where a key may be known to others, roll twice: the second time once the first is in use.

    \b
    Example:
      isthmus relay keys roll
    """
    view = run_async(reported(open_administrator(config).roll_keys()))
    if as_json:
        emit_json(view)
    else:
        click.echo(f"Keys {view.id} are in use from {minute(view.active_from)} on.")
