"""Making a backup: of a relay that runs, whole or not at all, and never more than may be told."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app import ServerSettings, load_keys, serving
from gateway.backup import (
    BackupError,
    BackupLocked,
    BackupUnreadable,
    BackupUnwritable,
    BackupView,
    Passphrase,
    PrivateKey,
    make_backup,
    verify_backup,
)
from gateway.store import StoreError
from tests.gateway.backup.conftest import PHRASE, opened, record

KEY = PrivateKey.generate()
NOW = time.time()


def content_of(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def spoil(file: Path, damage: Callable[[bytes], bytes]) -> None:
    file.write_bytes(damage(file.read_bytes()))


async def made(settings: ServerSettings, file: Path) -> BackupView:
    return await make_backup(settings, file, PHRASE, now=NOW)


async def test_a_running_relay_is_backed_up_whole(settings: ServerSettings, file: Path) -> None:
    """While it writes: what was confirmed before is in it. It goes on, and nothing of it is lost."""
    async with serving(settings) as running:
        await record(running.store, 50)
        writing = asyncio.create_task(record(running.store, 200))
        view = await made(settings, file)
        await writing
        assert (await running.store.audit.verify()).entries == 250
    assert 50 <= (view.entries or 0) <= 250
    keys = load_keys(settings, NOW)
    assert (view.node, view.authority_fingerprint, view.trail) == ("relay1", keys.authority.fingerprint, "")
    assert await verify_backup(file, PHRASE, now=NOW) == view
    assert mode_of(file) == 0o600
    assert (settings.state_dir / "relay.db-wal").exists() is False  # it ended in order: nobody had taken its log


async def test_a_stopped_relay_is_backed_up_too(settings: ServerSettings, file: Path) -> None:
    """To a public key: what opens it is on no relay. Nothing is left in the state directory but the time of the backup."""
    async with opened(settings) as store:
        await record(store)
    before = {path.name for path in settings.state_dir.iterdir()}
    view = await make_backup(settings, file, [KEY.public], now=NOW)
    assert await verify_backup(file, [KEY], now=NOW) == view
    assert {path.name for path in settings.state_dir.iterdir()} == before | {"last-backup"}
    assert json.loads((settings.state_dir / "last-backup").read_text()) == {"at": NOW}
    assert [path.name for path in file.parent.iterdir()] == ["relay.age"]


async def test_nothing_readable_is_in_it(settings: ServerSettings, file: Path) -> None:
    """No key and no name."""
    async with opened(settings) as store:
        await record(store)
    await made(settings, file)
    content = content_of(file)
    secret = (settings.state_dir / "secret.key").read_bytes()
    assert content.startswith(b"age-encryption.org/v1\n")
    assert not [word for word in (secret, b"user1", b"PRIVATE KEY", b"SQLite", b"manifest") if word in content]


@pytest.mark.parametrize("opener", [Passphrase("another one"), [PrivateKey.generate()]], ids=["passphrase", "key"])
async def test_what_does_not_open_it_is_told(settings: ServerSettings, file: Path, opener: Passphrase) -> None:
    """With what it is encrypted to; the passphrase is not in the error."""
    async with opened(settings):
        pass
    await made(settings, file)
    with pytest.raises(BackupLocked, match="is encrypted to a passphrase") as refused:
        await verify_backup(file, opener, now=NOW)
    assert "another one" not in str(refused.value)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[:-1000],
    "changed": lambda content: content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:],
    "empty": lambda _content: b"",
    "something else": lambda _content: b"SQLite format 3\0",
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_damaged_backup_is_no_backup(settings: ServerSettings, file: Path, damage: str) -> None:
    """And says so, with what to do."""
    async with opened(settings):
        pass
    await made(settings, file)
    spoil(file, DAMAGE[damage])
    with pytest.raises(BackupUnreadable, match=r"use an earlier backup"):
        await verify_backup(file, PHRASE, now=NOW)


async def test_a_newer_format_says_who_can_read_it(
    settings: ServerSettings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of calling it damaged."""
    async with opened(settings):
        pass
    with monkeypatch.context() as patch:
        patch.setattr("gateway.backup.archive.FORMAT", 2)
        patch.setattr("gateway.backup.creation.FORMAT", 2)
        patch.setattr("gateway.backup.creation.RELEASE", "7.0.0")
        await made(settings, file)
    with pytest.raises(BackupUnreadable, match=r"made by Isthmus 7.0.0, in a newer format \(2\)"):
        await verify_backup(file, PHRASE, now=NOW)


