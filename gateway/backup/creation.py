"""A backup of a relay, whether it runs or not.

    state_dir/.backup-…/relay.db     a copy of the database, of one moment
    FILE's directory/.….tmp          copy and files of state_dir, encrypted; read back, and compared
                                     then the copy is opened: pages, schema, the chains of the audit trail
    FILE                             only now

Killed anywhere, FILE is what it was; what was left is removed by the next backup.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from certs import KeyStoreError, atomic_write, sync_directory
from gateway.app import load_keys, store_file
from gateway.backup.age import MAGIC, Lock
from gateway.backup.archive import DATABASE, FORMAT, Manifest, read_archive, summarize, write_archive
from gateway.backup.errors import BackupUnreadable, BackupUnsound, BackupUnwritable
from gateway.backup.inspection import BackupView, Progress, inspect
from gateway.backup.state_files import COPY, LAST_BACKUP, find_state
from gateway.settings import ServerSettings
from gateway.store import RELEASE, copy_database

_SPARE = 64 * 1024 * 1024
"""Bytes that stay free beside the relay's database: without room nobody can sign in."""


def _unseen(_done: int, _total: int) -> None:
    pass


async def make_backup(
    settings: ServerSettings, file: Path, lock: Lock, *, now: float, progress: Progress = _unseen
) -> BackupView:
    """Write a backup of a relay's state into `file`, in place of a backup that is there: the three steps below.

    Raises BackupError, StoreError, ServerError, CertsError; then `file` is what it was.
    """
    with pending_backup(file, settings.state_dir) as pending:
        view = await write_backup(settings, file, pending.content, lock, now=now, progress=progress)
        pending.put_in_place()
    note_backup(settings.state_dir, now)
    return view


class PendingBackup:
    """The file that is to become a backup, under another name."""

    def __init__(self, file: Path, temporary: Path, content: BinaryIO) -> None:
        self._file, self._temporary, self.content = file, temporary, content

    def put_in_place(self) -> None:
        """It is one. Raises BackupUnwritable."""
        with _writing(self._file):
            self._temporary.replace(self._file)
            sync_directory(self._file.parent)


@contextmanager
def pending_backup(file: Path, state_dir: Path) -> Iterator[PendingBackup]:
    """A file for `write_backup`; what was not put in place in the block is removed. Nothing in `state_dir` is touched.

    Raises BackupUnwritable.
    """
    _check_place(file, state_dir)
    with _writing(file):
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w+b") as content:
            yield PendingBackup(file, Path(name), content)
    finally:
        with contextlib.suppress(OSError):
            Path(name).unlink()


async def write_backup(
    settings: ServerSettings, file: Path, content: BinaryIO, lock: Lock, *, now: float, progress: Progress = _unseen
) -> BackupView:
    """Write a backup into an open file, and verify it, as the owner of `state_dir`. file: its name; progress: in bytes.

    A trail that does not hold is told, and is backed up all the same: it is evidence.
    Raises BackupError, StoreError, ServerError, CertsError.
    """
    keys = await asyncio.to_thread(load_keys, settings, now, renew=False)
    with _copying(settings.state_dir), _scratch(settings.state_dir) as scratch:
        manifest = await asyncio.to_thread(_copy, settings, scratch, keys.identity.name, now)
        await asyncio.to_thread(_encrypt, file, content, lock, manifest, scratch, progress)
        view = await inspect(settings.state_dir, scratch, manifest, now)
    view.file, view.size = str(file), content.seek(0, os.SEEK_END)
    return view


def note_backup(state_dir: Path, now: float) -> None:
    """When the last backup was made, for `relay check`, as the owner of `state_dir`. Raises BackupUnwritable."""
    path = state_dir / LAST_BACKUP
    try:
        atomic_write(path, msgspec.json.encode({"at": now}))
    except KeyStoreError as error:
        raise BackupUnwritable(
            path, f"the backup was made, but its time could not be recorded ({error})", "make room"
        ) from error


