"""Tables that hold keys until a moment, and of each kind no more than so many.

By kind, since strangers can fill some of them: a flood of requests that nobody answers must not keep those from their tokens
who have signed in.

Counting costs a look at every row, so it is not done for each: a process counts once, then adds up what it adds itself,
and counts again after each hundredth of the limit, or where the limit seems to be reached. Nodes can therefore exceed it
together by a hundredth for each node and by what is under way, never by more.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from gateway.store.errors import StoreFull
from gateway.store.tables import Prepared, insert_into

_RECOUNT = 1.0
"""Seconds: a table that is full is not counted for each of a flood."""


class KindBounds:
    """Of one table, which has the columns `kind`, `key` (its primary key) and `until`. limit: entries of a kind."""

    def __init__(self, dialect: sa.Dialect, table: sa.Table, limit: int) -> None:
        self._dialect, self._table, self._limit = dialect, table, limit
        self._kinds: dict[str, Bound] = {}

    def of(self, kind: str) -> Bound:
        """That of one kind: there are as many as the code has names for."""
        bound = self._kinds.get(kind)
        if bound is None:
            bound = self._kinds[kind] = Bound(self._dialect, self._table, kind, self._limit)
        return bound

    def purge(self, connection: sa.Connection, now: float, portion: int) -> int:
        """Delete at most `portion` expired rows; how many it were. What others are deleting is left to them."""
        table = self._table
        expired = sa.select(table.c.kind, table.c.key).where(table.c.until <= now).limit(portion)
        if connection.dialect.name == "postgresql":
            expired = expired.with_for_update(skip_locked=True)
        own = sa.tuple_(table.c.kind, table.c.key).in_(expired)
        return connection.execute(sa.delete(table).where(own)).rowcount


class Bound:
    """The bound of one kind."""

    def __init__(self, dialect: sa.Dialect, table: sa.Table, kind: str, limit: int) -> None:
        self._table, self._kind, self._limit = table, kind, limit
        self._estimate: int | None = None
        self._unchecked = 0
        self._full_until = 0.0
        insert, now = insert_into(dialect, table), sa.bindparam("now", type_=sa.Float)
        changed = {
            column.name: insert.excluded[column.name] for column in table.columns if column.name not in {"kind", "key"}
        }
        replaced = insert.on_conflict_do_update(index_elements=["kind", "key"], set_=changed, where=table.c.until <= now)
        own = (table.c.kind == sa.bindparam("of_kind")) & (table.c.until > now)
        live = sa.select(sa.func.count()).select_from(table).where(own)
        self._add, self._count = Prepared(dialect, replaced.returning(table.c.key)), Prepared(dialect, live)

    def must_count(self) -> bool:
        """Whether the next addition has to look at every row, which takes a while."""
        known = self._estimate is not None and self._estimate < self._limit
        return not known or self._unchecked >= max(1, self._limit // 100)

    def add(self, cursor: Any, row: dict[str, Any], now: float) -> bool:
        """Add a row where its key is not there, or has expired; whether it was added. Raises StoreFull."""
        self._check(cursor, now)
        added = self._add.run(cursor, now=now, **row).fetchone() is not None
        if added:
            self._estimate = (self._estimate or 0) + 1
            self._unchecked += 1
        return added

    def _check(self, cursor: Any, now: float) -> None:
        if self._full_until - _RECOUNT <= now < self._full_until:  # not before: then the clock was set back
            raise StoreFull(f"{self._table.name} of the kind {self._kind!r}", self._limit)
        if not self.must_count():
            return
        self._estimate, self._unchecked = int(self._count.run(cursor, of_kind=self._kind, now=now).fetchone()[0]), 0
        if self._estimate >= self._limit:
            self._full_until = now + _RECOUNT
            raise StoreFull(f"{self._table.name} of the kind {self._kind!r}", self._limit)
