"""Pictures of applications, for the pages. Kind of state: lasting.

Whoever keeps a copy of the index watches the generation `trusts`, which every change raises in its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from gateway.store.database import Database
from gateway.store.generations import bump
from gateway.store.tables import upsert
from gateway.store.trusts import GENERATION, trusts
from gateway.store.trusts import trust_logos as logos


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoRecord:
    """One picture. The store does not look into it."""

    trust: str
    digest: str
    """SHA-256 of the content, hexadecimal."""
    media_type: str
    content: bytes


class LogoStore(Protocol):
    """Logos by trust."""

    async def index(self) -> Mapping[str, str]:
        """The digest of each, by trust."""
        ...

    async def find(self, digest: str) -> LogoRecord | None:
        """One with that content."""
        ...

    async def put(self, record: LogoRecord) -> bool:
        """Keep it in place of the one before; False where there is no such trust (any more)."""
        ...

    async def remove(self, trust: str) -> bool:
        """Whether there was one."""
        ...


class SqlLogos:
    """Implements `LogoStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def index(self) -> Mapping[str, str]:
        """See `LogoStore`."""
        query = sa.select(logos.c.trust, logos.c.digest)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return {row.trust: row.digest for row in rows}

    async def find(self, digest: str) -> LogoRecord | None:
        """See `LogoStore`."""
        query = sa.select(logos).where(logos.c.digest == digest).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return LogoRecord(**{**row._mapping, "content": bytes(row.content)}) if row is not None else None

    async def put(self, record: LogoRecord) -> bool:
        """See `LogoStore`."""
        values = {"digest": record.digest, "media_type": record.media_type, "content": record.content}

        def work(connection: sa.Connection) -> bool:
            bump(connection, GENERATION)  # first: nobody removes the trust meanwhile
            if connection.execute(sa.select(trusts.c.id).where(trusts.c.id == record.trust)).one_or_none() is None:
                return False
            insert = upsert(connection, logos).values(trust=record.trust, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["trust"], set_=values))
            return True

        return await self._database.write(work)

    async def remove(self, trust: str) -> bool:
        """See `LogoStore`."""

        def work(connection: sa.Connection) -> bool:
            bump(connection, GENERATION)
            return connection.execute(sa.delete(logos).where(logos.c.trust == trust)).rowcount == 1

        return await self._database.write(work)
