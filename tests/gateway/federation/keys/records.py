"""The rings beside a real store, for tests: duties, generations and audit trail are the store's own."""

from __future__ import annotations

from gateway.federation.keys import KeyUnit
from gateway.store import AuditEvent, DutyLease, DutyStore, Generations, SigningKeyRecord, Store, UnitOfWork


class Rings:
    """What two nodes share."""

    def __init__(self) -> None:
        self.records: dict[str, SigningKeyRecord] = {}

    async def all(self) -> list[SigningKeyRecord]:
        """See `SigningKeyStore`."""
        return sorted(self.records.values(), key=lambda record: (record.created_at, record.id))


class RingRecords:
    """Implements `KeyRecords` for one node."""

    def __init__(self, store: Store, rings: Rings) -> None:
        self._store, self.signing_keys = store, rings

    @property
    def node(self) -> str:
        return self._store.node

    @property
    def generations(self) -> Generations:
        return self._store.generations

    @property
    def duties(self) -> DutyStore:
        return self._store.duties

    def unit(self) -> KeyUnit:
        return RingUnit(self._store, self._store.unit(), self.signing_keys)


class RingUnit:
    """Implements `KeyUnit`: nothing is kept where the store's own unit fails."""

    def __init__(self, store: Store, unit: UnitOfWork, rings: Rings) -> None:
        self._store, self._unit, self._rings = store, unit, rings
        self._put: list[SigningKeyRecord] = []

    def hold(self, lease: DutyLease) -> None:
        self._unit.hold(lease)

    def put_signing_key(self, record: SigningKeyRecord) -> None:
        self._put.append(record)

    def record(self, event: AuditEvent) -> None:
        self._unit.record(event)

    async def commit(self) -> None:
        await self._unit.commit()
        for record in self._put:
            kept = self._rings.records.get(record.id)
            assert record.version == (kept.version + 1 if kept else 1)
            self._rings.records[record.id] = record
        await self._store.generations.bump("signing_keys")
