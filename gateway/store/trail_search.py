"""Reads from the audit trail: lists and single entries, by what is searched by. What is read is not checked here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.audit import AuditEntry, AuditHead
from gateway.store.database import Database
from gateway.store.trail_tables import (
    ENTRIES,
    ORDER,
    UNUSUAL,
    audit_chains,
    audit_events,
    entry_of,
    head_of,
    of_account,
    of_kind,
    of_person,
    searchable,
)


class TrailSearch:
    """See `AuditLog`, which has these methods."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(
        self,
        *,
        limit: int = 100,
        before: str = "",
        kind: str = "",
        subject: str = "",
        account: AccountId | None = None,
        correlation_id: str = "",
        agent: str = "",
        outcome: str = "",
        since: float | None = None,
        until: float | None = None,
        people: Sequence[AccountId] = (),
    ) -> list[AuditEntry]:
        """See `AuditLog`."""
        query = ENTRIES.limit(limit)
        if kind:
            query = query.where(of_kind(kind))
        columns = {"subject": subject, "correlation_id": correlation_id, "agent": agent, "outcome": outcome}
        for name, value in columns.items():
            if value:
                query = query.where(audit_events.c[name] == searchable(value))
        if outcome and outcome != "success":
            query = query.where(UNUSUAL)  # SQLite takes the index only for its own condition
        if account is not None:
            query = query.where(of_account(account))
        if since is not None:
            query = query.where(audit_events.c.time >= since)
        if until is not None:
            query = query.where(audit_events.c.time < until)
        if people:
            query = query.where(sa.or_(*map(of_person, people)))
        if before:
            query = query.where(await self._place(before) > ORDER)
        return await self._database.scan(lambda connection: [entry_of(row) for row in connection.execute(query)])

    async def entry(self, chain: int, seq: int) -> AuditEntry | None:
        """See `AuditLog`."""
        query = ENTRIES.where(audit_events.c.chain == chain, audit_events.c.seq == seq)
        row = await self._database.scan(lambda connection: connection.execute(query).one_or_none())
        return entry_of(row) if row is not None else None

    async def last_signins(self, account: AccountId, limit: int = 10) -> list[AuditEntry]:
        """See `AuditLog`."""
        query = ENTRIES.where(of_account(account), audit_events.c.kind == "signin").limit(limit)
        return await self._database.read(lambda connection: [entry_of(row) for row in connection.execute(query)])

    async def accounts(self, identifier: str) -> list[AccountId]:
        """See `AuditLog`."""
        query = sa.select(audit_events.c.directory).where(audit_events.c.object == searchable(identifier)).distinct()
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return sorted(AccountId(row.directory, identifier) for row in rows)

    async def accounts_named(self, name: str) -> list[AccountId]:
        """See `AuditLog`."""
        known = audit_events.c.object != ""
        query = sa.select(audit_events.c.directory, audit_events.c.object).distinct()
        exact = query.where(known, audit_events.c.subject == searchable(name))
        folded = query.where(known, sa.func.lower(audit_events.c.subject) == searchable(name).lower())

        def look(connection: sa.Connection) -> list[AccountId]:
            rows = connection.execute(exact).all() or connection.execute(folded).all()
            return sorted(AccountId(row.directory, row.object) for row in rows)

        return await self._database.scan(look)

    async def heads(self) -> list[AuditHead]:
        """See `AuditLog`."""
        query = sa.select(audit_chains).where(audit_chains.c.seq > 0).order_by(audit_chains.c.chain)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        await self._database.sync()
        return [head_of(row) for row in rows]

    async def _place(self, entry_id: str) -> sa.ColumnElement[Any]:
        """Where an entry stands in the lists."""
        chain, dash, seq = entry_id.partition("-")
        if not (dash and chain.isdecimal() and seq.isdecimal()):
            raise ValueError(f"{entry_id!r}: expected the id of an entry, such as 3-1204")
        found = await self.entry(int(chain), int(seq))
        if found is None:
            raise ValueError(f"there is no entry {entry_id}")
        return sa.tuple_(sa.literal(found.event.time), sa.literal(found.chain), sa.literal(found.seq))
