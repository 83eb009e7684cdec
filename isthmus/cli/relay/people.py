"""`isthmus relay person`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import FILE, counted, emit_json, json_option, run_async
from isthmus.cli.private_files import check_new, private_output
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.terminal import visible


@click.group()
def person() -> None:
    """What the relay keeps of one person: sessions, and entries of the audit trail.

    USER is a name exactly as it was typed at a sign-in that succeeded (`isthmus relay audit list` shows it), or the
    account's objectGUID or entryUUID.
    """


@person.command("export")
@relay_config
@click.argument("user")
@click.option("--output", type=FILE, help="A new file, mode 0600. Standard output unless given.")
@json_option
def export_person(config: Path, user: str, output: Path | None, as_json: bool) -> None:
    """Write all that is kept of a person, as JSON. That it was done is in the audit trail.

    Entries count as the person's that name the account, or a name that the person has signed in with: wrong passwords by
    others under that name are among them. Counts of smart lockout are kept without names.

    \b
    Examples:
      isthmus relay person export anna@corp.example.com --output anna.json
      isthmus relay person export anna@corp.example.com | jq '.entries | length'
    """
    admin = open_administrator(config)
    if output is None:
        emit_json(run_async(reported(admin.export_person(user))))
        return
    check_new(output)  # before the act: a name that is taken must not leave an entry of an export
    view = run_async(reported(admin.export_person(user)))
    with private_output(output) as file:  # after it: by now this may be the owner of state_dir, no longer root
        file.write(msgspec.json.format(msgspec.json.encode(view), indent=2) + b"\n")
    told = {"file": str(output), "sessions": len(view.sessions), "entries": len(view.entries)}
    sessions, entries = counted(len(view.sessions), "session"), counted(len(view.entries), "entry", "entries")
    if as_json:
        emit_json(told)
    else:
        click.echo(visible(f"{output}: {sessions}, {entries} of the audit trail."))


@person.command("pseudonymise")
@relay_config
@click.argument("user")
@yes_option
@json_option
def pseudonymise_person(config: Path, user: str, yes: bool, as_json: bool) -> None:
    """Remove name, account, address and details from a person's entries, and end the sessions. It cannot be undone.

    The entries stay, with time, outcome and agent, and the audit trail still verifies. An entry of its own names them: that
    they are of one person stays known, of whom does not. Backups that were made before still hold what was removed.

    \b
    Examples:
      isthmus relay person pseudonymise anna@corp.example.com
      isthmus relay person pseudonymise 6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21 --yes
    """
    admin = open_administrator(config)
    question = f"What is kept of {user} is removed permanently. Type the name again to do it"
    confirm(question, user, Manner(yes=yes, as_json=as_json))
    view = run_async(reported(admin.pseudonymise_person(user)))
    if as_json:
        emit_json(view)
    else:
        sessions, entries = counted(view.sessions, "session"), counted(view.entries, "entry", "entries")
        click.echo(f"Removed: {sessions}, and what {entries} of the audit trail said of the person.")
