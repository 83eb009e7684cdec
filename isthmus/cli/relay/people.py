"""`isthmus relay person`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from gateway.relay import PersonView
from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import FILE, counted, emit_json, json_option, run_async
from isthmus.cli.owned_work import apart
from isthmus.cli.private_files import private_output
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.sessions import show_departures
from isthmus.terminal import visible


@click.group()
def person() -> None:
    """Export or pseudonymise the data stored about one person: sessions, applications, entries of the audit trail.

    USER is a name exactly as it was typed at a successful sign-in (`isthmus relay audit list` shows it), or the
    account's objectGUID or entryUUID.
    """


@person.command("export")
@relay_config
@click.argument("user")
@click.option("--output", type=FILE, help="File to create, mode 0600. [default: standard output]")
@json_option
def export_person(config: Path, user: str, output: Path | None, as_json: bool) -> None:
    """Export all data stored about a person, as JSON. The export is recorded in the audit trail.

    It includes every entry that names the account, or a name that the person has signed in with, and therefore also wrong
    passwords entered by others under that name. Smart lockout's counts are stored without names.

    \b
    Examples:
      isthmus relay person export anna@corp.example.com --output anna.json
      isthmus relay person export anna@corp.example.com | jq '.entries | length'
    """
    admin = open_administrator(config)
    if output is None:
        emit_json(run_async(reported(admin.export_person(user))))
        return
    with private_output(output) as file:  # before the act: a name that is taken must not leave an entry of an export

        def take() -> bytes:
            return msgspec.json.encode(run_async(reported(admin.export_person(user))))

        view = msgspec.json.decode(apart(take), type=PersonView)  # where it goes may be root's alone
        file.write(msgspec.json.format(msgspec.json.encode(view), indent=2) + b"\n")
    kept = {"sessions": len(view.sessions), "grants": len(view.grants), "consents": len(view.consents)}
    told = {"file": str(output), **kept, "entries": len(view.entries)}
    entries = counted(len(view.entries), "entry", "entries")
    if as_json:
        emit_json(told)
    else:
        click.echo(visible(f"{output}: {_counts(**kept)}, {entries} of the audit trail."))


@person.command("pseudonymise")
@relay_config
@click.argument("user")
@yes_option
@json_option
def pseudonymise_person(config: Path, user: str, yes: bool, as_json: bool) -> None:
    """Remove name, account, address and details from a person's entries, and end the sessions, refresh tokens and consents.

    This cannot be undone.

    The entries keep time, outcome and agent, and the audit trail still verifies. A new entry lists them, so that they can
    still be recognised as one person's, but not whose. Earlier backups still contain the removed data.

    \b
    Examples:
      isthmus relay person pseudonymise anna@corp.example.com
      isthmus relay person pseudonymise 6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21 --yes
    """
    admin = open_administrator(config)
    question = f"This permanently removes the data stored about {user}. Type the name again to confirm"
    confirm(question, user, Manner(yes=yes, as_json=as_json))
    view = run_async(reported(admin.pseudonymise_person(user)))
    if as_json:
        emit_json(view)
    else:
        removed, entries = _counts(view.sessions, view.grants, view.consents), counted(view.entries, "entry", "entries")
        click.echo(f"Removed: {removed}, and what {entries} of the audit trail said of the person.")
        show_departures(view.departures)


def _counts(sessions: int, grants: int, consents: int) -> str:
    return f"{counted(sessions, 'session')}, {counted(grants, 'grant')} of applications, {counted(consents, 'consent')}"
