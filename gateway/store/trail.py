"""The audit trail in the database: who writes, who searches and who checks it, put together."""

from __future__ import annotations

from gateway.store.audit import AuditHead
from gateway.store.database import Database
from gateway.store.keyring import Keyring
from gateway.store.trail_anchors import TrailAnchors
from gateway.store.trail_check import TrailCheck
from gateway.store.trail_person import TrailPerson
from gateway.store.trail_retention import TrailRetention
from gateway.store.trail_search import TrailSearch
from gateway.store.trail_writer import TrailWriter


class SqlAuditLog:
    """Implements `AuditLog`. node: name of this node."""

    def __init__(self, database: Database, keyring: Keyring, node: str) -> None:
        self._writer = writer = TrailWriter(database, keyring, node)
        anchors = TrailAnchors(database, keyring)
        self._check = TrailCheck(database, keyring, anchors)
        self.anchors, self.prune = anchors.anchors, TrailRetention(database, keyring, anchors).prune
        search, person = TrailSearch(database), TrailPerson(database, writer)
        # bound here instead of passed on: each sign-in would pay for the call
        self.append, self.settle, self.commit_with = writer.append, writer.settle, writer.commit_with
        self.entries, self.entry, self.last_signins = search.entries, search.entry, search.last_signins
        self.accounts, self.accounts_named, self.heads = search.accounts, search.accounts_named, search.heads
        self.person_entries, self.remove_person = person.person_entries, person.remove_person
        self.verify = self._check.verify

    @property
    def refusing(self) -> bool:
        """See `AuditLog`."""
        return self._writer.refusing

    @property
    def written(self) -> tuple[AuditHead, ...]:
        """See `AuditLog`."""
        return self._writer.written
