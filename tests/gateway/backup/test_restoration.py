"""The way back: nothing is changed unless all is good; what was so at the time of the backup is not so again by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from demo.postgres import ThrowawayPostgres
from gateway.app import ServerError, ServerSettings, init, load_keys, serving
from gateway.backup import (
    BackupError,
    BackupLocked,
    BackupUnsound,
    Passphrase,
    RestoreRefused,
    RestoreView,
    finish_restore,
    make_backup,
    restore,
    unfinished,
)
from gateway.backup import restoration as restoration_module
from gateway.store import AuditHeads, StoreEmptied, TokenSpent
from tests.gateway.backup.conftest import ANNA, PHRASE, live_through_a_day, opened, record

NOW = time.time()


async def backed_up(settings: ServerSettings, file: Path) -> None:
    async with opened(settings) as store:
        await live_through_a_day(store)
        await AuditHeads(store.audit, settings.state_dir, store.node).note()
    await make_backup(settings, file, PHRASE, now=NOW)


async def restored(
    settings: ServerSettings, file: Path, *, replace_state: bool = False, opener: Passphrase = PHRASE
) -> RestoreView:
    return await restore(settings, file, opener, replace_state=replace_state, actor="admin:test", now=NOW + 60)


async def test_a_lost_relay_is_back(settings: ServerSettings, file: Path) -> None:
    """With its keys and its agents. Nobody is signed in, no token is good, no challenge is open, and the trail says so."""
    await backed_up(settings, file)
    fingerprint = load_keys(settings, NOW).authority.fingerprint
    shutil.rmtree(settings.state_dir)
    view = await restored(settings, file)
    assert (view.sessions, view.grants, view.tokens, view.replaced, view.remark) == (1, 1, 1, "", "")
    assert view.not_told == ("wiki",)
    assert load_keys(settings, NOW).authority.fingerprint == fingerprint
    async with opened(settings) as store:
        assert [record.name for record in await store.agents.all()] == ["dc1", "dc2"]
        assert await store.sessions.of_user(ANNA, NOW) == []
        assert await store.grants.of_account(ANNA, NOW) == []
        assert await store.participants.find("wiki", "i1") is None
        assert await store.consents.get(ANNA, "wiki") is not None
        with pytest.raises(TokenSpent):
            await store.tokens.peek("t1", NOW)
        assert await store.once.take("challenge", "c1", NOW) is None
        (entry,) = await store.audit.entries(kind="admin.restored")
        assert (entry.event.actor, entry.event.subject) == ("admin:test", "relay1")
        made = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW))
        ended = {"sessions_ended": "1", "grants_ended": "1", "tokens_ended": "1"}
        assert entry.event.detail == {"backup_of": made, **ended, "not_told": "wiki"}
        report, witnessed = await AuditHeads(store.audit, settings.state_dir, store.node).verify()
        assert (report.entries, witnessed) == (4, 2)
    for path in settings.state_dir.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert not list(settings.state_dir.glob(".*"))


async def test_it_serves(settings: ServerSettings, file: Path, logs: list[dict[str, object]]) -> None:
    """Without an alarm: what was noted of the trail is as the trail is."""
    await backed_up(settings, file)
    shutil.rmtree(settings.state_dir)
    await restored(settings, file)
    async with serving(settings) as running:
        assert (await running.administration.verify_audit()).entries == 4
    assert [
        line["event"] for line in logs if str(line["event"]).startswith("audit.") and line["event"] != "audit.head"
    ] == []


async def test_a_restore_without_asking_replaces_nothing(settings: ServerSettings, file: Path) -> None:
    """Not even where there are keys only; with --replace what was there is aside, whole, and can be put back."""
    await backed_up(settings, file)
    async with opened(settings) as store:
        await record(store, 5)
        await AuditHeads(store.audit, settings.state_dir, store.node).note()
    before = (settings.state_dir / "secret.key").read_bytes()
    with pytest.raises(RestoreRefused, match="use --replace"):
        await restored(settings, file)
    assert not list(settings.state_dir.glob(".*"))
    view = await restored(settings, file, replace_state=True)
    aside = Path(view.replaced)
    assert (aside / "secret.key").read_bytes() == before
    async with opened(replace(settings, state_dir=aside)) as store:
        assert (await store.audit.verify()).entries == 8
    async with opened(settings) as store:  # what is gone with it stands in the trail
        (entry,) = await store.audit.entries(kind="admin.restored")
        assert entry.event.detail["noted"].startswith("2-5:")
        await AuditHeads(store.audit, settings.state_dir, store.node).verify()
    await make_backup(settings, file, PHRASE, now=NOW)  # what is aside is not in the next backup
    assert {path.name for path in aside.parent.iterdir()} >= {aside.name, "last-backup"}


async def test_who_was_revoked_since_is_revoked_again(settings: ServerSettings, file: Path) -> None:
    """Where the state that is replaced can still be read: a restore lets nobody in whom it knows to be out."""
    await backed_up(settings, file)
    async with opened(settings) as store:
        await store.agents.revoke("dc2", NOW, "stolen")
    view = await restored(settings, file, replace_state=True)
    assert view.revoked_agents == ("dc2",)
    async with opened(settings) as store:
        assert [(record.name, record.revoked_at is None) for record in await store.agents.all()] == [
            ("dc1", True),
            ("dc2", False),
        ]


async def test_a_state_that_cannot_be_read_is_no_hindrance(settings: ServerSettings, file: Path) -> None:
    """It is what one restores for."""
    await backed_up(settings, file)
    (settings.state_dir / "relay.db").write_bytes(b"x" * 9000)
    (settings.state_dir / "audit-heads").write_bytes(b"\xff\n")
    view = await restored(settings, file, replace_state=True)
    assert view.revoked_agents == ()
    async with opened(settings) as store:
        (entry,) = await store.audit.entries(kind="admin.restored")
        assert "not the head of a chain" in entry.event.detail["noted"]


async def test_a_running_relay_is_not_restored_over(settings: ServerSettings, file: Path) -> None:
    """Its database would go on in files that nobody sees."""
    await backed_up(settings, file)
    async with serving(settings):
        with pytest.raises(ServerError, match="another relay runs"):
            await restored(settings, file, replace_state=True)
    async with opened(settings) as store:
        assert await store.audit.entries(kind="admin.restored") == []


def spoil(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-500] + bytes([content[-500] ^ 1]) + content[-499:])


@pytest.mark.parametrize("reason", ["damaged", "locked"])
async def test_nothing_is_changed_by_a_backup_that_is_none(settings: ServerSettings, file: Path, reason: str) -> None:
    """The state that is there stays as it is, to the byte."""
    await backed_up(settings, file)
    before = {path: path.read_bytes() for path in settings.state_dir.rglob("*") if path.is_file()}
    if reason == "damaged":
        spoil(file)
    with pytest.raises(BackupError) as refused:
        await restored(settings, file, replace_state=True, opener=Passphrase("another") if reason == "locked" else PHRASE)
    assert isinstance(refused.value, BackupLocked) is (reason == "locked")
    after = {path: path.read_bytes() for path in settings.state_dir.rglob("*") if path.is_file()}
    assert {path for path in after if path.name != "relay.lock"} == set(before)
    assert all(after[path] == content for path, content in before.items())


async def test_a_trail_that_does_not_hold_is_not_restored(settings: ServerSettings, file: Path) -> None:
    """Its entry would vouch for it."""
    async with opened(settings) as store:
        await record(store)
        await store._database.write(  # type: ignore[attr-defined]
            lambda connection: connection.exec_driver_sql("UPDATE audit_events SET subject = 'x' WHERE seq = 2").close()
        )
    await make_backup(settings, file, PHRASE, now=NOW)
    with pytest.raises(BackupUnsound, match="broken at entry 1-2"):
        await restored(settings, file, replace_state=True)


async def test_a_backup_of_another_kind_of_database_is_refused(settings: ServerSettings, file: Path) -> None:
    """A relay on a server's database would start with none of what is in it."""
    await backed_up(settings, file)
    elsewhere = replace(settings, store_url="postgresql://isthmus@127.0.0.1:1/isthmus")
    with pytest.raises(BackupUnsound, match="is from a relay with sqlite, but the settings say postgresql"):
        await restored(elsewhere, file, replace_state=True)


