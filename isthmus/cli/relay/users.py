"""`isthmus relay unlock` and `locks`."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.times import second
from isthmus.cli.admin import reported
from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_locked
from isthmus.cli.tables import table, wide_option
from isthmus.terminal import visible


@click.command()
@relay_config
@click.argument("user", shell_complete=complete_locked)
@json_option
def unlock(config: Path, user: str, as_json: bool) -> None:
    """Reset the wrong passwords that smart lockout counted. AD's own lock is not affected.

    USER is any spelling of the user name, or the account's objectGUID or entryUUID.

    \b
    Examples:
      isthmus relay unlock anna@corp.example.com
      isthmus relay unlock 6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21
    """
    if not user.strip():
        raise click.BadParameter("it is blank", param_hint="USER")
    admin = open_administrator(config)
    found = run_async(reported(admin.unlock(user)))
    if as_json:
        emit_json({"user": user, "was_counted": found, "relay_running": admin.reached_relay})
    else:
        if found:
            said = f"{visible(user)} is unlocked here: what smart lockout had counted is forgotten."
        else:
            said = f"Nothing was counted against {visible(user)} here. Who is locked: isthmus relay locks."
        click.echo(f"{said} AD's own lock is ended in AD.")


@click.command()
@relay_config
@wide_option
@json_option
def locks(config: Path, as_json: bool) -> None:
    """List the users that smart lockout has locked.

    Name and account are those of the last wrong password in the audit trail. An account is locked separately for browsers
    that the user has signed in with before ("familiar") and for all "others". The account is shown by its GUID; "-" if no
    user has signed in under that name yet.

    \b
    Examples:
      isthmus relay locks
      isthmus relay locks --json | jq -r '.[].user'
    """
    views = run_async(reported(open_administrator(config).locks()))
    if as_json:
        emit_json(views)
        return
    rows = [
        [
            view.user or "-",
            view.account or "-",
            "familiar" if view.familiar else "others",
            second(view.until),
            str(view.failures),
            str(view.locks),
            second(view.time),
            view.address or "-",
        ]
        for view in views
    ]
    headers = ["user", "account", "browsers", "until", "wrong passwords", "locks", "last", "from"]
    empty = "No user is locked by smart lockout (AD's own locks are not listed)."
    table(headers, rows, empty, drop=("locks", "wrong passwords", "account", "last", "from"))
