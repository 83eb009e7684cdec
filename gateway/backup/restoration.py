"""A relay's state from a backup.

    state_dir/.restore-…     what was read; opened, and made good for a restore: nobody is signed in, no token is good,
                             the trail says what was done
    state_dir/.restoring     the same, from the moment on in which it is decided: what happens now is finished by the next
                             `restore`, and no relay starts before
    state_dir/replaced-…     what was there before
    state_dir                what was read; secret.key last

Killed before `.restoring` is there, nothing has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog

from certs import CertsError, private_directory, sync_directory
from gateway.app import claim_state_dir, load_keys, open_relay_store, store_file
from gateway.backup.age import Opener
from gateway.backup.archive import DATABASE, Manifest, read_archive
from gateway.backup.errors import BackupUnsound, BackupUnwritable, RestoreRefused
from gateway.backup.inspection import BackupView, Progress, inspect, load_staged_keys, size_of, staged_store
from gateway.backup.state_files import REPLACED, STAGED, holds_state, is_database, own_entries
from gateway.keys import RESTORING, SECRET_NAME, RelayKeys
from gateway.settings import ServerError, ServerSettings
from gateway.store import WITNESS_NAME, AuditEvent, AuditHeads, StoreError, copy_database

log = structlog.get_logger()

_MOVED = ".moved"
"""In `.restoring`: what was there before is aside."""
_VIEW = ".view"
"""What is told in the end."""


class RestoreView(msgspec.Struct, kw_only=True):
    """What a restore did."""

    backup: BackupView
    sessions: int = 0
    """That were ended."""
    grants: int = 0
    """Of applications, that were ended with their refresh tokens."""
    tokens: int = 0
    """Enrolment tokens that were ended."""
    not_told: tuple[str, ...] = ()
    """Ids of the trusts of applications in those sessions: no relay runs that could tell them."""
    revoked_agents: tuple[str, ...] = ()
    """Revoked in the state that was there before, not yet in the backup: revoked again."""
    revoked_api_keys: tuple[str, ...] = ()
    """The same of API keys, by id."""
    replaced: str = ""
    """Where the state is that was there before; empty where none was."""
    remark: str = ""
    """What could not be done; empty for nothing."""
    resumed: bool = False
    """It was begun by an earlier command, which was interrupted."""


async def restore(
    settings: ServerSettings,
    file: Path,
    opener: Opener,
    *,
    replace_state: bool,
    actor: str,
    now: float,
    progress: Progress | None = None,
    opened: BinaryIO | None = None,
) -> RestoreView:
    """Put a backup in the place of a relay's state. replace_state: also where there is some; that is moved aside.

    opened: `file`, where only somebody else (root) could open it.

    Raises BackupError, ServerError where a relay runs there, CertsError, StoreError; then nothing has changed.
    """
    state_dir = await asyncio.to_thread(private_directory, settings.state_dir)
    with ExitStack() as stack:
        claim_state_dir(stack, state_dir)
        if unfinished(settings):
            raise RestoreRefused(state_dir, "contains an interrupted restore", "complete it first")
        if not replace_state and (holds_state(state_dir) or _outside(settings)):
            problem = "contains the state of a relay"
            raise RestoreRefused(state_dir, problem, "to replace it, use --replace: the existing files are moved aside")
        size = os.fstat(opened.fileno()).st_size if opened else None
        async with _staged(settings, file, opener, opened) as (staged, manifest):
            backup = await inspect(file, staged, manifest, now, progress)
            backup.size = await asyncio.to_thread(size_of, file) if size is None else size
            if backup.trail:
                raise BackupUnsound(file, backup.trail, "use an earlier backup")
            view = RestoreView(backup=backup)
            await _make_good(settings, staged, view, actor, now)
            await asyncio.to_thread(_decide, settings, staged, view)
        return await asyncio.to_thread(_finish, settings)


def unfinished(settings: ServerSettings) -> bool:
    """Whether a restore was interrupted when it had been decided."""
    return (settings.state_dir / RESTORING).exists()


def finish_restore(settings: ServerSettings) -> RestoreView:
    """Go on with it; neither the backup nor what opens it is needed. Raises BackupError, ServerError."""
    with ExitStack() as stack:
        claim_state_dir(stack, settings.state_dir)
        view = _finish(settings)
    view.resumed = True
    return view


@asynccontextmanager
async def _staged(
    settings: ServerSettings, file: Path, opener: Opener, opened: BinaryIO | None
) -> AsyncIterator[tuple[Path, Manifest]]:
    """What is in the backup, beside where it is to be; nothing of it is left where the block fails."""
    for left in settings.state_dir.glob(f"{STAGED}*"):
        shutil.rmtree(left, ignore_errors=True)
    with _writing(settings.state_dir):
        staged = Path(tempfile.mkdtemp(prefix=STAGED, dir=settings.state_dir))
        try:
            manifest = await asyncio.to_thread(read_archive, file, opener, staged, opened=opened)
            expected = "sqlite" if store_file(settings) is not None else "postgresql"
            if manifest.database != expected:
                problem = f"is from a relay with {manifest.database}, but the settings say {expected}"
                raise BackupUnsound(file, problem, "set store_url as on that relay")
            yield staged, manifest
        finally:
            shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def _writing(state_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = (
            "free some space, and run the command again"
            if error.errno == errno.ENOSPC
            else "check owner and permissions, and run the command again"
        )
        raise BackupUnwritable(state_dir, f"cannot be written ({error.strerror})", remedy) from error


async def _make_good(settings: ServerSettings, staged: Path, view: RestoreView, actor: str, now: float) -> None:
    """What was so when the backup was made and must not be so again; the trail tells of it."""
    file = Path(view.backup.file)
    keys = await asyncio.to_thread(load_staged_keys, file, staged, now)
    if view.backup.database == "postgresql":
        view.remark = await _record(settings, keys, _entry(view, actor, now))
        return
    agents, api_keys = await _revocations(settings, now)
    _take_witness(settings.state_dir, staged)
    async with staged_store(file, staged, keys) as store:
        view.sessions = await store.sessions.delete_all()
        view.grants = await store.grants.end_all()
        view.not_told = tuple(await store.participants.trusts())
        await store.participants.clear()
        view.tokens = await store.tokens.end_all(now)
        await store.once.clear()
        view.revoked_agents = tuple([name for name in agents if await store.agents.revoke(name, now, _AGAIN)])
        view.revoked_api_keys = tuple([key_id for key_id in api_keys if await store.api_keys.revoke(key_id, now)])
        await AuditHeads(store.audit, staged, store.node).renew(_entry(view, actor, now))


_MOST_IN_TRAIL = 50
"""Applications that the entry names."""
_AGAIN = "revoked before a backup was restored"


async def _record(settings: ServerSettings, keys: RelayKeys, entry: AuditEvent) -> str:
    """The entry of a restore without a database: nothing else there has changed. What went wrong; empty for nothing."""
    try:
        store = open_relay_store(settings, keys)
    except StoreError as error:
        return f"the database could not be read ({error})"
    try:
        await store.audit.append(entry)
    except StoreError as error:
        return f"it could not be recorded in the audit trail ({error})"
    finally:
        await store.close()
    return ""


async def _revocations(settings: ServerSettings, now: float) -> tuple[list[str], list[str]]:
    """Agents and ids of API keys that the state that is there has revoked; none where it cannot be read any more."""
    database = store_file(settings)
    try:
        if database is None or not database.exists():
            return [], []
        with tempfile.TemporaryDirectory(prefix=STAGED, dir=settings.state_dir) as made:
            keys = await asyncio.to_thread(load_keys, settings, now)
            await asyncio.to_thread(copy_database, database, Path(made) / DATABASE)
            store = open_relay_store(replace(settings, state_dir=Path(made), store_url=None), keys)
            try:
                agents = {record.name for record in await store.agents.all() if record.revoked_at is not None}
                api_keys = [record.id for record in await store.api_keys.all() if record.revoked_at is not None]
            finally:
                await store.close()
    except (StoreError, ServerError, CertsError, OSError) as error:
        log.warning("restore.revocations_unknown", error=str(error))
        return [], []
    return sorted(agents), api_keys


def _entry(view: RestoreView, actor: str, now: float) -> AuditEvent:
    made = datetime.fromtimestamp(view.backup.made_at, UTC).isoformat(timespec="seconds")
    ended = {"sessions_ended": view.sessions, "grants_ended": view.grants, "tokens_ended": view.tokens}
    detail = {"backup_of": made} | {name: str(count) for name, count in ended.items()}
    if view.not_told:
        more = len(view.not_told) - _MOST_IN_TRAIL
        detail["not_told"] = " ".join(view.not_told[:_MOST_IN_TRAIL]) + (f" and {more} more" if more > 0 else "")
    return AuditEvent(time=now, kind="admin.restored", actor=actor, subject=view.backup.node, detail=detail)


def _take_witness(state_dir: Path, staged: Path) -> None:
    """What was noted of the trail that is replaced: what of it is gone stands in the entry then."""
    with contextlib.suppress(OSError):
        shutil.copyfile(state_dir / WITNESS_NAME, staged / WITNESS_NAME)
        (staged / WITNESS_NAME).chmod(0o600)


def _outside(settings: ServerSettings) -> Path | None:
    """The database, where it is in another place than `state_dir`."""
    database = store_file(settings)
    return database if database is not None and database.parent.resolve() != settings.state_dir.resolve() else None


def _decide(settings: ServerSettings, staged: Path, view: RestoreView) -> None:
    """From here on it is finished, whoever is killed. Raises BackupUnwritable."""
    with _writing(settings.state_dir):
        if (outside := _outside(settings)) is not None:
            shutil.copyfile(staged / DATABASE, _beside(outside))
            _beside(outside).chmod(0o600)
            (staged / DATABASE).unlink()
        _write_synced(staged / _VIEW, msgspec.json.encode(view))
        for directory in (*(path for path in staged.rglob("*") if path.is_dir()), staged):
            sync_directory(directory)
        staged.rename(settings.state_dir / RESTORING)
        sync_directory(settings.state_dir)


def _finish(settings: ServerSettings) -> RestoreView:
    """Move aside what is there, then in place what was read: each file is in one of the places at any time."""
    state_dir, database = settings.state_dir, store_file(settings)
    coming = state_dir / RESTORING
    with _writing(state_dir):
        view = msgspec.json.decode((coming / _VIEW).read_bytes(), type=RestoreView)
        stamp = datetime.fromtimestamp((coming / _VIEW).stat().st_mtime, UTC).strftime("%Y-%m-%dT%H%M%SZ")
        aside = state_dir / f"{REPLACED}{stamp}"
        if not (coming / _MOVED).exists():
            _move_aside(state_dir, aside, database, _outside(settings))
            _write_synced(coming / _MOVED, b"")
            sync_directory(coming)
        view.replaced = str(aside) if aside.exists() else ""
        for path in sorted(coming.iterdir(), key=lambda path: path.name == SECRET_NAME):  # that one last: see gateway.keys
            if path.name not in {_MOVED, _VIEW}:
                target = database if path.name == DATABASE and database is not None else state_dir / path.name
                path.replace(target)
        if (outside := _outside(settings)) is not None and _beside(outside).exists():
            _beside(outside).replace(outside)
            sync_directory(outside.parent)
        sync_directory(state_dir)
        done = state_dir / f"{STAGED}done"
        coming.rename(done)  # as a whole: with half of its notes it would be taken for one that has just been decided
        sync_directory(state_dir)
        shutil.rmtree(done)
    return view


def _move_aside(state_dir: Path, aside: Path, database: Path | None, outside: Path | None) -> None:
    entries = own_entries(state_dir)
    if outside is not None:
        entries += [path for path in outside.parent.iterdir() if is_database(path.name, outside.name)]
    if entries:
        aside.mkdir(mode=0o700, exist_ok=True)
    for path in sorted(entries, key=lambda path: path.name != SECRET_NAME):
        shutil.move(path, aside / path.name)
    sync_directory(state_dir)


def _beside(database: Path) -> Path:
    return database.with_name(f".{database.name}{RESTORING}")


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
