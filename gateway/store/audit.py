"""The audit trail: what happened, in chains of keyed hashes (`chain.py` has the arithmetic).

Each start of each node writes a chain of its own, so that no node waits for another one's head (one shared head refused
writers from four nodes on). Entries of different chains have no order among each other but that of their clocks.

    audit_register   how many chains there are, sealed: a chain that is gone as a whole is noticed
    audit_chains     each chain: its node, its key, its last entry, sealed
    audit_entries    the chain: facts, digest of the personal part, hash
    audit_events     beside it, to search by: time, person, correlation id, agent, outcome; the personal part and its salt

The keys are not readable in the database: whoever can only write to it can neither change, insert nor remove an entry
unnoticed, nor cut off a tail, unless they kept the row of the chain (or the register) as it was then: an older copy
holds in itself, of the whole database or of the end of one chain. A process that still writes to that chain notices
(`audit.head_replaced`). For the others the heads are noted outside the database (`head.py`).

What a person's entries say of the person can be removed (`remove_person`). The chain still verifies; the removal is an
entry itself, and says how many it took: whoever removes more without an entry is found out.

Commits are grouped: whatever has come in one round of the event loop, or while the commit before was under way, is one
transaction, so a thousand sign-ins a second cost some dozens or hundreds of them. On SQLite they are made in the loop's own
thread as long as that is quick (`Database.write_now`), otherwise in one of the store's. Kind of state: lasting.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
import structlog

from gateway.protocol import AccountId
from gateway.store.chain import (
    AuditEvent,
    SealedEvent,
    anchor,
    count_seal,
    digest_of,
    head_seal,
    link,
    open_event,
    removed_by,
    seal_event,
)
from gateway.store.database import Database, NotNow, Step, insert_arrays_text, insert_text
from gateway.store.errors import AuditBroken, StoreUnavailable
from gateway.store.keyring import Keyring
from gateway.store.tables import BigNumber, metadata, upsert

log = structlog.get_logger()

T = TypeVar("T")

QUEUE_LIMIT = 10_000
"""Events that may wait for the writer."""
BATCH = 500
"""Events in one transaction at most."""
_PAGE = 5000
_LEFT = 100
"""Chains that a process remembers to have left."""
_LONGEST = 256
"""Characters of what is searched by; of a longer text a digest follows."""

audit_register = sa.Table(
    "audit_register",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("chains", BigNumber, nullable=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
)

audit_chains = sa.Table(
    "audit_chains",
    metadata,
    sa.Column("chain", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("started_at", sa.Float, nullable=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("seq", BigNumber, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
)

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("chain", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("seq", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("facts", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

_UNUSUAL = sa.column("outcome") != sa.text("'success'")

audit_events = sa.Table(
    "audit_events",
    metadata,
    sa.Column("chain", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("seq", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text),
    sa.Column("directory", sa.Text),
    sa.Column("object", sa.Text),
    sa.Column("personal", sa.LargeBinary),
    sa.Column("salt", sa.LargeBinary),
    sa.Index("ix_audit_events_time", "time"),
    sa.Index("ix_audit_events_subject", "subject", "time"),
    sa.Index("ix_audit_events_object", "object", "time"),
    sa.Index("ix_audit_events_correlation_id", "correlation_id"),
    sa.Index("ix_audit_events_agent", "agent", "time"),
    # nearly all are successes: whoever looks for them finds them by time, and each sign-in would pay for this index
    sa.Index("ix_audit_events_outcome", "outcome", "time", sqlite_where=_UNUSUAL, postgresql_where=_UNUSUAL),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An event in its place."""

    chain: int
    seq: int
    """From 1 in each chain."""
    event: AuditEvent
    hash: str
    """Hex; covers the event and the previous entry's hash."""

    @property
    def id(self) -> str:
        """What people and programs name it by: `<chain>-<number>`."""
        return f"{self.chain}-{self.seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """Where a chain ends."""

    chain: int
    node: str
    seq: int
    hash: str
    """Hex."""

    @property
    def noted(self) -> str:
        """As the log has it: `<chain>-<number>:<hash>`."""
        return f"{self.chain}-{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What `verify` found in order."""

    entries: int
    removed: int
    """Entries whose personal part was removed, as the trail itself says."""
    heads: tuple[AuditHead, ...]


