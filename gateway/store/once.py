"""What happens once: a code, a request id, a challenge that is put down here and taken by whoever comes first.

Kind of state: happens once. One statement takes it and says who won; nothing is read first and written then.
"""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa

from gateway.store.bounds import KindBounds
from gateway.store.database import Database
from gateway.store.tables import Prepared, metadata

LIMIT = 100_000
"""Entries of one kind; about 1 kB each."""

once = sa.Table(
    "once",
    metadata,
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("until", sa.Float, nullable=False, index=True),
)


class OnceStore(Protocol):
    """Put down once, taken once."""

    async def put(self, kind: str, key: str, value: bytes, *, until: float, now: float) -> bool:
        """Put it down; False where that key is there already. Raises StoreFull, StoreUnavailable."""
        ...

    async def take(self, kind: str, key: str, now: float) -> bytes | None:
        """Get it and remove it: of many takers one gets it. None where it is gone, or has expired."""
        ...

    async def clear(self) -> int:
        """Forget everything; returns how many."""
        ...

    async def purge(self, now: float) -> int:
        """Forget what has expired; returns how many."""
        ...


class SqlOnce:
    """Implements `OnceStore`."""

    def __init__(self, database: Database, limit: int = LIMIT) -> None:
        self._database = database
        self._bounds = KindBounds(database.dialect, once, limit)
        own = (once.c.kind == sa.bindparam("of_kind")) & (once.c.key == sa.bindparam("of_key"))
        self._take = Prepared(database.dialect, sa.delete(once).where(own).returning(once.c.value, once.c.until))

    async def put(self, kind: str, key: str, value: bytes, *, until: float, now: float) -> bool:
        """See `OnceStore`."""
        row = {"kind": kind, "key": key, "value": value, "until": until}
        bound = self._bounds.of(kind)
        return await self._database.write_row(lambda cursor: bound.add(cursor, row, now), prompt=not bound.must_count())

    async def take(self, kind: str, key: str, now: float) -> bytes | None:
        """See `OnceStore`."""
        row = await self._database.write_row(lambda cursor: self._take.run(cursor, of_kind=kind, of_key=key).fetchone())
        return bytes(row[0]) if row is not None and row[1] > now else None

    async def clear(self) -> int:
        """See `OnceStore`."""
        return await self._database.write(lambda connection: connection.execute(sa.delete(once)).rowcount)

    async def purge(self, now: float) -> int:
        """See `OnceStore`."""
        return await self._database.in_portions(lambda connection, portion: self._bounds.purge(connection, now, portion))
