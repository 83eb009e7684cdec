"""Prunes the audit trail: entries that are older than a moment go, from the beginning of each chain on, in portions.

What goes is checked first, with the same eye as `audit verify`: what was tampered with stays, as evidence. A portion is one
transaction: entries away, the chain's anchor moved.

A chain is pruned up to its first entry that is not old enough. One whose clock was ahead (more than `AHEAD`) says nothing of
its age: it goes with old ones behind it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.store.audit import PruneReport
from gateway.store.chain import anchor, emptied_by, link
from gateway.store.database import Database
from gateway.store.duties import DutyLease, check_lease
from gateway.store.entry_sets import EntrySet
from gateway.store.errors import AuditBroken
from gateway.store.keyring import Keyring
from gateway.store.trail_anchors import PrunedPart, TrailAnchors, places_of
from gateway.store.trail_check import UNNAMED, chain_key, check_entry
from gateway.store.trail_tables import (
    UNUSUAL,
    WHOLE,
    audit_chains,
    audit_entries,
    audit_events,
    check_chain,
    same_bytes,
)

PORTION = 500
"""Entries in one transaction: others get their turn in between."""
AHEAD = 86_400.0
"""Seconds by which an entry may be in the future and still be believed about its age."""


class TrailRetention:
    """See `AuditLog.prune`."""

    def __init__(self, database: Database, keyring: Keyring, anchors: TrailAnchors) -> None:
        self._database, self._keyring, self._anchors = database, keyring, anchors

    async def prune(self, before: float, now: float, lease: DutyLease | None = None, portions: int = 40) -> PruneReport:
        """See `AuditLog`."""
        entries, broken, looked_at = 0, [], list[int]()
        while (chain := await self._database.scan(functools.partial(_oldest, before=before, but=looked_at))) is not None:
            looked_at.append(chain)
            try:
                last = await self._database.scan(functools.partial(_last_old, chain=chain, before=before, now=now))
                while portions and last is not None:
                    portions -= 1
                    gone = await self._database.write(functools.partial(self._portion, chain=chain, last=last, lease=lease))
                    entries += gone
                    if gone < PORTION:
                        break
            except AuditBroken as error:
                broken.append(error)
            if not portions:
                break
        return PruneReport(entries=entries, broken=tuple(broken))

    def _portion(self, connection: sa.Connection, chain: int, last: int, lease: DutyLease | None) -> int:
        if lease is not None:
            check_lease(connection, lease)
        head = connection.execute(sa.select(audit_chains).where(audit_chains.c.chain == chain)).one_or_none()
        if head is None:
            raise AuditBroken(chain, 1, "the whole chain is missing")
        check_chain(head)
        pruned = self._anchors.read(connection)
        key = chain_key(self._keyring, head)
        before = pruned.get(chain) or PrunedPart(chain, 0, anchor(key, chain, head.node), 0.0, EntrySet())
        rows = connection.execute(_rows(chain, before.seq, last)).all()
        if not rows:
            return 0
        part = _follow(key, before, rows)
        self._check_emptied(connection, rows, part, pruned)
        gone = {**pruned, chain: part}
        kept = PrunedPart(chain, part.seq, part.hash, part.until, part.emptied.behind(places_of(gone)))
        for table in (audit_entries, audit_events):
            connection.execute(sa.delete(table).where(table.c.chain == chain, table.c.seq <= part.seq))
        self._anchors.write(connection, kept, head.node)
        return len(rows)

    def _check_emptied(
        self, connection: sa.Connection, rows: Sequence[Any], part: PrunedPart, pruned: dict[int, PrunedPart]
    ) -> None:
        """Whether an entry says so where one that is to go has lost its personal part: later nobody could ask."""
        emptied = EntrySet((row.chain, row.seq) for row in rows if row.personal is None)
        if not emptied:
            return
        named = EntrySet(part.emptied)
        for other in pruned.values():
            named.update(other.emptied)
        for row in connection.execute(_REMOVALS):
            if self._is_genuine(row, pruned):
                named.update(emptied_by(row.facts))
        for chain, seq in emptied.without(named):
            raise AuditBroken(chain, seq, UNNAMED)

    def _is_genuine(self, row: Any, pruned: Mapping[int, PrunedPart]) -> bool:
        """Whether an entry is what was written, by the hash before it: nothing else vouches for what is not pruned now."""
        check_chain(row)
        key, part = chain_key(self._keyring, row), pruned.get(row.chain)
        before = row.before
        if row.entry_seq == 1:
            before = anchor(key, row.chain, row.node)
        elif part is not None and part.seq == row.entry_seq - 1:
            before = part.hash
        if not all(isinstance(value, bytes) for value in (before, row.facts, row.digest)):
            return False
        return same_bytes(link(key, before, row.entry_seq, row.digest, row.facts), row.entry_hash)


def _oldest(connection: sa.Connection, before: float, but: Sequence[int]) -> int | None:
    """The chain of the oldest entry."""
    old = sa.select(audit_events.c.chain).where(audit_events.c.time < before, audit_events.c.chain.not_in(but))
    return connection.execute(old.order_by(audit_events.c.time).limit(1)).scalar()


def _last_old(connection: sa.Connection, chain: int, before: float, now: float) -> int | None:
    """Up to where it is old enough; None for nothing."""
    own = (audit_events.c.chain == chain, audit_events.c.seq > 0)
    young = (audit_events.c.time >= before) & (audit_events.c.time <= now + AHEAD)
    first = connection.execute(
        sa.select(audit_events.c.seq).where(*own, young).order_by(audit_events.c.seq).limit(1)
    ).scalar()
    old = sa.select(sa.func.max(audit_events.c.seq)).where(*own, audit_events.c.time < before)
    return connection.execute(old if first is None else old.where(audit_events.c.seq < first)).scalar()


def _rows(chain: int, after: int, last: int) -> sa.Select[Any]:
    own = (audit_entries.c.chain == chain, audit_entries.c.seq > after, audit_entries.c.seq <= last)
    return WHOLE.where(*own).order_by(audit_entries.c.seq).limit(PORTION)


def _follow(key: bytes, before: PrunedPart, rows: Sequence[Any]) -> PrunedPart:
    """Raises AuditBroken where the entries are not what was written."""
    last, until, emptied = before.hash, before.until, EntrySet(before.emptied)
    for seq, row in enumerate(rows, before.seq + 1):
        last = check_entry(key, before.chain, seq, last, row)
        until = max(until, row.time)
        emptied.update(emptied_by(row.facts))
    return PrunedPart(before.chain, before.seq + len(rows), last, until, emptied)


_before = audit_entries.alias()
_REMOVALS = (
    sa.select(
        audit_chains,
        audit_entries.c.seq.label("entry_seq"),
        audit_entries.c.facts,
        audit_entries.c.digest,
        audit_entries.c.hash.label("entry_hash"),
        _before.c.hash.label("before"),
    )
    .join_from(
        audit_events,
        audit_entries,
        (audit_entries.c.chain == audit_events.c.chain) & (audit_entries.c.seq == audit_events.c.seq),
    )
    .join(audit_chains, audit_chains.c.chain == audit_events.c.chain)
    .join(_before, (_before.c.chain == audit_entries.c.chain) & (_before.c.seq == audit_entries.c.seq - 1), isouter=True)
    .where(audit_events.c.kind == "audit.person_removed", audit_events.c.outcome == "", UNUSUAL)
)
