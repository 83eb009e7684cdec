"""A clock that is set, keys that were made once, and two nodes on one store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.federation.keys import KeySettings, SigningKeys
from gateway.store import Store, open_store
from tests.gateway.federation.keys.records import RingRecords, Rings

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

    def __init__(self, store: Store, rings: Rings, clock: SetClock, settings: KeySettings) -> None:
        self.store, self.records = store, RingRecords(store, rings)
        self.keys = SigningKeys(self.records, settings, host=HOST, clock=clock, sleep=clock.sleep)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
async def nodes(tmp_path: Path, clock: SetClock, rings: Rings) -> AsyncIterator[tuple[Node, Node]]:
    """Two nodes, two connections to one database."""
    url = f"sqlite:///{tmp_path / 'relay.db'}"
    stores = [open_store(url, secret=b"k" * 32, node=name, clock=clock) for name in ("relay1", "relay2")]
    yield Node(stores[0], rings, clock, KeySettings()), Node(stores[1], rings, clock, KeySettings())
    for store in stores:
        await store.close()


@pytest.fixture
def node(nodes: tuple[Node, Node]) -> Node:
    return nodes[0]
