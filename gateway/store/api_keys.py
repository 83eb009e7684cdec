"""API keys of trusted back ends. Kind of state: lasting."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

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
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("networks", sa.Text, nullable=False),
    sa.Column("rate", sa.Float, nullable=False),
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
    scopes: tuple[str, ...]
    """What it may be used for: `check`, `change`."""
    networks: tuple[str, ...]
    """Where from, in CIDR notation; empty: from anywhere."""
    rate: float
    """Checks and changes a minute."""
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
            scopes=json.dumps(record.scopes),
            networks=json.dumps(record.networks),
            rate=record.rate,
            created_at=record.created_at,
            expires_at=record.expires_at,
        )
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def get(self, key_id: str) -> ApiKeyRecord | None:
        """See `ApiKeyStore`."""
        query = sa.select(api_keys).where(api_keys.c.id == key_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _record(row) if row is not None else None

    async def all(self) -> list[ApiKeyRecord]:
        """See `ApiKeyStore`."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def revoke(self, key_id: str, now: float) -> bool:
        """See `ApiKeyStore`."""
        live = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)

        def work(connection: sa.Connection) -> bool:
            revoked = connection.execute(sa.update(api_keys).where(live).values(revoked_at=now)).rowcount == 1
            bump(connection, GENERATION)
            return revoked

        return await self._database.write(work)


def _record(row: Any) -> ApiKeyRecord:
    lists = {"scopes": tuple(json.loads(row.scopes)), "networks": tuple(json.loads(row.networks))}
    return ApiKeyRecord(**{**row._mapping, **lists})
