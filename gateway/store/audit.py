"""The audit trail: a chain in which every entry's keyed hash covers the entry before it.

    hash(n) = HMAC-SHA256(key, hash(n-1) || n || body(n))        head = HMAC-SHA256(key, "head" || n || hash(n))

The key lies in the relay's state directory, not in the database: who can only write to the database can neither change,
insert or remove an entry nor cut off the tail unnoticed. Who has the whole machine can, and an older copy of the whole
database verifies too: for that the relay logs the head each minute (`audit.head`), to be carried off the machine with the
log and compared (`isthmus relay audit verify --noted`).

Commits are grouped: one writer takes whatever has queued up meanwhile, so a thousand sign-ins a second cost some dozens
of transactions.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from gateway.store.database import Compiled, Database
from gateway.store.errors import AuditBroken, StoreUnavailable
from gateway.store.port import AuditEntry, AuditEvent
from gateway.store.tables import audit, audit_head

log = structlog.get_logger()

QUEUE_LIMIT = 10_000
"""Events that may wait for the writer."""
BATCH = 500
"""Events in one transaction at most."""
_ANCHOR = "0" * 64
_PAGE = 5000

_RETRIES = 20
_FIRST_HEAD = sa.insert(audit_head).values(
    id=1, seq=sa.bindparam("new_seq"), hash=sa.bindparam("new_hash"), mac=sa.bindparam("new_mac")
)
_MOVE_HEAD = (
    sa.update(audit_head)
    .where(audit_head.c.id == sa.bindparam("head_id"), audit_head.c.seq == sa.bindparam("old_seq"))
    .values(seq=sa.bindparam("new_seq"), hash=sa.bindparam("new_hash"), mac=sa.bindparam("new_mac"))
)


class _HeadMoved(Exception):
    """Another process appended between our reading the head and our writing it."""


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(AuditEvent)


class SqlAuditLog:
    """Implements `port.AuditLog`. key: at least 32 bytes."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key
        self._queue: list[tuple[bytes, AuditEvent, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._head: tuple[int, str] | None = None
        """Number and hash of the last entry, as far as this process knows."""
        self._pending_head = (0, _ANCHOR)
        self._compiled: Compiled | None = None
        self.refusing = False
        """See `port.AuditLog`."""

    async def append(self, event: AuditEvent) -> None:
        """See `port.AuditLog`."""
        if len(self._queue) >= QUEUE_LIMIT:
            raise StoreUnavailable("audit trail", f"{QUEUE_LIMIT} events wait already", "the disk does not keep up")
        done = asyncio.get_running_loop().create_future()
        self._queue.append((_encoder.encode(event), event, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write(), name="audit-writer")
        await done

    async def settle(self) -> None:
        """Wait until everything appended is committed."""
        if self._writer is not None:
            await self._writer

    async def entries(
        self, *, limit: int = 100, before: int | None = None, kind: str = "", subject: str = ""
    ) -> list[AuditEntry]:
        """See `port.AuditLog`."""
        query = sa.select(audit.c.seq, audit.c.body, audit.c.hash).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.seq < before)
        if kind:
            query = query.where(audit.c.kind == kind)
        if subject:
            query = query.where(audit.c.subject == subject)
        return await self._database.run(lambda connection: [_entry(row) for row in connection.execute(query)])

    async def last_signins(self, object_guid: str, limit: int = 10) -> list[AuditEntry]:
        """See `port.AuditLog`."""
        query = (
            sa.select(audit.c.seq, audit.c.body, audit.c.hash)
            .where(audit.c.object_guid == object_guid, audit.c.kind == "signin")
            .order_by(audit.c.seq.desc())
            .limit(limit)
        )
        return await self._database.run(lambda connection: [_entry(row) for row in connection.execute(query)])

    async def verify(self, progress: Callable[[int, int], None] | None = None) -> AuditEntry | None:
        """See `port.AuditLog`."""
        head = await self._database.run(lambda connection: connection.execute(sa.select(audit_head)).one_or_none())
        total = head.seq if head else 0
        seq, link, last = 0, _ANCHOR, None
        while rows := await self._page(seq):
            for row in rows:
                seq += 1
                if row.seq != seq:
                    raise AuditBroken(seq, f"it is missing, the next one is {row.seq}")
                if not isinstance(row.body, bytes) or not isinstance(row.hash, str):
                    raise AuditBroken(seq, "it was changed: its content is of another type")
                link = self._link(link, seq, row.body)
                if not hmac.compare_digest(link.encode(), row.hash.encode()) or _differs(row):
                    raise AuditBroken(seq, "it was changed, or one before it")
                last = row
            if progress is not None:
                progress(seq, max(total, seq))
        if head is None and seq == 0:
            return None
        if head is None or head.seq != seq or head.hash != link or not hmac.compare_digest(head.mac, self._seal(seq, link)):
            raise AuditBroken(seq + 1, f"the head says {total} entries, {seq} are there: the end was cut off or replaced")
        return _entry(last)

    # -- inside

    async def _page(self, after: int) -> Sequence[Any]:
        query = sa.select(audit).where(audit.c.seq > after)
        query = query.order_by(audit.c.seq).limit(_PAGE)
        return await self._database.run(lambda connection: connection.execute(query).all())

    async def _write(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                try:
                    await self._commit_batch(batch)
                except StoreUnavailable as error:
                    log.critical("audit.unwritable", error=str(error), events=len(batch))
                    self._settle(batch, error)
                except Exception as error:
                    log.exception("audit.failed", events=len(batch))
                    self._settle(batch, StoreUnavailable("audit trail", f"{type(error).__name__}: {error}", "see the log"))
                else:
                    self._settle(batch, None)
        finally:
            self._writer = None

    async def _commit_batch(self, batch: Sequence[tuple[bytes, AuditEvent, asyncio.Future[None]]]) -> None:
        for _ in range(_RETRIES):
            try:
                await self._database.run(lambda connection: self._commit(connection, batch))
            except _HeadMoved:
                continue  # another process wrote meanwhile: nothing of ours was committed, read its head
            self._head = self._pending_head
            return
        raise StoreUnavailable("audit trail", "other processes keep writing", "end them")

    def _commit(self, connection: sa.Connection, batch: Sequence[tuple[bytes, AuditEvent, asyncio.Future[None]]]) -> None:
        before = self._head if self._head is not None else _read_head(connection)
        seq, link = before or (0, _ANCHOR)
        rows = []
        for body, event, _ in batch:
            seq += 1
            link = self._link(link, seq, body)
            rows.append(
                {
                    "seq": seq,
                    "time": event.time,
                    "kind": event.kind,
                    "subject": event.subject,
                    "object_guid": event.object_guid,
                    "body": body,
                    "hash": link,
                }
            )
        self._head = None  # unless all of this is committed
        head = {"new_seq": seq, "new_hash": link, "new_mac": self._seal(seq, link)}
        if before is None:
            connection.execute(_FIRST_HEAD, head)
        elif self._statements(connection).run(connection, "move", [{**head, "head_id": 1, "old_seq": before[0]}]) != 1:
            raise _HeadMoved
        self._statements(connection).run(connection, "insert", rows)
        self._pending_head = (seq, link)

    def _settle(
        self, batch: Sequence[tuple[bytes, AuditEvent, asyncio.Future[None]]], error: StoreUnavailable | None
    ) -> None:
        self.refusing = error is not None
        for _, _, done in batch:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    def _statements(self, connection: sa.Connection) -> Compiled:
        if self._compiled is None:
            self._compiled = Compiled(connection.dialect, {"insert": sa.insert(audit), "move": _MOVE_HEAD})
        return self._compiled

    def _link(self, previous: str, seq: int, body: bytes) -> str:
        return hmac.new(self._key, bytes.fromhex(previous) + seq.to_bytes(8, "big") + body, hashlib.sha256).hexdigest()

    def _seal(self, seq: int, link: str) -> str:
        return hmac.new(self._key, b"head" + seq.to_bytes(8, "big") + bytes.fromhex(link), hashlib.sha256).hexdigest()


def _read_head(connection: sa.Connection) -> tuple[int, str] | None:
    row = connection.execute(sa.select(audit_head.c.seq, audit_head.c.hash)).one_or_none()
    return (row.seq, row.hash) if row is not None else None


def _differs(row: Any) -> bool:
    """Whether the columns that are searched by say something else than the entry itself."""
    event = _decoder.decode(row.body)
    return (row.kind, row.subject, row.object_guid, row.time) != (event.kind, event.subject, event.object_guid, event.time)


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(seq=row.seq, event=_decoder.decode(row.body), hash=row.hash)
