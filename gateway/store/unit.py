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
from gateway.store.tokens import redeem_token
from gateway.store.trail import SqlAuditLog


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

    def record(self, event: AuditEvent) -> None:
        """Into the audit trail."""
        ...

    async def commit(self) -> None:
        """Do it. Raises StoreUnavailable, TokenSpent, AgentRevoked, DutyLost: then nothing was done."""
        ...


class SqlUnit:
    """Implements `UnitOfWork`."""

    def __init__(self, audit: SqlAuditLog) -> None:
        self._audit = audit
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

    def record(self, event: AuditEvent) -> None:
        """See `UnitOfWork`."""
        self._events.append(event)

    async def commit(self) -> None:
        """See `UnitOfWork`."""
        await self._audit.commit_with(self._steps, self._events)
