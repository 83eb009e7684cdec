"""What the audit trail says of one person: found, and taken out of it.

An entry is a person's if it names the account; if nobody's account is in it and it has a name that the person has signed
in with (a wrong password is nobody's sign-in); or if its subject is the account's identifier (an act of an administrator).
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.audit import AuditEntry
from gateway.store.chain import AuditEvent, SealedEvent, seal_event
from gateway.store.database import Database
from gateway.store.entry_sets import EntrySet
from gateway.store.trail_tables import ENTRIES, audit_events, entry_of, of_account, searchable
from gateway.store.trail_writer import TrailWriter

PORTION = 1000
"""Entries that are emptied in one transaction, and named by one entry."""

_PLACE = sa.tuple_(audit_events.c.chain, audit_events.c.seq)
_NOTHING = {"subject": None, "directory": None, "object": None, "personal": None, "salt": None}


class TrailPerson:
    """See `AuditLog`, which has these methods."""

    def __init__(self, database: Database, writer: TrailWriter) -> None:
        self._database, self._writer = database, writer

    async def person_entries(self, account: AccountId) -> list[AuditEntry]:
        """See `AuditLog`."""

        def read(connection: sa.Connection) -> list[AuditEntry]:
            query = ENTRIES.where(_persons(account, _names(connection, account)))
            return [entry_of(row) for row in connection.execute(query)]

        return await self._database.scan(read)

    async def remove_person(self, account: AccountId, now: float, actor: str) -> int:
        """See `AuditLog`."""
        removed = 0
        while True:
            portion = await self._writer.change(lambda connection: _empty(connection, account, now, actor))
            removed += portion
            if portion < PORTION:
                return removed


def _empty(
    connection: sa.Connection, account: AccountId, now: float, actor: str
) -> tuple[int, Sequence[tuple[SealedEvent, AuditEvent]]]:
    """A portion. What only has a name goes first: by which names, only the entries with the account tell."""
    own = _persons(account, _names(connection, account))
    order = (audit_events.c.object != "", audit_events.c.chain, audit_events.c.seq)
    query = sa.select(audit_events.c.chain, audit_events.c.seq).where(own).order_by(*order).limit(PORTION)
    places = [(row.chain, row.seq) for row in connection.execute(query)]
    if places:
        connection.execute(sa.update(audit_events).where(_PLACE.in_(places)).values(_NOTHING))
    removal = AuditEvent(time=now, kind="audit.person_removed", actor=actor)
    return len(places), [(seal_event(removal, EntrySet(places)), removal)]


def _names(connection: sa.Connection, account: AccountId) -> list[str]:
    query = sa.select(audit_events.c.subject).where(of_account(account), audit_events.c.subject != "").distinct()
    return [*connection.execute(query).scalars(), searchable(account.object)]


def _persons(account: AccountId, names: Sequence[str]) -> sa.ColumnElement[bool]:
    return of_account(account) | (audit_events.c.subject.in_(names) & (audit_events.c.object == ""))