@pytest.mark.postgres
async def test_the_keys_alone_come_back(shared: ServerSettings, file: Path, postgres: ThrowawayPostgres) -> None:
    """The server's database is not touched: its sessions stay. The trail says what was done, where it can."""
    async with opened(shared) as store:
        await live_through_a_day(store)
    await make_backup(shared, file, PHRASE, now=NOW)
    shutil.rmtree(shared.state_dir)
    view = await restored(shared, file)
    assert (view.sessions, view.remark) == (0, "")
    async with opened(shared) as store:
        assert len(await store.sessions.of_user(ANNA, NOW)) == 1
        assert len(await store.audit.entries(kind="admin.restored")) == 1
    shutil.rmtree(shared.state_dir)
    other = replace(shared, store_url=postgres.create_database())
    async with opened(replace(settings_of(other), store_url=other.store_url)):
        pass
    view = await restored(other, file)
    assert "sealed with another secret.key" in view.remark


def settings_of(settings: ServerSettings) -> ServerSettings:
    """Another relay, with keys of its own."""
    other = replace(settings, state_dir=settings.state_dir.with_name("other"))
    init(other, name="relay9", now=NOW)
    return other


async def test_a_database_elsewhere_comes_back_there(settings: ServerSettings, file: Path, tmp_path: Path) -> None:
    """What was there is aside with the rest."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    database = tmp_path / "elsewhere" / "own.db"
    moved = replace(settings, store_url=f"sqlite:///{database}")
    await backed_up(moved, file)
    view = await restored(moved, file, replace_state=True)
    assert (Path(view.replaced) / "own.db").exists()
    assert [path.name for path in database.parent.iterdir()] == ["own.db"]
    async with opened(moved) as store:
        assert (await store.audit.verify()).entries == 4


async def test_a_copy_without_its_log_does_not_start(settings: ServerSettings, file: Path, tmp_path: Path) -> None:
    """As `cp` makes one of a young relay that runs, without relay.db-wal: it opens cleanly, and is empty. A backup helps."""
    copy = replace(settings, state_dir=tmp_path / "copy")
    async with serving(settings) as running:
        await record(running.store)
        await running.heads.note()
        await make_backup(settings, file, PHRASE, now=NOW)
        ignored = shutil.ignore_patterns("*-wal", "*-shm", "control.sock", "relay.lock")
        await asyncio.to_thread(shutil.copytree, settings.state_dir, copy.state_dir, ignore=ignored)
    for _ in range(2):
        with pytest.raises(StoreEmptied, match=r"without relay.db-wal looks like that.*isthmus relay restore"):
            async with serving(copy):
                pass
    await restored(copy, file, replace_state=True)
    async with serving(copy) as running:
        assert (await running.administration.verify_audit()).entries == 4


# -- killed


KILLED = 137


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do it in a process of its own, which is gone right before its number-th change of a file; whether it came that far."""
    child = os.fork()
    if child == 0:
        left = number
        names = ("replace", "rename", "mkdir", "unlink", "rmdir", "open", "chown")

        def count(name: str, function: Callable[..., object]) -> Callable[..., object]:
            def counted(*arguments: object, **named: object) -> object:
                nonlocal left
                if name != "open" or (len(arguments) > 1 and isinstance(arguments[1], int) and arguments[1] & os.O_CREAT):
                    left -= 1
                    if left == 0:
                        os._exit(KILLED)
                return function(*arguments, **named)

            return counted

        for name in names:
            setattr(os, name, count(name, getattr(os, name)))
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent sees the code
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, KILLED}
    return code == KILLED


