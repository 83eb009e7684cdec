"""Which agents are enrolled, in memory: a handshake must be judged without waiting for the database."""

from __future__ import annotations

import asyncio
from typing import Literal

from certs import VerifiedPeer
from gateway.housekeeping import Housekeeping
from gateway.protocol import Opened
from gateway.relay.errors import RenewalRefused
from gateway.store import AgentRecord, AgentRevoked, AgentStore, Sighting, StoreError, UnitOfWork

_REVOKED = "this agent was revoked"


class AgentRegistry:
    """A copy of the store's agents that is kept current by whoever changes them through it."""

    def __init__(self, store: AgentStore) -> None:
        self._store = store
        self._records: dict[tuple[str, str], AgentRecord] = {}
        self._changing = asyncio.Lock()  # a copy read before a revocation must not replace the one read after it
        self._revoked: set[tuple[str, str]] = set()
        """Revoked here, whether or not the store knows yet."""
        self._unwritten: dict[str, tuple[float, str]] = {}
        """Revocations that the store has not taken yet, by agent name: time and reason."""
        self._sightings: dict[tuple[str, str], Sighting] = {}
        self.refusing = False
        """The store did not take the last `flush`."""

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Read once a minute what other processes wrote."""
        housekeeping.every_minute("load", self.load)

    async def load(self) -> None:
        """Read everything anew; another process may have changed it."""
        async with self._changing:
            self._records = {(record.name, record.serial): record for record in await self._store.all()}

    def status(self, name: str, serial: int) -> Literal["enrolled", "revoked", "unknown"]:
        """What is known of a certificate: exactly this serial number under exactly this name."""
        record = self._records.get((name, f"{serial:x}"))
        if record is None:
            return "unknown"
        return "revoked" if record.revoked_at is not None or (name, record.serial) in self._revoked else "enrolled"

    def allowed(self, name: str, serial: int) -> tuple[str, ...] | None:
        """The domains that a certificate's holder may answer for; None: any."""
        record = self._records.get((name, f"{serial:x}"))
        return record.allowed if record is not None else ()

    def issued(self, name: str, since: float) -> int:
        """How many certificates an agent got since then."""
        return sum(record.name == name and record.issued_at >= since for record in self._records.values())

    async def enrol(self, record: AgentRecord, unit: UnitOfWork) -> None:
        """A certificate was issued: from now on its holder is let in. Raises StoreError; then it is not.

        unit: what has to be done with it, in the same transaction.
        """
        await self._write_revocations()  # later they would hit the new certificate too
        async with self._changing:
            unit.add_agent(record)
            await unit.commit()
            self._records[record.name, record.serial] = record

    async def renew(self, peer: VerifiedPeer, record: AgentRecord, unit: UnitOfWork, *, since: float, limit: int) -> None:
        """The same for somebody who is enrolled already, and asks with a certificate of theirs.

        Raises StoreError; RenewalRefused where that one was revoked, however long this had to wait, or where the agent got
        `limit` certificates since then.
        """
        async with self._changing:  # asked in here: what was so before the wait need not be so any more
            self._check_enrolled(peer)
            if self.issued(peer.name, since) >= limit:
                raise RenewalRefused(f"it got {limit} certificates within {(record.issued_at - since) / 3600:.0f} h")
            unit.add_agent(record, renewed=f"{peer.serial:x}")
            try:
                await unit.commit()
            except AgentRevoked as revoked:  # by another node
                raise RenewalRefused(_REVOKED) from revoked
            self._records[record.name, record.serial] = record
            if self.status(peer.name, peer.serial) != "enrolled":  # here, while the store was writing
                self._revoked.add((record.name, record.serial))
            self._check_enrolled(peer)

    def _check_enrolled(self, peer: VerifiedPeer) -> None:
        if self.status(peer.name, peer.serial) != "enrolled":
            raise RenewalRefused(_REVOKED)

    async def revoke(self, name: str, now: float, why: str) -> int:
        """Revoke all certificates of an agent. Returns how many were not revoked before.

        In force immediately, before the store is asked. Raises StoreError where that did not take it: `flush` tries again.
        """
        self._revoked.update(key for key in self._records if key[0] == name)
        self._unwritten[name] = (now, why)
        revoked = await self._store.revoke(name, now, why)
        self._unwritten.pop(name, None)
        await self.load()
        return revoked

    async def _write_revocations(self) -> None:
        for name, (now, why) in list(self._unwritten.items()):
            await self._store.revoke(name, now, why)
            self._unwritten.pop(name, None)

    def names(self) -> set[str]:
        """The agents that were ever enrolled, revoked ones too."""
        return {name for name, _ in self._records}

    def seen(self, opened: Opened, now: float, address: str) -> None:
        """An agent is there, or was until now; written to the store with the next `flush`."""
        name, serial = opened.peer.name, f"{opened.peer.serial:x}"
        self._sightings[name, serial] = Sighting(
            name=name, serial=serial, time=now, software=opened.software, domains=opened.domains, address=address
        )

    async def flush(self) -> None:
        """Write what the store does not know yet. Raises StoreError; then the next call tries again."""
        try:
            await self._write_revocations()
            await self._write_sightings()
        except StoreError:
            self.refusing = True
            raise
        self.refusing = False

    async def _write_sightings(self) -> None:
        sightings, self._sightings = self._sightings, {}
        try:
            await self._store.seen(list(sightings.values()))
        except StoreError:
            self._sightings = {**sightings, **self._sightings}  # what was seen meanwhile is the newer
            raise