class AuditLog(Protocol):
    """Append-only, in hash chains. Nothing here tells the order of two entries of different nodes."""

    @property
    def refusing(self) -> bool:
        """The last entry could not be written."""
        ...

    async def append(self, event: AuditEvent, *, patience: float = 0.0) -> None:
        """Add an event; returns when it is committed. Raises StoreUnavailable: then it may be there all the same.

        patience: seconds that it may wait for others, to be committed with them.
        """
        ...

    async def settle(self) -> None:
        """Wait until everything appended is committed."""
        ...

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
    ) -> list[AuditEntry]:
        """Newest first, by the writers' clocks; `before` is an entry's id, the others filter exactly.

        Raises ValueError for a `before` that is no id, or of no entry.
        """
        ...

    async def entry(self, chain: int, seq: int) -> AuditEntry | None:
        """One entry; None where there is none."""
        ...

    async def last_signins(self, account: AccountId, limit: int = 10) -> list[AuditEntry]:
        """The latest sign-ins of one person, newest first."""
        ...

    async def accounts(self, identifier: str) -> list[AccountId]:
        """Those with this objectGUID or entryUUID that entries tell of, in order of their directories."""
        ...

    @property
    def written(self) -> tuple[AuditHead, ...]:
        """Where this process's own chain ends, as far as it knows, behind those that it had to leave."""
        ...

    async def heads(self) -> list[AuditHead]:
        """Where the chains of all nodes end, oldest first; what it tells is on the disk, and outlives a power cut."""
        ...

    async def remove_person(self, account: AccountId, now: float, actor: str) -> int:
        """Remove what entries say of a person, with attempts under every name that the person signed in with; not what they
        say of somebody else who has signed in under the same name.

        Returns from how many; the removal is an entry itself. actor: who wants it.
        """
        ...

    async def verify(self, progress: Callable[[int, int], None] | None = None) -> AuditReport:
        """Check all chains. Raises AuditBroken at the first entry that does not hold."""
        ...


@dataclass(slots=True)
class _Tail:
    """The end of this process's own chain."""

    chain: int
    key: bytes
    seq: int
    hash: bytes


_Waiting = tuple[SealedEvent, AuditEvent, asyncio.Future[None]]
"""An entry that is to be written, and who wants to know when it is."""