async def test_a_full_disk_leaves_the_backup_that_was_there(
    settings: ServerSettings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing beside it that could pass for one."""
    async with opened(settings):
        pass
    await made(settings, file)
    before = content_of(file)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("gateway.backup.creation.os.fsync", full)
        with pytest.raises(BackupUnwritable, match=r"No space left on device.*make room; nothing was changed"):
            await made(settings, file)
    assert content_of(file) == before
    assert [path.name for path in file.parent.iterdir()] == ["relay.age"]


async def test_a_copy_never_takes_the_room_in_which_the_relay_writes(
    settings: ServerSettings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk there stops every sign-in."""
    async with opened(settings):
        pass
    monkeypatch.setattr("gateway.backup.creation._SPARE", 1 << 60)
    with pytest.raises(BackupUnwritable, match="must stay free for the relay"):
        await made(settings, file)
    assert content_of(file) == b""


async def test_what_was_written_is_read_back(settings: ServerSettings, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not keep what it took: with a public key, too, where nothing here opens it."""
    async with opened(settings):
        pass
    fsync = os.fsync

    def spoil(descriptor: int) -> None:
        fsync(descriptor)
        os.pwrite(descriptor, b"\0", 5000)

    with monkeypatch.context() as patch:
        patch.setattr("gateway.backup.creation.os.fsync", spoil)
        with pytest.raises(BackupError):
            await make_backup(settings, file, [KEY.public], now=NOW)
    assert content_of(file) == b""


async def test_a_damaged_database_is_not_backed_up(settings: ServerSettings, file: Path) -> None:
    """The last good backup stays."""
    async with opened(settings) as store:
        await record(store, 300)
    await made(settings, file)
    before = content_of(file)
    with (settings.state_dir / "relay.db").open("r+b") as database:
        database.seek(20 * 4096)
        database.write(b"\xff" * 8 * 4096)
    with pytest.raises((BackupError, StoreError), match=r"damaged|malformed"):
        await made(settings, file)
    assert content_of(file) == before


async def test_a_trail_that_does_not_hold_is_backed_up_and_told(settings: ServerSettings, file: Path) -> None:
    """It is evidence; and a relay without backups would be the second damage."""
    async with opened(settings) as store:
        await record(store)
        await store._database.write(  # type: ignore[attr-defined]
            lambda connection: connection.exec_driver_sql("UPDATE audit_events SET subject = 'x' WHERE seq = 2").close()
        )
    view = await made(settings, file)
    assert view.entries is None
    assert "broken at entry 1-2" in view.trail
    assert "broken at entry 1-2" in (await verify_backup(file, PHRASE, now=NOW)).trail


@pytest.mark.postgres
async def test_the_database_of_a_server_is_not_in_it(settings: ServerSettings, shared: ServerSettings, file: Path) -> None:
    """PostgreSQL has backups of its own; the keys have not."""
    async with serving(shared):
        view = await made(shared, file)
    assert (view.database, view.entries) == ("postgresql", None)
    assert await verify_backup(file, PHRASE, now=NOW) == view


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("relay/backup.age", "is in state_dir"),
        ("relay/authority/backup.age", "is in state_dir"),
        ("nowhere/backup.age", "does not exist"),
        ("tls", "not a regular file"),
        ("tls/cert.pem", "exists, and is not a backup"),
    ],
)
async def test_a_place_that_is_none_is_refused(settings: ServerSettings, tmp_path: Path, place: str, problem: str) -> None:
    """Before anything is copied."""
    async with opened(settings):
        pass
    with pytest.raises(BackupUnwritable, match=problem):
        await made(settings, tmp_path / place)
    assert not list(settings.state_dir.glob(".backup-*"))


async def test_what_a_killed_backup_left_is_removed(settings: ServerSettings, file: Path) -> None:
    """Its copy of the database; not that of one that is under way."""
    async with opened(settings):
        pass
    left = settings.state_dir / ".backup-left"
    left.mkdir()
    (left / "relay.db").write_bytes(b"x")
    await made(settings, file)
    assert not left.exists()


async def test_a_relay_without_its_database_is_not_backed_up(settings: ServerSettings, file: Path) -> None:
    """A backup without it would pass for one."""
    with pytest.raises(BackupError, match="is missing, although the relay's keys are there"):
        await made(settings, file)
    assert content_of(file) == b""


async def test_what_is_no_file_of_the_relays_is_refused(settings: ServerSettings, file: Path) -> None:
    """A link out of the state directory would put into the backup what nobody asked for."""
    async with opened(settings):
        pass
    (settings.state_dir / "link").symlink_to("/etc/passwd")
    with pytest.raises(BackupError, match="is not a regular file"):
        await made(settings, file)


async def test_a_database_elsewhere_is_in_it(settings: ServerSettings, file: Path, tmp_path: Path) -> None:
    """A SQLite file that the settings name."""
    (tmp_path / "elsewhere").mkdir()
    moved = replace(settings, store_url=f"sqlite:///{tmp_path / 'elsewhere' / 'own.db'}")
    async with opened(moved) as store:
        await record(store)
    assert (await made(moved, file)).entries == 3
