"""What pruning leaves of a chain: the number and hash of the last entry that is gone, under a seal.

From there on the chain verifies as it would from its beginning. Where entries are gone that named others which had lost
what they said of a person, the anchor names those that are still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from gateway.store.audit import AuditAnchor
from gateway.store.chain import anchor_seal
from gateway.store.database import Database
from gateway.store.entry_sets import EntrySet
from gateway.store.errors import AuditBroken
from gateway.store.keyring import Keyring
from gateway.store.tables import upsert
from gateway.store.trail_tables import audit_anchors, audit_chains, same_bytes

USE = "audit anchors"
"""Of the keyring."""


@dataclass(frozen=True, slots=True)
class PrunedPart:
    """What is gone of a chain: its first entries."""

    chain: int
    seq: int
    """Of the last of them."""
    hash: bytes
    until: float
    """When the newest of them happened, Unix seconds."""
    emptied: EntrySet
    """Entries that lost their personal part, of which only those that are gone said so."""


class TrailAnchors:
    """See `AuditLog.anchors`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring

    async def anchors(self) -> dict[int, AuditAnchor]:
        """See `AuditLog`."""
        found = await self._database.scan(self.read)
        return {
            part.chain: AuditAnchor(chain=part.chain, seq=part.seq, hash=part.hash.hex(), until=part.until)
            for part in found.values()
        }

    def read(self, connection: sa.Connection) -> dict[int, PrunedPart]:
        """All of them, by chain. Raises AuditBroken where one was changed, or belongs to no chain."""
        return {row.chain: self._checked(row) for row in connection.execute(_ANCHORED)}

    def write(self, connection: sa.Connection, part: PrunedPart, node: str) -> None:
        """Put it in the place of its chain's one before. node: the chain's."""
        key = self._keyring.current(USE)
        emptied = msgspec.json.encode(part.emptied.to_text())
        seal = anchor_seal(key.secret, (part.chain, part.seq, part.until), node, part.hash, emptied)
        row = {"seq": part.seq, "hash": part.hash, "until": part.until, "emptied": emptied, "key_id": key.id, "seal": seal}
        insert = upsert(connection, audit_anchors).values(chain=part.chain, **row)
        connection.execute(insert.on_conflict_do_update(index_elements=["chain"], set_=row))

    def _checked(self, row: Any) -> PrunedPart:
        if row.node is None:
            raise AuditBroken(row.chain, row.seq, "an anchor says that the chain was pruned, and there is no such chain")
        key = self._keyring.find(USE, row.key_id)
        numbers = (row.chain, row.seq, row.until)
        typed = isinstance(row.hash, bytes) and isinstance(row.emptied, bytes) and isinstance(row.seq, int)
        if (
            key is None
            or not typed
            or not isinstance(row.node, str)
            or row.chain < 1
            or not row.seq > 0
            or not isinstance(row.until, float)
        ):
            raise AuditBroken(row.chain, 1, _CHANGED)
        if not same_bytes(anchor_seal(key.secret, numbers, row.node, row.hash, row.emptied), row.seal):
            raise AuditBroken(row.chain, 1, _CHANGED)
        emptied = EntrySet.from_text(msgspec.json.decode(row.emptied, type=dict[str, str]))
        return PrunedPart(row.chain, row.seq, row.hash, row.until, emptied)


_CHANGED = "the anchor that pruning left of the chain was changed"
_ANCHORED = sa.select(audit_anchors, audit_chains.c.node, audit_chains.c.seq.label("head")).join_from(
    audit_anchors, audit_chains, audit_anchors.c.chain == audit_chains.c.chain, isouter=True
)


def places_of(parts: Mapping[int, PrunedPart]) -> dict[int, int]:
    """Up to which number each chain is gone."""
    return {chain: part.seq for chain, part in parts.items()}
