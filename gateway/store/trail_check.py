"""Checks the audit trail: every link of every chain, and that every chain is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.audit import AuditReport, CheckedEntry, Take
from gateway.store.chain import anchor, count_seal, digest_of, emptied_by, head_seal, link, open_event
from gateway.store.database import Database
from gateway.store.entry_sets import EntrySet
from gateway.store.errors import AuditBroken
from gateway.store.keyring import Keyring
from gateway.store.trail_anchors import PrunedPart, TrailAnchors, places_of
from gateway.store.trail_tables import (
    WHOLE,
    audit_anchors,
    audit_chains,
    audit_entries,
    audit_events,
    audit_register,
    check_chain,
    head_of,
    same_bytes,
    searchable,
)

UNNAMED = "personal data was removed from it, and no entry records this"
_PAGE = 5000
_SWEEPS = 4
"""How often it continues behind what was written or pruned while it was reading."""

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class _Place:
    """Up to where a chain was checked."""

    seq: int
    hash: bytes


class TrailCheck:
    """Reads everything, in pages."""

    def __init__(self, database: Database, keyring: Keyring, anchors: TrailAnchors) -> None:
        self._database, self._keyring, self._anchors = database, keyring, anchors

    async def verify(self, progress: Progress | None = None, take: Take | None = None) -> AuditReport:
        """See `AuditLog`."""
        return await _Walk(self._database, self._keyring, self._anchors, progress, take).run()


class _Walk:
    """One check. The trail continues meanwhile: entries are added, a person is removed, old entries are pruned."""

    def __init__(
        self, database: Database, keyring: Keyring, anchors: TrailAnchors, progress: Progress | None, take: Take | None
    ) -> None:
        self._database, self._keyring, self._anchors = database, keyring, anchors
        self._progress, self._take = progress, take
        self._places: dict[int, _Place] = {}
        self._pruned: dict[int, PrunedPart] = {}
        self._emptied, self._named = EntrySet(), EntrySet()
        self._done = 0

    async def run(self) -> AuditReport:
        """Raises AuditBroken."""
        for _ in range(_SWEEPS):
            chains = await self._sweep()
            # one that was removed while this was reading: its entry may stand behind the head that was known
            if not (unnamed := self._emptied.without(self._named)):
                break
        for chain, seq in unnamed:
            raise AuditBroken(chain, seq, UNNAMED)
        parts = self._pruned.values()
        return AuditReport(
            entries=self._done,
            removed=len(self._emptied),
            heads=tuple(head_of(row) for row in chains),
            pruned=sum(part.seq for part in parts),
            pruned_until=max((part.until for part in parts), default=None),
        )

    async def _sweep(self) -> Sequence[Any]:
        """From where each chain was checked to its end; the chains."""
        register, chains = await self._database.scan(_read_register)
        self._check_register(register, [row.chain for row in chains])
        for row in chains:
            check_chain(row)
        if (stray := await self._database.scan(_find_stray)) is not None:
            raise AuditBroken(*stray, "it was inserted: no such chain was begun")
        await self._read_anchors()
        done = sum(place.seq for place in self._places.values())
        total = sum(row.seq for row in chains)
        for row in chains:
            place = await self._follow(row, done, total)
            _check_head(chain_key(self._keyring, row), row, place, await self._surplus(row.chain, row.seq))
            done += place.seq
        return chains

    async def _read_anchors(self) -> None:
        self._pruned = await self._database.scan(self._anchors.read)
        for part in self._pruned.values():
            self._named.update(part.emptied)
        self._emptied = self._emptied.behind(places_of(self._pruned))

    async def _follow(self, row: Any, done: int, total: int) -> _Place:
        key = chain_key(self._keyring, row)
        place = self._places.get(row.chain)
        if place is None:
            place = self._places[row.chain] = _Place(0, anchor(key, row.chain, row.node))
        self._skip_pruned(row.chain, place)
        while place.seq < row.seq:
            page = await self._page(row.chain, place.seq, row.seq)
            if not page or page[0].seq != place.seq + 1:  # pruned just now, or gone
                await self._read_anchors()
                if self._skip_pruned(row.chain, place):
                    continue
            if not page:
                break
            before = place.hash
            for entry in page:
                place.hash = check_entry(key, row.chain, place.seq + 1, place.hash, entry)
                place.seq += 1
                if entry.personal is None:
                    self._emptied.add(row.chain, place.seq)
                self._named.update(emptied_by(entry.facts))
            self._done += len(page)
            if self._take is not None:
                self._take(_checked(row, before, page))
            if self._progress is not None:
                self._progress(min(done + place.seq, total), total)
        return place

    def _skip_pruned(self, chain: int, place: _Place) -> bool:
        """Go on behind what is gone; whether that was anything."""
        part = self._pruned.get(chain)
        if part is None or part.seq <= place.seq:
            return False
        place.seq, place.hash = part.seq, part.hash
        return True

    async def _page(self, chain: int, after: int, until: int) -> Sequence[Any]:
        query = (
            WHOLE.where(audit_entries.c.chain == chain, audit_entries.c.seq > after, audit_entries.c.seq <= until)
            .order_by(audit_entries.c.seq)
            .limit(_PAGE)
        )
        return await self._database.scan(lambda connection: connection.execute(query).all())

    async def _surplus(self, chain: int, seq: int) -> int | None:
        """A number behind the head, where there is one that the head does not know by now either; or one that was pruned."""

        def look(connection: sa.Connection) -> int | None:
            known = sa.select(audit_chains.c.seq).where(audit_chains.c.chain == chain)
            gone = sa.select(audit_anchors.c.seq).where(audit_anchors.c.chain == chain).scalar_subquery()
            for table in (audit_entries, audit_events):
                behind = (table.c.seq > known.scalar_subquery()) | (table.c.seq <= sa.func.coalesce(gone, 0))
                found = connection.execute(
                    sa.select(sa.func.max(table.c.seq)).where(table.c.chain == chain, behind)
                ).scalar()
                if found is not None:
                    return int(found)
            return None

        return await self._database.scan(look)

    def _check_register(self, register: Any, chains: list[int]) -> None:
        """Whether exactly the chains 1, 2, … are there that were begun."""
        counted = register.chains if register is not None else 0
        if not isinstance(counted, int) or counted < 0:
            raise AuditBroken(0, 0, "the number of chains was changed")
        for number, chain in enumerate([*chains, None], 1):
            if chain != number and (chain is not None or number <= counted):
                raise AuditBroken(number, 1, "the whole chain is missing, or one was inserted")
        if register is None and not chains:
            return
        if register is None or counted != len(chains):
            raise AuditBroken(len(chains), 1, f"{counted} chains were begun, {len(chains)} are there")
        if not same_bytes(
            count_seal(_audit_key(self._keyring, register.register_key_id, 0), counted), register.register_seal
        ):
            raise AuditBroken(0, 0, "the number of chains was changed")


def _checked(chain: Any, before: bytes, rows: Sequence[Any]) -> list[CheckedEntry]:
    hashes = [before, *(row.hash for row in rows)]
    return [
        CheckedEntry(
            chain=row.chain,
            seq=row.seq,
            node=chain.node,
            key_id=chain.key_id,
            before=last,
            facts=row.facts,
            personal=row.personal,
            salt=row.salt,
            digest=row.digest,
            hash=row.hash,
        )
        for row, last in zip(rows, hashes, strict=False)
    ]


def _read_register(connection: sa.Connection) -> tuple[Any, Sequence[Any]]:
    """Register and chains in one statement, so that a chain that begins meanwhile is in both or in neither."""
    for _ in range(2):  # without a register the very first chain may just have been begun
        rows = connection.execute(_REGISTERED).all()
        if rows:
            return rows[0], [row for row in rows if row.chain is not None]
        chains = connection.execute(sa.select(audit_chains)).all()
        if not chains:
            break
    return None, chains


_REGISTERED = (
    sa.select(
        audit_register.c.chains,
        audit_register.c.key_id.label("register_key_id"),
        audit_register.c.seal.label("register_seal"),
        audit_chains,
    )
    .join_from(audit_register, audit_chains, sa.true(), isouter=True)
    .order_by(audit_chains.c.chain)
)


def _find_stray(connection: sa.Connection) -> tuple[int, int] | None:
    """An entry of a chain that does not exist."""
    last = sa.select(sa.func.coalesce(sa.func.max(audit_chains.c.chain), 0)).scalar_subquery()
    for table in (audit_entries, audit_events):
        stray = sa.select(table.c.chain, table.c.seq).where((table.c.chain > last) | (table.c.chain < 1)).limit(1)
        if (row := connection.execute(stray).one_or_none()) is not None:
            return row.chain, row.seq
    return None


def chain_key(keyring: Keyring, row: Any) -> bytes:
    """The key of a chain, by its row. Raises AuditBroken."""
    return _audit_key(keyring, row.key_id, row.chain)


def _audit_key(keyring: Keyring, key_id: str, chain: int) -> bytes:
    key = keyring.find("audit", key_id)
    if key is None:
        raise AuditBroken(chain, 1, f"its key {key_id} is not in the keyring")
    return key.secret


def check_entry(key: bytes, chain: int, seq: int, last: bytes, row: Any) -> bytes:
    """Its hash. Raises AuditBroken."""
    if row.seq != seq:
        raise AuditBroken(chain, seq, f"it is missing, the next one is {row.seq}")
    if row.event_seq is None:
        raise AuditBroken(chain, seq, "what stood beside it is missing")
    if not all(isinstance(value, bytes) for value in (row.facts, row.digest, row.hash)):
        raise AuditBroken(chain, seq, "it was changed: its content is of another type")
    expected = link(key, last, seq, row.digest, row.facts)
    if not same_bytes(expected, row.hash) or _differs(row):
        raise AuditBroken(chain, seq, "it was changed, or one before it")
    return expected


def _check_head(key: bytes, row: Any, place: _Place, surplus: int | None) -> None:
    sealed = same_bytes(place.hash, row.hash) and same_bytes(head_seal(key, row.chain, row.seq, row.hash), row.seal)
    if not sealed or place.seq != row.seq:
        problem = f"the head says {row.seq} entries, {place.seq} are there: the end was cut off or replaced"
        raise AuditBroken(row.chain, place.seq + 1, problem)
    if surplus is not None:
        raise AuditBroken(row.chain, surplus, "it was inserted: behind the head, or where the chain was pruned")


def _differs(row: Any) -> bool:
    """Whether what is searched by says something else than the entry itself; where its person was removed, anything."""
    facts = open_event(row.facts, None)
    if (row.time, row.kind, row.outcome, row.agent, row.correlation_id) != (
        facts.time,
        facts.kind,
        facts.outcome,
        facts.agent,
        facts.correlation_id,
    ):
        return True
    if row.personal is None:
        return any(value is not None for value in (row.salt, row.subject, row.directory, row.object))
    if not (isinstance(row.personal, bytes) and isinstance(row.salt, bytes)):
        return True
    if not same_bytes(digest_of(row.salt, row.personal), row.digest):
        return True
    event = open_event(row.facts, row.personal)
    account = event.account or AccountId("", "")
    return (row.subject, row.directory, row.object) != (
        searchable(event.subject),
        searchable(account.directory),
        searchable(account.object),
    )
