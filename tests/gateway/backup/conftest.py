"""A relay with something to lose."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.app import ServerSettings, load_keys, open_relay_store
from gateway.backup import Passphrase
from gateway.protocol import AccountId
from gateway.store import (
    AgentRecord,
    AuditEvent,
    ConsentRecord,
    GrantRecord,
    ParticipantRecord,
    SessionRecord,
    Store,
    TokenRecord,
)

PHRASE = Passphrase("correct horse battery", work=4)
ANNA = AccountId("d1", "anna")


@asynccontextmanager
async def opened(settings: ServerSettings) -> AsyncIterator[Store]:
    store = open_relay_store(settings, load_keys(settings, time.time()))
    try:
        yield store
    finally:
        await store.close()


async def record(store: Store, count: int = 3) -> None:
    for number in range(count):
        await store.audit.append(AuditEvent(time=time.time(), kind="signin", subject=f"user{number}", outcome="success"))


async def live_through_a_day(store: Store) -> None:
    """Somebody signed in, to an application too, a token is out, two agents are enrolled."""
    now = time.time()
    await record(store)
    await store.sessions.add(
        SessionRecord(digest=b"a" * 32, account=ANNA, identity=b"", created_at=now, seen_at=now, expires_at=now + 3600)
    )
    end = now + 3600
    await store.grants.add(
        GrantRecord(
            digest=b"g",
            trust="wiki",
            account=ANNA,
            details=b"",
            created_at=now,
            expires_at=end,
            idle_at=end,
            session=b"a" * 32,
        )
    )
    await store.participants.add(
        ParticipantRecord(session=b"a" * 32, trust="wiki", index="i1", details=b"", since=now, expires_at=end)
    )
    await store.consents.put(ConsentRecord(account=ANNA, trust="wiki", scopes=frozenset({"openid"}), at=now))
    await store.tokens.add(TokenRecord(id="t1", key=b"k", name="dc9", expires_at=now + 900))
    await store.once.put("challenge", "c1", b"x", until=now + 900, now=now)
    for serial in ("1", "2"):
        unit = store.unit()
        unit.add_agent(AgentRecord(name=f"dc{serial}", serial=serial, not_after=now + 9e6, issued_at=now))
        await unit.commit()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "safe").mkdir()
    return tmp_path / "safe" / "relay.age"
