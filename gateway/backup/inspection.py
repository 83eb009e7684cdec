"""Whether what was read from a backup is a relay's whole state: it is opened, as the relay would at its start."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from certs import CertsError
from gateway.app import load_keys, open_relay_store
from gateway.backup.age import Opener
from gateway.backup.archive import DATABASE, Manifest, read_archive
from gateway.backup.errors import BackupUnsound, BackupUnwritable
from gateway.keys import RelayKeys
from gateway.settings import ServerError, ServerSettings
from gateway.store import AuditBroken, AuditHeads, Store, StoreError, check_copy, is_empty

Progress = Callable[[int, int], None]
"""How much is done, of how much."""


class BackupView(msgspec.Struct, kw_only=True):
    """A backup, as an administrator sees it."""

    file: str
    made_at: float
    """Unix seconds."""
    node: str
    authority_fingerprint: str
    """SHA-256 of the authority that agents pin: whose backup it is."""
    software: str
    database: str
    """`sqlite`: it is in the backup; `postgresql`: it is not."""
    size: int
    """Bytes."""
    entries: int | None = None
    """Of the audit trail; None where that is not in the backup, or is broken."""
    trail: str = ""
    """What is wrong with the audit trail; empty for nothing, or where that is not in the backup."""


async def inspect(file: Path, staged: Path, manifest: Manifest, now: float, progress: Progress | None = None) -> BackupView:
    """What a backup is, by its own words and by what was found in it. Raises BackupUnsound.

    file: what is named in errors; staged: where its files are. progress: in entries of the audit trail.
    """
    keys = await asyncio.to_thread(load_staged_keys, file, staged, now)
    view = BackupView(
        file=str(file),
        made_at=manifest.made_at,
        node=keys.identity.name,
        authority_fingerprint=keys.authority.fingerprint,
        software=manifest.software,
        database=manifest.database,
        size=0,
    )
    if manifest.database == "sqlite":
        async with staged_store(file, staged, keys) as store:
            view.entries, view.trail = await inspect_trail(store, staged, progress)
    return view


async def verify_backup(file: Path, opener: Opener, *, now: float, progress: Progress | None = None) -> BackupView:
    """Read a backup to its end and open what is in it, in a private directory of its own that is removed afterwards.

    progress: in entries of the audit trail. Raises BackupError.
    """
    with tempfile.TemporaryDirectory(prefix="isthmus-backup-", ignore_cleanup_errors=True) as made:
        staged = Path(made)  # mode 0700
        try:
            manifest = await asyncio.to_thread(read_archive, file, opener, staged)
        except OSError as error:
            problem = f"cannot be unpacked into {staged.parent} ({error.strerror})"
            raise BackupUnwritable(file, problem, "free space there, or set TMPDIR") from error
        view = await inspect(file, staged, manifest, now, progress)
    view.size = await asyncio.to_thread(size_of, file)
    return view


def load_staged_keys(file: Path, staged: Path, now: float) -> RelayKeys:
    """Raises BackupUnsound."""
    try:
        return load_keys(_settings(staged), now)
    except (ServerError, CertsError) as error:
        raise BackupUnsound(file, f"its keys do not match each other ({error})", "use an earlier backup") from error


def _settings(staged: Path) -> ServerSettings:
    """As far as keys and database need any: a backup is read on machines where no relay runs."""
    return ServerSettings(state_dir=staged, public_url="https://relay.invalid")


def size_of(file: Path) -> int:
    """Bytes. Raises OSError."""
    return file.stat().st_size


@asynccontextmanager
async def staged_store(file: Path, staged: Path, keys: RelayKeys) -> AsyncIterator[Store]:
    """The database that was read, brought to this version's schema. Raises BackupUnsound where it cannot be used."""
    database = staged / DATABASE
    try:
        check_copy(database)
        if is_empty(database):
            raise BackupUnsound(file, "its database is empty", "use an earlier backup")
        store = open_relay_store(_settings(staged), keys)
    except StoreError as error:
        raise BackupUnsound(file, f"its database cannot be used: {error}", "use an earlier backup") from error
    try:
        yield store
    finally:
        await store.close()


async def inspect_trail(store: Store, staged: Path, progress: Progress | None = None) -> tuple[int | None, str]:
    """How many entries the trail has, and what is wrong with it: against itself, and what was noted of it."""
    try:
        report, _ = await AuditHeads(store.audit, staged, store.node).verify(progress)
    except AuditBroken as error:
        return None, str(error)
    return report.entries, ""
