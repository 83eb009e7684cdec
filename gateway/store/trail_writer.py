"""Writes to the audit trail: each process to a chain of its own, of which it knows the end.

Commits are grouped: whatever has come in one round of the event loop, or while the commit before was under way, is one
transaction, so a thousand sign-ins a second cost some dozens or hundreds of them. On SQLite they are made in the loop's own
thread as long as that is quick (`Database.write_now`), otherwise in one of the store's.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from gateway.store.audit import AuditHead
from gateway.store.chain import AuditEvent, SealedEvent, anchor, count_seal, head_seal, link, seal_event
from gateway.store.database import Database, NotNow, Step, insert_arrays_text, insert_text
from gateway.store.errors import AuditBroken, StoreUnavailable
from gateway.store.keyring import Keyring
from gateway.store.tables import upsert
from gateway.store.trail_tables import audit_chains, audit_entries, audit_events, audit_register, event_row

log = structlog.get_logger()

T = TypeVar("T")

QUEUE_LIMIT = 10_000
"""Events that may wait for the writer."""
BATCH = 500
"""Events in one transaction at most."""
_LEFT = 100
"""Chains that a process remembers to have left."""
_UNSEEN = 100
"""Commits without an answer that a process remembers: one for each attempt while nothing can be written."""


@dataclass(slots=True)
class _Tail:
    """The end of this process's own chain."""

    chain: int
    key: bytes
    seq: int
    hash: bytes


_Waiting = tuple[SealedEvent, AuditEvent, asyncio.Future[None]]
"""An entry that is to be written, and who wants to know when it is."""


class TrailWriter:
    """Writes this process's own chain. node: name of this node."""

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
        self._moved: deque[tuple[int, bytes]] = deque(maxlen=_UNSEEN)
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

        def work(connection: sa.Connection) -> tuple[None, Sequence[tuple[SealedEvent, AuditEvent]]]:
            for step in steps:
                step(connection)
            return None, sealed

        if sealed:
            await self.change(work)
        else:
            await self._database.write(work)

    async def change(self, work: Callable[[sa.Connection], tuple[T, Sequence[tuple[SealedEvent, AuditEvent]]]]) -> T:
        """Do what `work` does, and append the events that it returns, one at least, in one transaction; its result.

        Raises what it raises; then nothing is done.
        """

        def change(connection: sa.Connection) -> T:
            assert self._tail is not None  # noqa: S101 - the lock is held
            result, sealed = work(connection)
            self._put(connection.connection.cursor(), self._tail, sealed)
            return result

        async with self._writing:
            tail = await self._ready_tail()
            return await self._committed(tail, self._database.write(change))

    @property
    def written(self) -> tuple[AuditHead, ...]:
        """See `AuditLog`."""
        tail = self._tail
        return (*self._left, self._own_head(tail.chain, tail.seq, tail.hash)) if tail and tail.seq else tuple(self._left)

    # -- inside

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
        self._moved.clear()

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
            events.append(event_row(tail.chain, seq, sealed, event))
        head = (seq, last, head_seal(tail.key, tail.chain, seq, last), tail.chain, tail.seq)
        self._moved.append((seq, last))  # before: a statement that commits by itself may do so although its answer is lost
        if not self._add(cursor, head, entries, events):
            raise AuditBroken(tail.chain, tail.seq + 1, "somebody else wrote to this process's own chain")
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
