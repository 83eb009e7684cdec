"""The unit of work: several subjects, one transaction.

Steps are collected and done together by `commit`, in the order in which they were added and before the audit entries: no
transaction is held open while somebody waits for something else.
"""

from __future__ import annotations

import functools
from typing import Protocol

from gateway.store.agents import AgentRecord, add_agent
from gateway.store.chain import AuditEvent
from gateway.store.database import Step
from gateway.store.duties import DutyLease, check_lease
from gateway.store.keyring import Keyring
from gateway.store.signing_keys import SigningKeyRecord, forget_signing_key, put_signing_key
from gateway.store.tokens import redeem_token
from gateway.store.trail import SqlAuditLog
from gateway.store.trusts import TrustRecord, put_trust, remove_trust


class UnitOfWork(Protocol):
    """What is done together, or not at all."""

    def hold(self, lease: DutyLease) -> None:
        """Only while the duty is held."""
        ...

    def redeem_token(self, token_id: str, now: float) -> None:
        """Spend an enrolment token."""
        ...

    def add_agent(self, record: AgentRecord, renewed: str = "") -> None:
        """A certificate was issued. renewed: serial number of the one that asked for it, which must not be revoked."""
        ...

    def put_trust(self, record: TrustRecord) -> None:
        """A new trust, or the next version of one."""
        ...

    def remove_trust(self, trust: str, version: int) -> None:
        """Forget a trust with its metadata. version: the one that is kept. What hangs on it is ended by itself."""
        ...

    def put_signing_key(self, record: SigningKeyRecord) -> None:
        """A new signing key, or the next version of one."""
        ...

    def forget_signing_key(self, key_id: str) -> None:
        """Nobody needs it any more."""
        ...

    def record(self, event: AuditEvent) -> None:
        """Into the audit trail."""
        ...

    async def commit(self) -> None:
        """Do it. Raises StoreUnavailable, TokenSpent, AgentRevoked, TrustOutdated, SigningKeyOutdated, DutyLost: then
        nothing was done."""
        ...


class SqlUnit:
    """Implements `UnitOfWork`."""

    def __init__(self, audit: SqlAuditLog, keyring: Keyring) -> None:
        self._audit, self._keyring = audit, keyring
        self._steps: list[Step] = []
        self._events: list[AuditEvent] = []

    def hold(self, lease: DutyLease) -> None:
        """See `UnitOfWork`."""
        self._steps.append(functools.partial(check_lease, lease=lease))

    def redeem_token(self, token_id: str, now: float) -> None:
        """See `UnitOfWork`."""
        self._steps.append(functools.partial(redeem_token, token_id=token_id, now=now))

    def add_agent(self, record: AgentRecord, renewed: str = "") -> None:
        """See `UnitOfWork`."""
        self._steps.append(functools.partial(add_agent, record=record, renewed=renewed))

    def put_trust(self, record: TrustRecord) -> None:
        """See `UnitOfWork`."""
        self._steps.append(functools.partial(put_trust, record=record))

    def remove_trust(self, trust: str, version: int) -> None:
        """See `UnitOfWork`."""
        self._steps.append(functools.partial(remove_trust, trust=trust, version=version))

    def put_signing_key(self, record: SigningKeyRecord) -> None:
        """See `UnitOfWork`."""
        self._steps.append(functools.partial(put_signing_key, record=record, keyring=self._keyring))

    def forget_signing_key(self, key_id: str) -> None:
        """See `UnitOfWork`."""
        self._steps.append(functools.partial(forget_signing_key, key_id=key_id))

    def record(self, event: AuditEvent) -> None:
        """See `UnitOfWork`."""
        self._events.append(event)

    async def commit(self) -> None:
        """See `UnitOfWork`."""
        await self._audit.commit_with(self._steps, self._events)
