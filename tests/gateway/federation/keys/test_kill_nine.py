"""Rollovers that are killed at every kind of write end as those that nobody disturbed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from certs import KeyState
from gateway.federation.keys import SigningKeys
from gateway.federation.keys.model import ALGORITHMS
from gateway.store import open_store
from tests.gateway.federation.keys.conftest import NOW, SetClock
from tests.gateway.federation.keys.killing import LONG, opened
from tests.gateway.federation.keys.rolling import HOST


async def test_kill_nine_at_every_write_of_a_rollover(tmp_path: Path, clock: SetClock) -> None:
    """Real processes, each killed right before or right after one of its first writes: no key is lost or made twice, and the
    audit trail tells each change once."""
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    store = open_store(url, secret=b"k" * 32, node="relay1", clock=clock)
    await SigningKeys(store, LONG, host=HOST, clock=clock, sleep=clock.sleep).begin()
    before = {record.id for record in await store.signing_keys.all()}
    await store.close()
    said = await _killed_until_done(url)
    assert said.count("killed") > 30

    after, _node = opened(url, NOW)
    try:
        records = await after.signing_keys.all()
        made = {ring: [record.algorithm for record in records if record.ring == ring] for ring in ALGORITHMS}
        assert {ring: set(names) for ring, names in made.items()} == {ring: set(names) for ring, names in ALGORITHMS.items()}
        assert len(records) == len(before)
        assert not before & {record.id for record in records}
        entries = [entry.event for entry in await after.audit.entries(limit=1000)]
        told = [
            event.detail["state"]
            for event in reversed(entries)
            if event.detail.get("ring") == "saml" and "state" in event.detail
        ]
        assert told == ["next", "published", "retiring", "active", "retiring"]
        assert {record.state for record in records} == {KeyState.ACTIVE}
    finally:
        await after.close()


async def _killed_until_done(url: str) -> str:
    """What the parent of all those processes said."""
    command = ["-m", "tests.gateway.federation.keys.killing", url]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(240):
        said, errors = await parent.communicate()
    assert parent.returncode == 0, said.decode() + errors.decode()
    return said.decode()
