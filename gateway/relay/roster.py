"""Which agents are enrolled, in memory: a handshake must be judged without waiting for the database."""

from __future__ import annotations

import asyncio
from typing import Literal

from gateway.protocol.events import Opened
from gateway.store import AgentRecord, AgentStore


class Roster:
    """A copy of the store's agents that is kept current by whoever changes them through it."""

    def __init__(self, store: AgentStore) -> None:
        self._store = store
        self._records: dict[tuple[str, str], AgentRecord] = {}
        self._changing = asyncio.Lock()  # a copy read before a revocation must not replace the one read after it
        self._sightings: dict[tuple[str, str], tuple[float, Opened, str]] = {}

    async def load(self) -> None:
        """Read everything anew; another process may have changed it."""
        async with self._changing:
            self._records = {(record.name, record.serial): record for record in await self._store.all()}

    def status(self, name: str, serial: int) -> Literal["enrolled", "revoked", "unknown"]:
        """What is known of a certificate."""
        record = self._records.get((name, f"{serial:x}"))
        if record is None:
            return "unknown"
        return "enrolled" if record.revoked_at is None else "revoked"

    def allowed(self, name: str, serial: int) -> tuple[str, ...]:
        """The domains that a certificate's holder may answer for; empty: any."""
        record = self._records.get((name, f"{serial:x}"))
        return record.allowed if record is not None else ()

    async def enrol(self, record: AgentRecord) -> None:
        """A certificate was issued."""
        async with self._changing:
            await self._store.add(record)
            self._records[record.name, record.serial] = record

    async def revoke(self, name: str, now: float, why: str) -> int:
        """Revoke all certificates of an agent; in force when this returns. Returns how many."""
        revoked = await self._store.revoke(name, now, why)
        await self.load()
        return revoked

    def names(self) -> set[str]:
        """Every agent that was ever enrolled."""
        return {name for name, _ in self._records}

    def connected(self, opened: Opened, now: float, address: str) -> None:
        """An agent connected; written to the store with the next `flush`."""
        self._sightings[opened.peer.name, f"{opened.peer.serial:x}"] = (now, opened, address)

    async def flush(self) -> None:
        """Write the sightings."""
        sightings, self._sightings = self._sightings, {}
        for (name, serial), (now, opened, address) in sightings.items():
            await self._store.seen(name, serial, now, opened.software, opened.domains, address)
