"""Admission's records: opaque rows by a digest, changed by a pure rule in the same transaction that reads them.

Kind of state: counts. What a row means is known to `gateway.relay.credentials.admission` alone.

A row that is not there cannot be locked: of nodes that read first and wrote then, four let 16 guesses through where 4 are
allowed. So one statement makes the rows that are missing, empty, and locks all of them, in order of key:

    INSERT … ON CONFLICT (key) DO UPDATE SET value = admission.value RETURNING key, value

Keys in order: two nodes that want the same rows wait for each other in a line, never in a circle. An empty value means that
nothing is kept; such rows are deleted by the sweep, which passes over what is locked, never here. Whatever waits goes into
one transaction: 0.14 ms of processor time for each at 64 in flight, instead of 0.57.

The table has a bound (`bound`): where there is no room the lightest rows go, the oldest first. It never refuses, or whoever
invents enough names would keep everybody out. Counting costs a look at every row, so a process counts once, adds what it
makes itself, and counts again when it has used its share of the room: nodes can exceed the bound together by a hundredth
for each of them. What waits for the writer waits while room is made.

There is no index on `expires_at`, which every attempt changes: on PostgreSQL a row whose indexed columns stay as they are
is changed within its page, if there is room (`fillfactor`), and no index has to know. Sweep and eviction read the whole
table instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
import structlog

from gateway.store.database import Database
from gateway.store.errors import StoreUnavailable
from gateway.store.tables import metadata

log = structlog.get_logger()

T = TypeVar("T")

AdmissionRow = tuple[bytes, bytes, float]
"""Key (16 bytes), value (not empty), and the Unix time from which on the row may be deleted."""
AdmissionRule = Callable[[Mapping[bytes, bytes]], tuple[Sequence[AdmissionRow], Sequence[bytes], T]]
"""Values by key, of those that are there -> rows to write, keys to delete, a result. Pure; runs in a thread."""

AdmissionWeight = Callable[[bytes], int]
"""A value -> what is lost with its row; the lightest go first. Pure; runs in a thread."""

QUEUE_LIMIT = 10_000
"""Rules that may wait."""
BATCH = 200
"""Rules in one transaction at most."""
_LOOKED_AT = 4
"""Rows that are weighed for each that has to go, the oldest: a bound on time."""
_GO_AT_ONCE = 2000
"""Rows that have to go at most before the next rules get their turn."""
_SHARE = 4
"""A process takes a quarter of the room that is left before it counts again: other nodes fill it, too."""

admission = sa.Table(
    "admission",
    metadata,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    postgresql_with={"fillfactor": 50},
)


class AdmissionRowStore(Protocol):
    """Rows by key. Everything raises StoreUnavailable; then nothing was half written."""

    def bound(self, limit: int, weigh: AdmissionWeight) -> None:
        """Have `apply` keep no more than `limit` rows from now on; see the head of this module."""
        ...

    async def all(self) -> list[AdmissionRow]:
        """Every row."""
        ...

    async def save(self, rows: Sequence[AdmissionRow], gone: Sequence[bytes]) -> None:
        """Insert or replace `rows`, delete `gone`; those that are not there do not matter."""
        ...

    async def apply(self, keys: Sequence[bytes], rule: AdmissionRule[T]) -> T:
        """Read the rows of `keys`, have `rule` decide, write what it changes: atomically, whoever else does the same.

        Rules that wait together run one after the other, each on what the one before has left. One that raises changes
        nothing, and the others are not touched. Cancelling: done as a whole or not at all.
        """
        ...

    async def purge(self, now: float) -> int:
        """Delete rows whose time has come; returns how many."""
        ...


class SqlAdmission:
    """Implements `AdmissionRowStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        shared = database.dialect.name == "postgresql"
        self._load, self._write = (_load_shared, _write_shared) if shared else (_load_alone, _write_alone)
        self._queue: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None
        self._limit: int | None = None
        self._weigh: AdmissionWeight = len
        self._room = 0
        """Rows that may still be made before they are counted again."""

    def bound(self, limit: int, weigh: AdmissionWeight) -> None:
        """See `AdmissionRowStore`."""
        self._limit, self._weigh, self._room = limit, weigh, 0

    async def all(self) -> list[AdmissionRow]:
        """See `AdmissionRowStore`."""
        query = sa.select(admission).where(admission.c.value != b"").order_by(admission.c.key)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [(bytes(row.key), bytes(row.value), row.expires_at) for row in rows]

    async def save(self, rows: Sequence[AdmissionRow], gone: Sequence[bytes]) -> None:
        """See `AdmissionRowStore`."""
        changed = {**dict.fromkeys(gone, (b"", 0.0)), **{key: (value, until) for key, value, until in rows}}
        await self._database.write_counts(lambda cursor: self._write(cursor, changed))

    async def apply(self, keys: Sequence[bytes], rule: AdmissionRule[T]) -> T:
        """See `AdmissionRowStore`."""
        if len(self._queue) >= QUEUE_LIMIT:
            raise StoreUnavailable("admission", f"{QUEUE_LIMIT} attempts wait already", "the database does not keep up")
        waiting = _Waiting(keys, rule)
        self._queue.append(waiting)
        if self._writer is None:
            self._writer = asyncio.create_task(self._work(), name="admission-writer")
        result: T = await waiting.done
        return result

    async def purge(self, now: float) -> int:
        """See `AdmissionRowStore`."""

        def work(connection: sa.Connection, portion: int) -> int:
            expired = sa.select(admission.c.key).where(admission.c.expires_at < now).limit(portion)
            if connection.dialect.name == "postgresql":
                expired = expired.with_for_update(skip_locked=True)
            return connection.execute(sa.delete(admission).where(admission.c.key.in_(expired))).rowcount

        return await self._database.in_portions(work)

    # -- inside

    async def _work(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                behind = len(self._queue)
                try:
                    await self._make_room(len({key for waiting in batch for key in waiting.keys}))
                    await self._database.write_counts(lambda cursor, batch=batch: self._decide(cursor, batch))  # type: ignore[misc]
                except Exception as error:
                    if not isinstance(error, StoreUnavailable):
                        log.exception("admission.failed", attempts=len(batch))
                        error = StoreUnavailable("admission", f"{type(error).__name__}: {error}", "see the log")
                    # who stood behind it has waited as long: one batch after the other would keep the last for minutes
                    batch, self._queue = batch + self._queue[:behind], self._queue[behind:]
                    for waiting in batch:
                        waiting.fail(error)
                else:
                    for waiting in batch:
                        waiting.settle()
        finally:
            self._writer = None

    async def _make_room(self, wanted: int) -> None:
        limit = self._limit
        if limit is not None and self._room < wanted:
            self._room = await self._database.write(lambda connection: self._trim(connection, limit, wanted))

    def _trim(self, connection: sa.Connection, limit: int, wanted: int) -> int:
        """Delete what is too much, and a hundredth more; the rows that may be made then before the next count."""
        step = max(limit // 100, 1)
        room = limit - connection.execute(sa.select(sa.func.count()).select_from(admission)).scalar_one()
        if room < wanted:
            room += self._evict(connection, min(wanted - room + step, _GO_AT_ONCE))
        return max(room // _SHARE, min(room, step), wanted)

    def _evict(self, connection: sa.Connection, number: int) -> int:
        """How many it were: what others are writing stays."""
        oldest = sa.select(admission).order_by(admission.c.expires_at).limit(_LOOKED_AT * number)
        if connection.dialect.name == "postgresql":
            oldest = oldest.with_for_update(skip_locked=True)
        rows = connection.execute(oldest).all()
        by_weight = sorted(rows, key=lambda row: self._weigh(bytes(row.value)))
        gone = [row.key for row in by_weight[:number]]
        for first in range(0, len(gone), _PARAMETERS):
            part = gone[first : first + _PARAMETERS]
            connection.execute(sa.delete(admission).where(admission.c.key.in_(part)))
        return len(gone)

    def _decide(self, cursor: Any, batch: Sequence[_Waiting]) -> None:
        keys = sorted({key for waiting in batch for key in waiting.keys})
        values = self._load(cursor, keys)
        self._room -= len(keys) - len(values)
        changed: dict[bytes, tuple[bytes, float]] = {}
        for waiting in batch:
            rows, gone = waiting.decide({key: values[key] for key in waiting.keys if key in values})
            for key in gone:
                values.pop(key, None)
                changed[key] = b"", 0.0
            for key, value, until in rows:
                values[key] = value
                changed[key] = value, until
        if changed:
            self._write(cursor, changed)


class _Waiting:
    """One call of `apply`."""

    def __init__(self, keys: Sequence[bytes], rule: AdmissionRule[Any]) -> None:
        self.keys, self._rule = keys, rule
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._result: Any = None
        self._error: Exception | None = None

    def decide(self, values: Mapping[bytes, bytes]) -> tuple[Sequence[AdmissionRow], Sequence[bytes]]:
        try:
            rows, gone, self._result = self._rule(values)
        except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
            self._error = error
            return (), ()
        return rows, gone

    def settle(self) -> None:
        if self._error is not None:
            self.fail(self._error)
        elif not self.done.done():
            self.done.set_result(self._result)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


# -- SQL as the drivers take it: these run for every sign-in; %b, because psycopg writes bytes as text in Python


def _load_shared(cursor: Any, keys: list[bytes]) -> dict[bytes, bytes]:
    cursor.execute(
        "INSERT INTO admission (key, value, expires_at) SELECT k, ''::bytea, 0 FROM unnest(%b::bytea[]) AS k "
        "ON CONFLICT (key) DO UPDATE SET value = admission.value RETURNING key, value",
        (keys,),
    )
    return {bytes(key): bytes(value) for key, value in cursor.fetchall() if value}


def _write_shared(cursor: Any, changed: Mapping[bytes, tuple[bytes, float]]) -> None:
    """An upsert once more, not an UPDATE: without statistics that would look at the whole table."""
    keys = sorted(changed)
    cursor.execute(
        "INSERT INTO admission (key, value, expires_at) "
        "SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::double precision[]) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
        (keys, [changed[key][0] for key in keys], [changed[key][1] for key in keys]),
    )


_PARAMETERS = 500
"""In one statement of SQLite."""


def _load_alone(cursor: Any, keys: list[bytes]) -> dict[bytes, bytes]:
    """Nothing has to be locked: the transaction has the whole file."""
    found: dict[bytes, bytes] = {}
    for first in range(0, len(keys), _PARAMETERS):
        part = keys[first : first + _PARAMETERS]
        marks = ", ".join("?" * len(part))
        cursor.execute(f"SELECT key, value FROM admission WHERE key IN ({marks})", part)  # noqa: S608 - marks only
        found.update(cursor.fetchall())
    return {key: value for key, value in found.items() if value}


def _write_alone(cursor: Any, changed: Mapping[bytes, tuple[bytes, float]]) -> None:
    gone = [(key,) for key, (value, _) in changed.items() if not value]
    kept = [(key, value, until) for key, (value, until) in changed.items() if value]
    cursor.executemany("DELETE FROM admission WHERE key = ?", gone)
    cursor.executemany("INSERT OR REPLACE INTO admission (key, value, expires_at) VALUES (?, ?, ?)", kept)
