"""What was seen before: assertion ids, `jti`s, nonces, the steps of one-time passwords.

Kind of state: seen before. The first who adds a key wins. A full table refuses: one that evicted would let a flood wash
out what must not be seen twice.
"""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa

from gateway.store.bounds import KindBounds
from gateway.store.database import Database
from gateway.store.tables import Prepared, metadata

LIMIT = 1_000_000
"""Keys of one kind; about 100 bytes each."""

seen = sa.Table(
    "seen",
    metadata,
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("until", sa.Float, nullable=False, index=True),
)


class SeenStore(Protocol):
    """Remembers keys until they cannot come again."""

    async def add(self, kind: str, key: str, *, until: float, now: float) -> bool:
        """True for the first, False for everybody after. Raises StoreFull, StoreUnavailable: then refuse what came."""
        ...

    async def has(self, kind: str, key: str, now: float) -> bool:
        """Whether `add` would return False. Decides nothing: another one may add it meanwhile. Raises StoreUnavailable."""
        ...

    async def purge(self, now: float) -> int:
        """Forget what has expired; returns how many."""
        ...


class SqlSeen:
    """Implements `SeenStore`."""

    def __init__(self, database: Database, limit: int = LIMIT) -> None:
        self._database = database
        self._bounds = KindBounds(database.dialect, seen, limit)
        own = (seen.c.kind == sa.bindparam("of_kind")) & (seen.c.key == sa.bindparam("of_key"))
        self._find = Prepared(database.dialect, sa.select(seen.c.until).where(own))

    async def add(self, kind: str, key: str, *, until: float, now: float) -> bool:
        """See `SeenStore`."""
        row = {"kind": kind, "key": key, "until": until}
        bound = self._bounds.of(kind)
        return await self._database.write_row(lambda cursor: bound.add(cursor, row, now), prompt=not bound.must_count())

    async def has(self, kind: str, key: str, now: float) -> bool:
        """See `SeenStore`."""
        row = await self._database.read_row(lambda cursor: self._find.one(cursor, of_kind=kind, of_key=key))
        return row is not None and row.until > now

    async def purge(self, now: float) -> int:
        """See `SeenStore`."""
        return await self._database.in_portions(lambda connection, portion: self._bounds.purge(connection, now, portion))
