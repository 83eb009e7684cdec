"""`isthmus relay unlock`, `locks` and `remove-person`."""

from __future__ import annotations

from pathlib import Path

import click

from foundation.times import second
from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import counted, emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_locked
from isthmus.cli.tables import table, wide_option
from isthmus.terminal import visible


@click.command()
@relay_config
@click.argument("user", shell_complete=complete_locked)
@json_option
def unlock(config: Path, user: str, as_json: bool) -> None:
    """Forget the wrong passwords that smart lockout counted (not AD's own lock).

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
        nothing = (
            f"Nothing was counted against {visible(user)} here. Who is locked: isthmus relay locks. "
            "AD's own lock is ended in AD."
        )
        click.echo(f"{visible(user)} is unlocked." if found else nothing)


@click.command()
@relay_config
@wide_option
@json_option
def locks(config: Path, as_json: bool) -> None:
    """List whom smart lockout refuses now. Name and account are those of the last wrong password in the audit trail.

    An account is locked for browsers in which the person signed in before ("familiar") and for all "others" apart. It is
    the account's GUID; "-" where nobody has signed in by that name so far.

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
    empty = "Nobody is locked out here (AD's own locks are not listed)."
    table(headers, rows, empty, drop=("locks", "wrong passwords", "account", "last", "from"))


@click.command("remove-person")
@relay_config
@click.argument("user")
@yes_option
@json_option
def remove_person(config: Path, user: str, yes: bool, as_json: bool) -> None:
    """Remove what is kept of a person: sessions, and what the audit trail says.

    USER is a name exactly as it was typed at a sign-in that succeeded (`isthmus relay audit list` shows it), or the
    account's objectGUID or entryUUID. It cannot be undone. The trail still verifies; that it was done is an entry itself,
    which names nobody.

    \b
    Examples:
      isthmus relay remove-person anna@corp.example.com
      isthmus relay remove-person 6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21 --yes
    """
    admin = open_administrator(config)
    question = f"What is kept of {user} is removed for good. Type the name again to do it"
    confirm(question, user, Manner(yes=yes, as_json=as_json))
    view = run_async(reported(admin.remove_person(user)))
    if as_json:
        emit_json(view)
    else:
        sessions, entries = counted(view.sessions, "session"), counted(view.entries, "entry", "entries")
        click.echo(f"Removed: {sessions}, and what {entries} of the audit trail said.")
