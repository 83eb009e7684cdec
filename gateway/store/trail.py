"""The audit trail in the database: who writes, who searches and who checks it, put together."""

from __future__ import annotations

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.audit import AuditHead
from gateway.store.chain import AuditEvent, SealedEvent, seal_event
from gateway.store.database import Database
from gateway.store.keyring import Keyring
from gateway.store.trail_check import TrailCheck
from gateway.store.trail_search import TrailSearch
from gateway.store.trail_tables import audit_events, of_account, searchable
from gateway.store.trail_writer import TrailWriter


class SqlAuditLog:
    """Implements `AuditLog`. node: name of this node."""

    def __init__(self, database: Database, keyring: Keyring, node: str) -> None:
        self._writer = writer = TrailWriter(database, keyring, node)
        self._check = TrailCheck(database, keyring)
        search = TrailSearch(database)
        # bound here instead of passed on: each sign-in would pay for the call
        self.append, self.settle, self.commit_with = writer.append, writer.settle, writer.commit_with
        self.entries, self.entry, self.last_signins = search.entries, search.entry, search.last_signins
        self.accounts, self.heads = search.accounts, search.heads
        self.verify = self._check.verify

    @property
    def refusing(self) -> bool:
        """See `AuditLog`."""
        return self._writer.refusing

    @property
    def written(self) -> tuple[AuditHead, ...]:
        """See `AuditLog`."""
        return self._writer.written

    async def remove_person(self, account: AccountId, now: float, actor: str) -> int:
        """See `AuditLog`."""
        removal = AuditEvent(time=now, kind="audit.person_removed", actor=actor)

        def work(connection: sa.Connection) -> tuple[int, list[tuple[SealedEvent, AuditEvent]]]:
            names = sa.select(audit_events.c.subject).where(of_account(account), audit_events.c.subject != "")
            named = audit_events.c.subject.in_(names.distinct()) | (audit_events.c.subject == searchable(account.object))
            own = of_account(account) | (named & (audit_events.c.object == ""))
            nothing = {"subject": None, "directory": None, "object": None, "personal": None, "salt": None}
            changed = connection.execute(sa.update(audit_events).where(own).values(nothing)).rowcount
            return changed, [(seal_event(removal, changed), removal)]

        return await self._writer.change(work)
