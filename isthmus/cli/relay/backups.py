"""`isthmus relay backup`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from certs import CertsError
from foundation.times import second
from gateway.administrator import Administrator
from gateway.app import ServerError
from gateway.backup import (
    BackupError,
    BackupView,
    make_key,
    note_backup,
    pending_backup,
    verify_backup,
    write_backup,
)
from gateway.relay import RelayError
from gateway.store import StoreError
from isthmus.cli.output import FILE, REFUSED, counted, emit_json, json_option, reporting, run_async
from isthmus.cli.owned_work import as_owner
from isthmus.cli.relay.context import load_relay_settings, relay_config
from isthmus.cli.relay.encryption import (
    passphrase_option,
    private_key_option,
    public_key_option,
    read_lock,
    read_opener,
)
from isthmus.cli.state import own
from isthmus.terminal import visible, visible_lines

NOT_IN_IT = (
    "The database is not included: back up PostgreSQL separately at about the same time (pg_dump, or your server's backups)."
)


class _Backups(click.Group):
    """A group whose command `create` need not be named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is neither a command nor a request for help is a FILE, or an option of `create`."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["create", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Backups)
def backup() -> None:
    """Back up the relay's keys and its database, encrypted, while it runs.

    `isthmus relay backup FILE` is short for `isthmus relay backup create FILE`.

    \b
    Examples:
      isthmus relay backup /backup/relay.age
      isthmus relay backup relay.age --public-key-file /etc/isthmus/backup.pub
      isthmus relay backup verify /backup/relay.age
    """


@backup.command()
@relay_config
@click.argument("file", type=FILE)
@passphrase_option
@public_key_option
@json_option
def create(config: Path, file: Path, passphrase_file: Path | None, public_key_file: Path | None, as_json: bool) -> None:
    """Create a backup in FILE and verify it, whether or not the relay is running. An existing backup is replaced.

    The backup is encrypted with a passphrase (you are prompted for it) or to a public key, so that nothing on this machine
    can decrypt it. It contains the settings file and the HTTPS certificate only if they are in state_dir.

    \b
    Examples:
      isthmus relay backup /backup/relay.age
      isthmus relay backup relay-$(date +%F).age --passphrase-file backup.secret
      isthmus relay backup relay.age --public-key-file /etc/isthmus/backup.pub
    """
    settings = load_relay_settings(config, now=False).server  # where the backup goes may be root's alone
    lock = read_lock(passphrase_file, public_key_file)
    now = time.time()
    with reporting(BackupError, StoreError, ServerError, CertsError):
        with pending_backup(file, settings.state_dir) as pending:

            def write() -> bytes:
                with reporting(BackupError, StoreError, ServerError, CertsError):
                    progress = _shown("bytes", as_json=as_json)
                    made = write_backup(settings, file, pending.content, lock, now=now, progress=progress)
                    return msgspec.json.encode(run_async(made))

            view = msgspec.json.decode(as_owner(settings.state_dir, write), type=BackupView)
            pending.put_in_place()
        as_owner(settings.state_dir, lambda: _noted(settings.state_dir, now))
    # A running relay is told by root: the trail has to know who made it
    admin = Administrator(settings, before_store=lambda: own(settings.state_dir))
    not_recorded = ""
    try:
        run_async(admin.record_backup(str(file.absolute())))
    except (RelayError, StoreError, ServerError, CertsError) as error:
        not_recorded = f"The audit trail has no entry of it: {error}"
    if as_json:
        emit_json(view)
    else:
        click.echo(visible_lines(f"{backup_text(view)}\nVerified: it can be decrypted, and contains what was written."))
    if not_recorded:
        click.echo(visible(not_recorded), err=True)
    _end(view)


@backup.command()
@click.argument("file", type=FILE)
@passphrase_option
@private_key_option
@json_option
def verify(file: Path, passphrase_file: Path | None, private_key_file: Path | None, as_json: bool) -> None:
    """Verify the backup in FILE: read all of it, open its keys and database, and verify its audit trail.

    Neither a relay nor its settings are needed. During the check, the decrypted content is in a private temporary
    directory (TMPDIR).

    \b
    Examples:
      isthmus relay backup verify /backup/relay.age
      isthmus relay backup verify relay.age --private-key-file backup.key --json
    """
    opener = read_opener(passphrase_file, private_key_file)
    with reporting(BackupError):
        view = run_async(verify_backup(file, opener, now=time.time(), progress=_shown("entries", as_json=as_json)))
    if as_json:
        emit_json(view)
    else:
        click.echo(visible_lines(backup_text(view)))
    _end(view)


@backup.command()
@click.argument("file", type=FILE)
@json_option
def key(file: Path, as_json: bool) -> None:
    """Create a private key in FILE, and print its public key, for --public-key-file.

    Run this on a machine other than the relay's: the private key is needed only for a restore. The keys are age keys, so
    keys from `age-keygen` work too, and `age --decrypt` opens a backup.

    \b
    Example:
      isthmus relay backup key backup.key > backup.pub
    """
    with reporting(BackupError):
        public = make_key(file, time.time())
    if as_json:
        emit_json({"file": str(file), "public_key": str(public)})
        return
    click.echo(
        f"The private key is in {visible(str(file))}. Do not keep it on the relay's machine. Its public key:", err=True
    )
    click.echo(str(public))


def _noted(state_dir: Path, now: float) -> bytes:
    with reporting(BackupError):
        note_backup(state_dir, now)
    return b""


def backup_text(view: BackupView) -> str:
    """What is in a backup, in sentences."""
    entries = f", {counted(view.entries, 'entry', 'entries')} in its audit trail" if view.entries is not None else ""
    what = "keys and database" if view.database == "sqlite" else "keys"
    lines = [
        f"{view.file}: {what} of the relay {view.node}, as of {second(view.made_at)}{entries} ({_size(view.size)})",
        f"Authority: SHA-256 {view.authority_fingerprint}",
    ]
    return "\n".join(lines if view.database == "sqlite" else [*lines, NOT_IN_IT])


def _size(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _end(view: BackupView) -> None:
    """A trail that does not hold is no reason to lose the rest, and must not be passed over."""
    if view.trail:
        click.echo(visible(f"The audit trail in it is broken: {view.trail}"), err=True)
        raise SystemExit(REFUSED)


def _shown(unit: str, *, as_json: bool) -> Callable[[int, int], None]:
    """Progress on a terminal."""
    last = -1

    def show(done: int, total: int) -> None:
        nonlocal last
        percent = 100 * done // max(1, total)
        if percent != last and sys.stderr.isatty() and not as_json:
            last = percent
            click.echo(f"\r{percent} % of {total} {unit}" + ("\r\033[K" if done >= total else ""), nl=False, err=True)

    return show
