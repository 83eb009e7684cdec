"""API keys of trusted back ends. Kind of state: lasting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa

from gateway.store.database import Database
from gateway.store.generations import bump
from gateway.store.tables import metadata

GENERATION = "api_keys"

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("name", sa.String(128), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float),
    sa.Column("revoked_at", sa.Float),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyRecord:
    """An API key of a trusted back end, without its secret."""

    id: str
    digest: bytes = field(repr=False)
    """SHA-256 of the secret part."""
    name: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


class ApiKeyStore(Protocol):
    """API keys of trusted back ends."""

    async def add(self, record: ApiKeyRecord) -> None:
        """Keep a new one."""
        ...

    async def get(self, key_id: str) -> ApiKeyRecord | None:
        """Look one up."""
        ...

    async def all(self) -> list[ApiKeyRecord]:
        """Every key, oldest first."""
        ...

    async def revoke(self, key_id: str, now: float) -> bool:
        """False where there is no such live key."""
        ...


class SqlApiKeys:
    """Implements `ApiKeyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: ApiKeyRecord) -> None:
        """See `ApiKeyStore`."""
        statement = sa.insert(api_keys).values(
            id=record.id,
            digest=record.digest,
            name=record.name,
            created_at=record.created_at,
            expires_at=record.expires_at,
        )
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def get(self, key_id: str) -> ApiKeyRecord | None:
        """See `ApiKeyStore`."""
        query = sa.select(api_keys).where(api_keys.c.id == key_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return ApiKeyRecord(**row._mapping) if row is not None else None

    async def all(self) -> list[ApiKeyRecord]:
        """See `ApiKeyStore`."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [ApiKeyRecord(**row._mapping) for row in rows]

    async def revoke(self, key_id: str, now: float) -> bool:
        """See `ApiKeyStore`."""
        live = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)

        def work(connection: sa.Connection) -> bool:
            revoked = connection.execute(sa.update(api_keys).where(live).values(revoked_at=now)).rowcount == 1
            bump(connection, GENERATION)
            return revoked

        return await self._database.write(work)
