"""What must last, on a real database; and the audit trail, attacked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.store import (
    AgentRecord,
    ApiKeyRecord,
    AuditBroken,
    AuditEvent,
    MemoryEphemeral,
    SessionRecord,
    Sighting,
    Store,
    StoreTooNew,
    StoreUnavailable,
    TokenRecord,
    TokenSpent,
    open_store,
)
from gateway.store.database import Database
from gateway.store.sql import SqlStore

NOW = 1_800_000_000.0
KEY = b"k" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "relay.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite:///{path}", audit_key=KEY)
    yield opened
    await opened.close()


def event(number: int = 0, **fields: object) -> AuditEvent:
    return AuditEvent(**{"time": NOW + number, "kind": "signin", "subject": f"user{number}", "outcome": "success", **fields})  # type: ignore[arg-type]


async def fill(store: Store, count: int) -> None:
    await asyncio.gather(*(store.audit.append(event(number)) for number in range(count)))


def edit(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


async def test_the_trail_keeps_order_and_filters(store: Store) -> None:
    """Newest first, pages, by kind and by whom."""
    await fill(store, 30)
    await store.audit.append(event(99, kind="admin.unlock", object_guid="g1"))
    await store.audit.append(event(100, object_guid="g1"))
    newest = await store.audit.entries(limit=3)
    assert [entry.seq for entry in newest] == [32, 31, 30]
    assert [entry.seq for entry in await store.audit.entries(limit=2, before=30)] == [29, 28]
    assert [entry.event.kind for entry in await store.audit.entries(kind="admin.unlock")] == ["admin.unlock"]
    assert [entry.event.subject for entry in await store.audit.entries(subject="user7")] == ["user7"]
    assert [entry.seq for entry in await store.audit.last_signins("g1")] == [32]


async def test_an_untouched_trail_verifies(store: Store) -> None:
    """With its head; an empty one too."""
    assert await store.audit.verify() is None
    await fill(store, 600)
    seen: list[tuple[int, int]] = []
    head = await store.audit.verify(lambda done, total: seen.append((done, total)))
    assert head is not None
    assert head.seq == 600
    assert seen[-1] == (600, 600)


@pytest.mark.parametrize(
    ("attack", "at"),
    [
        ("UPDATE audit SET body = replace(body, 'user5', 'user6') WHERE seq = 6", 6),
        ("UPDATE audit SET subject = 'somebody else' WHERE seq = 7", 7),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq > 15", 16),
        ("UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 3) WHERE seq = 9", 9),
        ("DELETE FROM audit_head", 21),
        ("UPDATE audit_head SET mac = hash", 21),
        ("INSERT INTO audit SELECT seq + 20, time, kind, subject, object_guid, body, hash FROM audit WHERE seq = 1", 21),
        ("DELETE FROM audit", 1),
    ],
)
async def test_whoever_writes_to_the_database_is_found_out(store: Store, path: Path, attack: str, at: int) -> None:
    """Changed, removed, cut off, inserted, head swapped: the first bad entry is named."""
    await fill(store, 20)
    edit(path, attack)
    with pytest.raises(AuditBroken, match="evidence") as broken:
        await store.audit.verify()
    assert broken.value.seq == at


async def test_an_old_head_brought_back_is_found_out(store: Store, path: Path) -> None:
    """Cutting the tail and restoring the head of then leaves the later hash unproven; the log has it."""
    await fill(store, 5)
    await fill(store, 5)
    edit(
        path,
        "DELETE FROM audit WHERE seq > 5",
        "UPDATE audit_head SET seq = 5, hash = (SELECT hash FROM audit WHERE seq = 5)",
    )
    with pytest.raises(AuditBroken):
        await store.audit.verify()


async def test_two_processes_share_one_trail(store: Store, path: Path) -> None:
    """The command line writes while the relay runs: no entry is lost, the chain holds."""
    other = open_store(f"sqlite:///{path}", audit_key=KEY)
    for _ in range(3):
        await fill(store, 5)
        await fill(other, 5)
    await other.close()
    head = await store.audit.verify()
    assert head is not None
    assert head.seq == 30


async def test_a_token_is_redeemed_by_exactly_one(store: Store) -> None:
    """Twenty try at once."""
    await store.tokens.add(TokenRecord(id="t", key=KEY, name="agent1", expires_at=NOW + 900))
    results = await asyncio.gather(*(store.tokens.redeem("t", NOW) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(result, TokenRecord) for result in results) == 1
    assert {str(result) for result in results if isinstance(result, Exception)} == {"the enrolment token is used"}


async def test_tokens_end_and_must_be_known(store: Store) -> None:
    """The reasons are told apart."""
    await store.tokens.add(TokenRecord(id="t", key=KEY, name="agent1", expires_at=NOW))
    with pytest.raises(TokenSpent, match="expired"):
        await store.tokens.redeem("t", NOW + 1)
    with pytest.raises(TokenSpent, match="unknown"):
        await store.tokens.redeem("u", NOW)


async def test_agents_are_revoked_with_all_their_certificates(store: Store) -> None:
    """Old serial numbers too."""
    for serial in ("aa", "bb"):
        await store.agents.add(AgentRecord(name="agent1", serial=serial, not_after=NOW + 1, issued_at=NOW))
    sighting = Sighting(name="agent1", serial="bb", time=NOW + 5, software="1.0", domains=("corp", "*"), address="192.0.2.1")
    await store.agents.seen([sighting])
    assert await store.agents.revoke("agent1", NOW + 9, "stolen") == 2
    assert await store.agents.revoke("agent1", NOW + 9, "again") == 0
    first, second = await store.agents.all()
    assert first.revoked_at == second.revoked_at == NOW + 9
    assert second.domains == ("corp", "*")
    assert second.seen_at == NOW + 5


async def test_api_keys(store: Store) -> None:
    """Made, found, revoked once."""
    await store.api_keys.add(ApiKeyRecord(id="k", digest=b"d", name="shop", created_at=NOW))
    found = await store.api_keys.get("k")
    assert found is not None
    assert b"d" not in repr(found).encode() or "digest" not in repr(found)
    assert await store.api_keys.revoke("k", NOW)
    assert not await store.api_keys.revoke("k", NOW)
    assert (await store.api_keys.all())[0].revoked_at == NOW
    assert await store.api_keys.get("x") is None


async def test_sessions_end(store: Store) -> None:
    """By time, by sign-out, everywhere at once, everywhere else."""
    for name in (b"a", b"b", b"c"):
        await store.sessions.add(
            SessionRecord(digest=name, object_guid="g", identity=b"i", created_at=NOW, seen_at=NOW, expires_at=NOW + 60)
        )
    assert await store.sessions.get(b"a", NOW + 61) is None
    await store.sessions.touch(b"a", NOW + 50, NOW + 110)
    assert await store.sessions.get(b"a", NOW + 61) is not None
    assert await store.sessions.purge(NOW + 61) == 2
    await store.sessions.delete(b"a")
    assert await store.sessions.of_user("g", NOW) == []
    for name in (b"a", b"b", b"c"):
        await store.sessions.add(
            SessionRecord(digest=name, object_guid="g", identity=b"i", created_at=NOW, seen_at=NOW, expires_at=NOW + 60)
        )
    assert await store.sessions.delete_of_user("g", keep=b"b") == 2
    assert await store.sessions.delete_of_user("g") == 1


def test_the_file_is_the_owners_only(path: Path) -> None:
    """It holds sessions and the trail."""
    asyncio.run(open_store(f"sqlite:///{path}", audit_key=KEY).close())
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_newer_database_is_refused(path: Path) -> None:
    """It is not touched."""
    asyncio.run(open_store(f"sqlite:///{path}", audit_key=KEY).close())
    edit(path, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew, match="newer version"):
        open_store(f"sqlite:///{path}", audit_key=KEY)


def test_a_damaged_or_unreachable_database_is_said_so(path: Path, tmp_path: Path) -> None:
    """With the remedy."""
    path.write_bytes(b"this is no database, " * 500)
    with pytest.raises(StoreUnavailable, match="backup"):
        open_store(f"sqlite:///{path}", audit_key=KEY)
    with pytest.raises(StoreUnavailable, match="directory exists"):
        open_store(f"sqlite:///{tmp_path}/nowhere/relay.db", audit_key=KEY)


async def test_a_locked_database_is_said_so(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a finite wait; what was not written is reported to whoever waited, and the next write works."""
    from gateway.store import database

    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.1)
    quick = open_store(f"sqlite:///{path}", audit_key=KEY)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process held it"):
        await quick.audit.append(event())
    blocker.execute("ROLLBACK")
    blocker.close()
    await quick.audit.append(event())
    await quick.close()
    head = await store.audit.verify()
    assert head is not None
    assert head.seq == 1


