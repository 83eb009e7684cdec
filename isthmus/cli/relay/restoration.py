"""`isthmus relay restore`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import BinaryIO

import click

from certs import CertsError
from foundation.actors import this_actor
from foundation.times import second
from gateway.app import ServerError
from gateway.backup import BackupError, RestoreView, finish_restore, unfinished
from gateway.backup import restore as restore_backup
from gateway.store import StoreError
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import FILE, counted, emit_json, json_option, reporting, run_async
from isthmus.cli.relay.backups import backup_text
from isthmus.cli.relay.context import load_relay_settings, relay_config
from isthmus.cli.relay.encryption import passphrase_option, private_key_option, read_opener
from isthmus.cli.state import own
from isthmus.terminal import visible_lines


@click.command()
@relay_config
@click.argument("file", type=FILE)
@passphrase_option
@private_key_option
@click.option("--replace", is_flag=True, help="Replace an existing relay's state; the existing files are moved aside.")
@yes_option
@json_option
def restore(
    config: Path,
    file: Path,
    passphrase_file: Path | None,
    private_key_file: Path | None,
    replace: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Restore the relay's state from the backup in FILE. The relay must not be running.

    All users are signed out; applications' refresh tokens and enrolment tokens are void. Revocations, unlocks and
    enrolments since the backup are lost; the output lists what to do again. Nothing is changed before the whole backup has
    been verified. If the restore is interrupted, run the same command again to complete it.

    \b
    Examples:
      isthmus relay restore /backup/relay.age
      isthmus relay restore relay.age --private-key-file backup.key --replace
    """
    settings = load_relay_settings(config, makes=True, now=False).server
    with reporting(BackupError, StoreError, ServerError, CertsError, OSError):
        if unfinished(settings):
            own(settings.state_dir)
            view = finish_restore(settings)
        else:
            opener = read_opener(passphrase_file, private_key_file)
            opened = _open(file)  # while this is root: the backup may be root's alone, as what opens it may
            own(settings.state_dir)
            question = f"The state of the relay in {settings.state_dir} becomes that of the backup. Type restore to do it"
            confirm(question, "restore", Manner(yes=yes, as_json=as_json))
            actor, now = f"admin:{this_actor()}", time.time()
            work = restore_backup(settings, file, opener, replace_state=replace, actor=actor, now=now, opened=opened)
            view = run_async(work)
    if as_json:
        emit_json(view)
    else:
        click.echo(visible_lines(_text(view, config)))


def _open(file: Path) -> BinaryIO | None:
    """None where it cannot be opened: whoever needs it says why."""
    try:
        return file.open("rb")
    except OSError:
        return None


def _text(view: RestoreView, config: Path) -> str:
    made = second(view.backup.made_at)
    lines = [f"Restored: {backup_text(view.backup)}"]
    if view.resumed:
        lines[0] = f"A restore that was interrupted is finished. {lines[0]}"
    if view.replaced:
        lines.append(f"What was there before is in {view.replaced}. Delete it once all is well: keys are in it.")
    if view.remark:
        lines.append(f"Not done: {view.remark}.")
    if view.backup.database == "postgresql":
        return "\n".join([*lines, f"Next: isthmus relay run --config {config}"])
    tokens = f"{counted(view.grants, 'grant')} of applications and {counted(view.tokens, 'enrolment token')}"
    ended = f"{counted(view.sessions, 'session')}, {tokens}"
    lines += [
        f"Ended: {ended}, as of the backup; what began after it is unknown here, and void too.",
        *_not_told(view),
        f"Forgotten is what happened after {made}. Do again what applies:",
        f"  - revoke agents and API keys that were revoked since{_again(view)}",
        "  - enrol agents that were enrolled, or renewed their certificate, since: isthmus relay agents",
        "  - create the API keys and bindings again that were created since",
        "  - smart lockout's counts are those of the backup; users who were locked since may try again",
        "  - roll the keys again if they were rolled since because they may have been compromised: isthmus relay keys roll",
        "  - trusts are as they were then: disable and remove again what was disabled or removed since, and give the secrets"
        " again that were replaced: isthmus relay trust list",
        "  - signing keys are as they were then, also those that were retired or replaced in an emergency since: isthmus"
        " certs list; if one may have been compromised, isthmus certs emergency",
    ]
    return "\n".join([*lines, f"Next: isthmus relay run --config {config}"])


def _not_told(view: RestoreView) -> list[str]:
    if not view.not_told:
        return []
    return [f"Not told that these sessions have ended, and may keep sessions of their own: {', '.join(view.not_told)}"]


def _again(view: RestoreView) -> str:
    done = [f"agent {name}" for name in view.revoked_agents] + [f"API key {key_id}" for key_id in view.revoked_api_keys]
    return f" (done already, as far as the former database knew: {', '.join(done)})" if done else ""
