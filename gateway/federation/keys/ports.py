"""Of the store what signing keys need. `gateway.store.Store` and its `UnitOfWork` have it."""

from __future__ import annotations

from typing import Protocol

from gateway.store import AuditEvent, DutyLease, DutyStore, Generations, SigningKeyRecord, SigningKeyStore


class KeyUnit(Protocol):
    """Several changes in one transaction."""

    def hold(self, lease: DutyLease) -> None:
        """Only while the duty is held."""
        ...

    def put_signing_key(self, record: SigningKeyRecord) -> None:
        """Keep it, as new (version 1) or as the next version."""
        ...

    def record(self, event: AuditEvent) -> None:
        """Into the audit trail."""
        ...

    async def commit(self) -> None:
        """Do it. Raises StoreError: then nothing was done."""
        ...


class KeyRecords(Protocol):
    """Where the rings are kept."""

    @property
    def node(self) -> str:
        """The name of this node."""
        ...

    @property
    def signing_keys(self) -> SigningKeyStore:
        """The rings."""
        ...

    @property
    def generations(self) -> Generations:
        """Whether a copy is old."""
        ...

    @property
    def duties(self) -> DutyStore:
        """Who changes them."""
        ...

    def unit(self) -> KeyUnit:
        """Several changes in one transaction."""
        ...