class SqlAuditLog:
    """Implements `AuditLog`. node: name of this node."""

    def __init__(self, database: Database, keyring: Keyring, node: str) -> None:
        self._database, self._keyring, self._node = database, keyring, node
        self._queue: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._flushing: asyncio.Handle | None = None
        """The next commit is due …"""
        self._hurried = False
        """… in this round of the loop."""
        self._writing = asyncio.Lock()
        """Held from reading the tail until what was appended is committed."""
        self._tail: _Tail | None = None
        self._left: deque[AuditHead] = deque(maxlen=_LEFT)
        """The ends, as they should be, of chains of its own that somebody changed."""
        self._moved: list[tuple[int, bytes]] = []
        """Where commits leave the head that nobody has seen the end of yet."""
        self._unsure = False
        """What came of the last commit is not known, or not yet: the chain's head has to be asked."""
        self._add = _add_shared(database.dialect) if database.dialect.name == "postgresql" else _add_alone
        self.refusing = False
        """See `AuditLog`."""

    async def append(self, event: AuditEvent, *, patience: float = 0.0) -> None:
        """See `AuditLog`."""
        if len(self._queue) >= QUEUE_LIMIT:
            raise StoreUnavailable("audit trail", f"{QUEUE_LIMIT} events wait already", "the disk does not keep up")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._queue.append((seal_event(event), event, done))
        if self._writer is None:
            if patience and self._flushing is None:
                self._flushing = loop.call_later(patience, self._flush)
            elif not patience and not self._hurried:
                if self._flushing is not None:
                    self._flushing.cancel()
                self._flushing, self._hurried = loop.call_soon(self._flush), True
        await done

    async def settle(self) -> None:
        """See `AuditLog`."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flush()
        if self._writer is not None:
            await asyncio.wait({self._writer})  # whoever ends this wait does not end the writer

    async def commit_with(self, steps: Sequence[Step], events: Sequence[AuditEvent]) -> None:
        """Do the steps and append the events in one transaction. Raises what a step raises; then nothing is done."""
        sealed = [(seal_event(event), event) for event in events]

        def work(connection: sa.Connection) -> int:
            for step in steps:
                step(connection)
            if not sealed:
                return 0
            assert self._tail is not None  # noqa: S101 - the lock is held
            return self._put(connection.connection.cursor(), self._tail, sealed)

        if not sealed:
            await self._database.write(work)
            return
        async with self._writing:
            tail = await self._ready_tail()
            await self._committed(tail, self._database.write(work))

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
    ) -> list[AuditEntry]:
        """See `AuditLog`."""
        query = _ENTRIES.limit(limit)
        columns = {"kind": kind, "subject": subject, "correlation_id": correlation_id, "agent": agent, "outcome": outcome}
        for name, value in columns.items():
            if value:
                query = query.where(audit_events.c[name] == _searchable(value))
        if outcome and outcome != "success":
            query = query.where(_UNUSUAL)  # SQLite takes the index only for its own condition
        if account is not None:
            query = query.where(_of(account))
        if before:
            query = query.where(await self._place(before) > _ORDER)
        return await self._database.scan(lambda connection: [_entry(row) for row in connection.execute(query)])

    async def entry(self, chain: int, seq: int) -> AuditEntry | None:
        """See `AuditLog`."""
        query = _ENTRIES.where(audit_events.c.chain == chain, audit_events.c.seq == seq)
        row = await self._database.scan(lambda connection: connection.execute(query).one_or_none())
        return _entry(row) if row is not None else None

    async def last_signins(self, account: AccountId, limit: int = 10) -> list[AuditEntry]:
        """See `AuditLog`."""
        query = _ENTRIES.where(_of(account), audit_events.c.kind == "signin").limit(limit)
        return await self._database.read(lambda connection: [_entry(row) for row in connection.execute(query)])

    async def accounts(self, identifier: str) -> list[AccountId]:
        """See `AuditLog`."""
        query = sa.select(audit_events.c.directory).where(audit_events.c.object == _searchable(identifier)).distinct()
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return sorted(AccountId(row.directory, identifier) for row in rows)

    @property
    def written(self) -> tuple[AuditHead, ...]:
        """See `AuditLog`."""
        tail = self._tail
        return (*self._left, self._own_head(tail.chain, tail.seq, tail.hash)) if tail and tail.seq else tuple(self._left)

    async def heads(self) -> list[AuditHead]:
        """See `AuditLog`."""
        query = sa.select(audit_chains).where(audit_chains.c.seq > 0).order_by(audit_chains.c.chain)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        await self._database.sync()
        return [_head(row) for row in rows]

    async def remove_person(self, account: AccountId, now: float, actor: str) -> int:
        """See `AuditLog`."""
        removal = AuditEvent(time=now, kind="audit.person_removed", actor=actor)

        def work(connection: sa.Connection) -> int:
            assert self._tail is not None  # noqa: S101 - the lock is held
            names = sa.select(audit_events.c.subject).where(_of(account), audit_events.c.subject != "")
            named = audit_events.c.subject.in_(names.distinct()) | (audit_events.c.subject == _searchable(account.object))
            own = _of(account) | (named & (audit_events.c.object == ""))
            nothing = {"subject": None, "directory": None, "object": None, "personal": None, "salt": None}
            changed = connection.execute(sa.update(audit_events).where(own).values(nothing)).rowcount
            self._put(connection.connection.cursor(), self._tail, [(seal_event(removal, changed), removal)])
            return changed

        async with self._writing:
            tail = await self._ready_tail()
            return await self._committed(tail, self._database.write(work))

    async def verify(self, progress: Callable[[int, int], None] | None = None) -> AuditReport:
        """See `AuditLog`."""
        register, chains = await self._database.scan(_read_register)
        self._check_register(register, [row.chain for row in chains])
        if (stray := await self._database.scan(_find_stray)) is not None:
            raise AuditBroken(*stray, "it was inserted: no such chain was begun")
        total = sum(row.seq for row in chains)
        done = removed = recorded = 0
        for row in chains:
            key = self._key(row.key_id, row.chain)
            seq, last = 0, anchor(key, row.chain, row.node)
            while seq < row.seq and (page := await self._page(row.chain, seq, row.seq)):
                for entry in page:
                    seq += 1
                    last = _check_entry(key, row.chain, seq, last, entry)
                    removed += entry.personal is None
                    recorded += removed_by(entry.facts)
                if progress is not None:
                    progress(done + seq, total)
            done += seq
            _check_head(key, row, seq, last, await self._surplus(row.chain, row.seq))
        if removed > recorded:
            problem = f"{removed} entries lack their personal part, the trail says that of {recorded}"
            raise AuditBroken(0, 0, problem)
        return AuditReport(entries=done, removed=removed, heads=tuple(_head(row) for row in chains))

    # -- inside: writing

    def _flush(self) -> None:
        """Commit what waits, at once if that is quick; otherwise a task does."""
        self._flushing, self._hurried = None, False
        while self._queue and self._tail is not None and not self._unsure:
            batch = self._queue[:BATCH]
            put = functools.partial(self._put_waiting, tail=self._tail, batch=batch)
            try:
                with self._settling(batch):
                    self._unsure = True
                    self._database.write_now(put)
                    self._moved_on(self._tail)
            except NotNow:
                self._unsure = False
                break
            del self._queue[: len(batch)]
        if self._queue and self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="audit-writer")

    async def _write(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                with self._settling(batch, behind=len(self._queue)):
                    async with self._writing:
                        tail = await self._ready_tail()
                        put = functools.partial(self._put_waiting, tail=tail, batch=batch)
                        await self._committed(tail, self._database.write_trail(put))
        finally:
            self._writer = None

    @contextmanager
    def _settling(self, batch: Sequence[_Waiting], behind: int = 0) -> Iterator[None]:
        """Whoever waits for these entries learns what came of the block, unless that is NotNow.

        behind: how many stood in the queue when it began. Of an outage they are told too: they have waited as long, and one
        batch after the other would keep the last for minutes.
        """
        try:
            yield
        except NotNow:
            raise
        except StoreUnavailable as error:
            batch, self._queue = [*batch, *self._queue[:behind]], self._queue[behind:]
            log.critical("audit.unwritable", error=str(error), events=len(batch))
            self._settle(batch, error)
        except Exception as error:
            log.exception("audit.failed", events=len(batch))
            self._settle(batch, StoreUnavailable("audit trail", f"{type(error).__name__}: {error}", "see the log"))
        else:
            self._settle(batch, None)

    async def _committed(self, tail: _Tail, work: Awaitable[T]) -> T:
        """Wait for a transaction that moves the head. A commit that nobody has seen is looked up before the next one."""
        self._unsure = True
        result = await work
        self._moved_on(tail)
        return result

    def _moved_on(self, tail: _Tail) -> None:
        self._unsure = False
        tail.seq, tail.hash = self._moved[-1]
        self._moved = []

    async def _ready_tail(self) -> _Tail:
        if self._tail is not None and self._unsure:
            tail = self._tail
            head = await self._database.write_trail(lambda cursor: self._read_head(cursor, tail.chain))
            if head in ((tail.seq, tail.hash), *self._moved):
                tail.seq, tail.hash = head
                self._unsure = False
            else:
                return await self._leave_chain(tail, head)
        if self._tail is None:
            self._tail = await self._database.write(self._begin_chain)
        return self._tail

    async def _leave_chain(self, left: _Tail, found: tuple[int, bytes]) -> _Tail:
        """Begin another chain, which says so: somebody moved the head of this one, or put an older copy of the database in
        its place. To go on behind that would make whole what is not."""
        last = self._own_head(left.chain, left.seq, left.hash)
        here, there = last.noted, self._own_head(left.chain, *found).noted
        log.critical("audit.head_replaced", left=here, found=there)
        event = AuditEvent(
            time=self._keyring.clock(), kind="audit.head_replaced", actor="relay", detail={"left": here, "found": there}
        )
        tail = await self._database.write(self._begin_chain)
        if left.seq and last not in self._left:
            self._left.append(last)
        sealed = [(seal_event(event), event)]
        await self._committed(tail, self._database.write_trail(lambda cursor: self._put(cursor, tail, sealed)))
        self._tail = tail
        return tail

    def _own_head(self, chain: int, seq: int, digest: bytes) -> AuditHead:
        return AuditHead(chain=chain, node=self._node, seq=seq, hash=digest.hex())

    def _read_head(self, cursor: Any, chain: int) -> tuple[int, bytes]:
        cursor.execute(f"SELECT seq, hash FROM audit_chains WHERE chain = {chain:d}")  # noqa: S608 - a number
        row = cursor.fetchone()
        return (row[0], bytes(row[1])) if row is not None else (0, b"")

    def _begin_chain(self, connection: sa.Connection) -> _Tail:
        """A number of its own for this start; the register counts them under a lock of its only row."""
        key = self._keyring.current("audit")
        nothing = {"id": 1, "chains": 0, "key_id": key.id, "seal": b""}
        connection.execute(upsert(connection, audit_register).values(nothing).on_conflict_do_nothing())
        counted = sa.update(audit_register).values(chains=audit_register.c.chains + 1).returning(audit_register.c.chains)
        chain: int = connection.execute(counted).scalar_one()
        seal = count_seal(key.secret, chain)
        connection.execute(sa.update(audit_register).values(key_id=key.id, seal=seal))
        first = anchor(key.secret, chain, self._node)
        connection.execute(
            sa.insert(audit_chains).values(
                chain=chain,
                node=self._node,
                started_at=self._keyring.clock(),
                key_id=key.id,
                seq=0,
                hash=first,
                seal=head_seal(key.secret, chain, 0, first),
            )
        )
        return _Tail(chain, key.secret, 0, first)

    def _put_waiting(self, cursor: Any, tail: _Tail, batch: Sequence[_Waiting]) -> int:
        return self._put(cursor, tail, [(sealed, event) for sealed, event, _ in batch])

    def _put(self, cursor: Any, tail: _Tail, batch: Sequence[tuple[SealedEvent, AuditEvent]]) -> int:
        seq, last = tail.seq, tail.hash
        entries, events = [], []
        for sealed, event in batch:
            seq += 1
            last = link(tail.key, last, seq, sealed.digest, sealed.facts)
            entries.append((tail.chain, seq, sealed.facts, sealed.digest, last))
            events.append(_event_row(tail.chain, seq, sealed, event))
        head = (seq, last, head_seal(tail.key, tail.chain, seq, last), tail.chain, tail.seq)
        if not self._add(cursor, head, entries, events):
            raise AuditBroken(tail.chain, tail.seq + 1, "somebody else wrote to this process's own chain")
        self._moved.append((seq, last))
        return len(batch)

    def _settle(self, batch: Sequence[_Waiting], error: StoreUnavailable | None) -> None:
        self.refusing = error is not None
        for _, _, done in batch:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    # -- inside: reading

    async def _place(self, entry_id: str) -> sa.ColumnElement[Any]:
        """Where an entry stands in the lists."""
        chain, dash, seq = entry_id.partition("-")
        if not (dash and chain.isdecimal() and seq.isdecimal()):
            raise ValueError(f"{entry_id!r}: expected the id of an entry, such as 3-1204")
        found = await self.entry(int(chain), int(seq))
        if found is None:
            raise ValueError(f"there is no entry {entry_id}")
        return sa.tuple_(sa.literal(found.event.time), sa.literal(found.chain), sa.literal(found.seq))

    async def _page(self, chain: int, after: int, until: int) -> Sequence[Any]:
        query = (
            _WHOLE.where(audit_entries.c.chain == chain, audit_entries.c.seq > after, audit_entries.c.seq <= until)
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


_ORDER = sa.tuple_(audit_events.c.time, audit_events.c.chain, audit_events.c.seq)
_JOINED = (audit_entries.c.chain == audit_events.c.chain) & (audit_entries.c.seq == audit_events.c.seq)
_ENTRIES = (
    sa.select(audit_events.c.chain, audit_events.c.seq, audit_events.c.personal, audit_entries.c.facts, audit_entries.c.hash)
    .join_from(audit_events, audit_entries, _JOINED)
    .order_by(audit_events.c.time.desc(), audit_events.c.chain.desc(), audit_events.c.seq.desc())
)
_WHOLE = sa.select(
    audit_entries,
    audit_events.c.seq.label("event_seq"),
    *(column for column in audit_events.c if column.name not in {"chain", "seq"}),
).join_from(audit_entries, audit_events, _JOINED, isouter=True)


_Rows = Sequence[tuple[Any, ...]]
_Add = Callable[[Any, tuple[Any, ...], _Rows, _Rows], bool]
"""Cursor; the head's new seq, hash and seal, its chain, its seq up to now; entries; events -> whether the head was there."""