def test_a_restore_that_is_killed_is_finished(settings: ServerSettings, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every change of a file from the moment on in which it is decided: no relay starts in between, none is lost."""
    asyncio.run(backed_up(settings, file))
    old = (settings.state_dir / "secret.key").read_bytes()
    prepared = settings.state_dir.with_name("prepared")

    def stop(*_: object) -> RestoreView:
        shutil.copytree(settings.state_dir, prepared)
        raise RestoreRefused("", "stopped", "")

    with monkeypatch.context() as patch:
        patch.setattr(restoration_module, "_finish", stop)
        with pytest.raises(RestoreRefused):
            asyncio.run(restored(settings, file, replace_state=True))
    number = 1
    while True:
        shutil.rmtree(settings.state_dir)
        shutil.copytree(prepared, settings.state_dir)
        if not killed_at(number, lambda: finish_restore(settings)):
            break
        if unfinished(settings):
            with pytest.raises(ServerError, match="interrupted restore"):
                load_keys(settings, NOW)
            with pytest.raises(ServerError, match="interrupted restore"):
                init(settings, name="relay1", now=NOW)
            assert finish_restore(settings).resumed
        check_finished(settings, old)
        number += 1
    check_finished(settings, old)
    assert number > 10


def check_finished(settings: ServerSettings, old: bytes) -> None:
    async def entries() -> int:
        async with opened(settings) as store:
            report, _ = await AuditHeads(store.audit, settings.state_dir, store.node).verify()
            assert len(await store.audit.entries(kind="admin.restored")) == 1
            return report.entries

    assert asyncio.run(entries()) == 4
    (aside,) = settings.state_dir.glob("replaced-*")
    assert (aside / "secret.key").read_bytes() == old
    assert (aside / "relay.db").exists()
