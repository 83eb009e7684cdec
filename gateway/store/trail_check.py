"""Checks the audit trail: every link of every chain, and that every chain is there."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.audit import AuditReport
from gateway.store.chain import anchor, count_seal, digest_of, emptied_by, head_seal, link, open_event
from gateway.store.database import Database
from gateway.store.entry_sets import EntrySet
from gateway.store.errors import AuditBroken
from gateway.store.keyring import Keyring
from gateway.store.trail_tables import WHOLE, audit_chains, audit_entries, audit_events, audit_register, head_of, searchable

_PAGE = 5000


class TrailCheck:
    """Reads everything, in pages."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring

    async def verify(self, progress: Callable[[int, int], None] | None = None) -> AuditReport:
        """See `AuditLog`."""
        register, chains = await self._database.scan(_read_register)
        self._check_register(register, [row.chain for row in chains])
        if (stray := await self._database.scan(_find_stray)) is not None:
            raise AuditBroken(*stray, "it was inserted: no such chain was begun")
        total = sum(row.seq for row in chains)
        done, emptied, named = 0, EntrySet(), EntrySet()
        for row in chains:
            key = self._key(row.key_id, row.chain)
            seq, last = 0, anchor(key, row.chain, row.node)
            while seq < row.seq and (page := await self._page(row.chain, seq, row.seq)):
                for entry in page:
                    seq += 1
                    last = _check_entry(key, row.chain, seq, last, entry)
                    if entry.personal is None:
                        emptied.add(row.chain, seq)
                    named.update(emptied_by(entry.facts))
                if progress is not None:
                    progress(done + seq, total)
            done += seq
            _check_head(key, row, seq, last, await self._surplus(row.chain, row.seq))
        for chain, seq in emptied.without(named):
            raise AuditBroken(chain, seq, "what it said of a person was removed, and no entry says so")
        return AuditReport(entries=done, removed=len(emptied), heads=tuple(head_of(row) for row in chains))

    async def _page(self, chain: int, after: int, until: int) -> Sequence[Any]:
        query = (
            WHOLE.where(audit_entries.c.chain == chain, audit_entries.c.seq > after, audit_entries.c.seq <= until)
            .order_by(audit_entries.c.seq)
            .limit(_PAGE)
        )
        return await self._database.scan(lambda connection: connection.execute(query).all())

    async def _surplus(self, chain: int, seq: int) -> int | None:
        """A number behind the head, where there is one that the head does not know by now either."""

        def look(connection: sa.Connection) -> int | None:
            known = sa.select(audit_chains.c.seq).where(audit_chains.c.chain == chain)
            for table in (audit_entries, audit_events):
                behind = (table.c.seq > known.scalar_subquery()) | (table.c.seq < 1)
                found = connection.execute(
                    sa.select(sa.func.max(table.c.seq)).where(table.c.chain == chain, behind)
                ).scalar()
                if found is not None:
                    return int(found)
            return None

        return await self._database.scan(look)

    def _key(self, key_id: str, chain: int) -> bytes:
        key = self._keyring.find("audit", key_id)
        if key is None:
            raise AuditBroken(chain, 1, f"its key {key_id} is not in the keyring")
        return key.secret

    def _check_register(self, register: Any, chains: list[int]) -> None:
        """Whether exactly the chains 1, 2, … are there that were begun."""
        counted = register.chains if register is not None else 0
        for number, chain in enumerate([*chains, None], 1):
            if chain != number and (chain is not None or number <= counted):
                raise AuditBroken(number, 1, "the whole chain is missing, or one was inserted")
        if register is None and not chains:
            return
        if register is None or counted != len(chains):
            raise AuditBroken(len(chains), 1, f"{counted} chains were begun, {len(chains)} are there")
        if not _same(count_seal(self._key(register.register_key_id, 0), counted), register.register_seal):
            raise AuditBroken(0, 0, "the number of chains was changed")


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


def _check_entry(key: bytes, chain: int, seq: int, last: bytes, row: Any) -> bytes:
    """Its hash. Raises AuditBroken."""
    if row.seq != seq:
        raise AuditBroken(chain, seq, f"it is missing, the next one is {row.seq}")
    if row.event_seq is None:
        raise AuditBroken(chain, seq, "what stood beside it is missing")
    if not all(isinstance(value, bytes) for value in (row.facts, row.digest, row.hash)):
        raise AuditBroken(chain, seq, "it was changed: its content is of another type")
    expected = link(key, last, seq, row.digest, row.facts)
    if not _same(expected, row.hash) or _differs(row):
        raise AuditBroken(chain, seq, "it was changed, or one before it")
    return expected


def _check_head(key: bytes, row: Any, seq: int, last: bytes, surplus: int | None) -> None:
    sealed = _same(last, row.hash) and _same(head_seal(key, row.chain, row.seq, row.hash), row.seal)
    if not sealed or seq != row.seq:
        problem = f"the head says {row.seq} entries, {seq} are there: the end was cut off or replaced"
        raise AuditBroken(row.chain, seq + 1, problem)
    if surplus is not None:
        raise AuditBroken(row.chain, surplus, "it was inserted behind the head")


def _same(expected: bytes, found: object) -> bool:
    """SQLite lets a column hold anything."""
    return isinstance(found, bytes) and hmac.compare_digest(expected, found)


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
    if not _same(digest_of(row.salt, row.personal), row.digest):
        return True
    event = open_event(row.facts, row.personal)
    account = event.account or AccountId("", "")
    return (row.subject, row.directory, row.object) != (
        searchable(event.subject),
        searchable(account.directory),
        searchable(account.object),
    )