_INSERT_ENTRY, _INSERT_EVENT = insert_text(audit_entries), insert_text(audit_events)


def _add_alone(cursor: Any, head: tuple[Any, ...], entries: _Rows, events: _Rows) -> bool:
    cursor.execute("UPDATE audit_chains SET seq = ?, hash = ?, seal = ? WHERE chain = ? AND seq = ?", head)
    if cursor.rowcount != 1:
        return False
    cursor.executemany(_INSERT_ENTRY, entries)
    cursor.executemany(_INSERT_EVENT, events)
    return True


def _add_shared(dialect: sa.Dialect) -> _Add:
    """In one statement: each would be a round trip, and each row of `executemany` a statement for the server."""
    move = "UPDATE audit_chains SET seq = %s, hash = %b, seal = %b WHERE chain = %s AND seq = %s RETURNING 1"
    entry, event = (insert_arrays_text(dialect, table, "moved") for table in (audit_entries, audit_events))
    statement = f"WITH moved AS ({move}), entries AS ({entry}) {event}"

    def add(cursor: Any, head: tuple[Any, ...], entries: _Rows, events: _Rows) -> bool:
        columns = (list(column) for rows in (entries, events) for column in zip(*rows, strict=True))
        cursor.execute(statement, (*head, *columns))
        return bool(cursor.rowcount)

    return add