async def test_a_full_disk_loses_nothing_that_was_confirmed(path: Path) -> None:
    """SQLite is told that the disk ends here."""
    database = Database.open(f"sqlite:///{path}")
    opened = SqlStore(database, KEY)
    await fill(opened, 10)
    await database.run(lambda connection: connection.execute(sa.text("PRAGMA max_page_count = 20")).close())
    large = [opened.audit.append(event(detail={"detail": "x" * 4000})) for _ in range(50)]
    results = await asyncio.gather(*large, return_exceptions=True)
    assert any(isinstance(result, StoreUnavailable) and "make room" in str(result) for result in results)
    await database.run(lambda connection: connection.execute(sa.text("PRAGMA max_page_count = 1000000")).close())
    await opened.audit.append(event())
    head = await opened.audit.verify()
    assert head is not None
    assert head.seq == 11 + sum(result is None for result in results)
    await opened.close()


async def test_ephemeral_entries_end_and_are_bounded() -> None:
    """Time to live, take once, count, and an attacker's flood."""
    now = 0.0
    memory = MemoryEphemeral(limit=3, clock=lambda: now)
    await memory.put("a", b"1", 10)
    assert await memory.get("a") == b"1"
    assert await memory.take("a") == b"1"
    assert await memory.take("a") is None
    assert [await memory.increment("n", 10) for _ in range(3)] == [1, 2, 3]
    now = 11.0
    assert await memory.increment("n", 10) == 1
    for name in "wxyz":
        await memory.put(name, b"", 10)
    assert await memory.get("w") is None
    assert await memory.get("z") == b""
