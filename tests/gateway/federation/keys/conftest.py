"""A clock that is set, keys that were made once, and two nodes on one store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.federation.keys import KeySettings, SigningKeys
from gateway.store import SigningKeyRecord, Store, open_store

NOW = 1_800_000_000.0
HOST = "signin.example.com"


class SetClock:
    """Unix seconds, as a test says."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Time passes, and others get their turn."""
        self.now += seconds
        await asyncio.sleep(0)


class Node:
    """One node's keys."""

    def __init__(self, store: Store, clock: SetClock, settings: KeySettings) -> None:
        self.store = store
        self.keys = SigningKeys(store, settings, host=HOST, clock=clock, sleep=clock.sleep)

    async def put(self, *records: SigningKeyRecord) -> None:
        """Keep them, as somebody else might."""
        unit = self.store.unit()
        for record in records:
            unit.put_signing_key(record)
        await unit.commit()

    async def records(self) -> list[SigningKeyRecord]:
        """What is kept."""
        return await self.store.signing_keys.all()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def nodes(tmp_path: Path, clock: SetClock) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes, two connections to one database."""
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    stores = [open_store(url, secret=b"k" * 32, node=name, clock=clock) for name in ("relay1", "relay2")]
    yield Node(stores[0], clock, KeySettings()), Node(stores[1], clock, KeySettings())
    for store in stores:
        await store.close()


@pytest.fixture
def node(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]