def _of(account: AccountId) -> sa.ColumnElement[bool]:
    directory, identifier = map(_searchable, account)
    return (audit_events.c.object == identifier) & (audit_events.c.directory == directory)


def _searchable(text: str) -> str:
    """As it stands in the columns that are searched. The entry itself has it as it is.

    PostgreSQL keeps no NUL in a text, and at most 2,704 bytes in an index, which 1,024 characters of a name can exceed: one
    such name must not take the whole batch with it.
    """
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST] + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _event_row(chain: int, seq: int, sealed: SealedEvent, event: AuditEvent) -> tuple[Any, ...]:
    """In the order of the table's columns."""
    directory, identifier = event.account or ("", "")
    return (
        chain,
        seq,
        event.time,
        event.kind,
        event.outcome,
        event.agent,
        event.correlation_id,
        _searchable(event.subject),
        _searchable(directory),
        _searchable(identifier),
        sealed.personal,
        sealed.salt,
    )


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
        _searchable(event.subject),
        _searchable(account.directory),
        _searchable(account.object),
    )


def _entry(row: Any) -> AuditEntry:
    personal = bytes(row.personal) if row.personal is not None else None
    return AuditEntry(chain=row.chain, seq=row.seq, event=open_event(bytes(row.facts), personal), hash=row.hash.hex())


def _head(row: Any) -> AuditHead:
    return AuditHead(chain=row.chain, node=row.node, seq=row.seq, hash=row.hash.hex())