def _copy(settings: ServerSettings, scratch: Path, node: str, now: float) -> Manifest:
    """Everything as it is now: the running relay may replace a file while the backup is written."""
    for name, path in find_state(settings.state_dir).items():  # before the database: what was noted of its trail is in it
        _keep(path, scratch / name)
    database = store_file(settings)
    if database is not None:
        _check_room(database, scratch)
        try:
            copy_database(database, scratch / DATABASE)
        except FileNotFoundError as error:
            problem = "is missing, although the relay's keys are there"
            raise BackupUnsound(database, problem, "restore a backup; after `relay init` start the relay once") from error
    files = {path.relative_to(scratch).as_posix(): summarize(path) for path in sorted(scratch.rglob("*")) if path.is_file()}
    kind = "sqlite" if database is not None else "postgresql"
    return Manifest(format=FORMAT, made_at=now, software=RELEASE, node=node, database=kind, files=files)


def _keep(path: Path, copy: Path) -> None:
    copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    copy.chmod(0o600)


def _encrypt(file: Path, content: BinaryIO, lock: Lock, manifest: Manifest, scratch: Path, progress: Progress) -> None:
    """Encrypt what was copied, and read that back."""
    total, done = 2 * sum(found.size for found in manifest.files.values()), 0

    def moved(size: int) -> None:
        nonlocal done
        done += size
        progress(done, total)

    with _writing(file):
        key = write_archive(content, lock, manifest, scratch, moved)
        content.flush()
        os.fsync(content.fileno())
        content.seek(0)
        again = os.fdopen(os.dup(content.fileno()), "rb")
        if read_archive(file, key, None, moved, opened=again) != manifest:
            raise BackupUnreadable(file, "does not hold what was written", "check the disk; the backup was discarded")


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "make room" if error.errno == errno.ENOSPC else "choose another path, or check its owner and permissions"
        raise BackupUnwritable(file, f"cannot be written ({error.strerror})", f"{remedy}; nothing was changed") from error


def _check_place(file: Path, state_dir: Path) -> None:
    """Raises BackupUnwritable."""
    if not file.parent.is_dir():
        raise BackupUnwritable(file, "its directory does not exist", "create it, or choose another path")
    if file.parent.resolve().is_relative_to(state_dir.resolve()):
        raise BackupUnwritable(file, "is in state_dir, which is what is backed up", "choose another disk or machine")
    try:
        if not file.is_file():
            if file.exists():
                raise BackupUnwritable(file, "is not a regular file", "give a file")
            return
        with file.open("rb") as there:
            found = there.read(len(MAGIC))
    except OSError as error:
        raise BackupUnwritable(file, f"cannot be opened ({error.strerror})", "choose another name") from error
    if found and found != MAGIC:
        raise BackupUnwritable(file, "exists, and is not a backup", "choose another name; nothing was overwritten")


def _check_room(database: Path, scratch: Path) -> None:
    """Raises BackupUnwritable. The copy must not take the room in which the relay writes."""
    log = database.with_name(f"{database.name}-wal")
    needed = database.stat().st_size if database.exists() else 0
    needed += log.stat().st_size if log.exists() else 0
    free = shutil.disk_usage(scratch).free
    if free < needed + _SPARE:
        problem = f"a copy of the database temporarily needs {needed >> 20} MiB, and only {free >> 20} MiB are free"
        raise BackupUnwritable(scratch.parent, problem, f"make room: {_SPARE >> 20} MiB must stay free for the relay")


@contextmanager
def _copying(state_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = Path(os.fsdecode(error.filename)) if error.filename else state_dir
        remedy = (
            "make room"
            if error.errno == errno.ENOSPC
            else "check its owner: all files in state_dir must belong to the relay's user"
        )
        raise BackupUnsound(where, f"cannot be copied ({error.strerror})", remedy) from error


@contextmanager
def _scratch(state_dir: Path) -> Iterator[Path]:
    """A directory for the copy, as private as the database; those of backups that were killed are removed."""
    for left in state_dir.glob(f"{COPY}*"):
        with _claimed(left) as alone:
            if alone:
                shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=COPY, dir=state_dir))
    try:
        with _claimed(made):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _claimed(directory: Path) -> Iterator[bool]:
    """Whether nobody else is at work in it."""
    import fcntl  # Windows, where no relay runs, has none

    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)
