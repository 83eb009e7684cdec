"""Enrolment tokens. Kind of state: happens once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.store.agents import read_allowed
from gateway.store.database import Database
from gateway.store.errors import TokenSpent
from gateway.store.tables import metadata

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("allowed", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("used_at", sa.Float),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """An enrolment token, without its secret."""

    id: str
    key: bytes = field(repr=False)
    """What both ends prove; see `certs.token`."""
    name: str
    allowed: tuple[str, ...] | None = ()
    """Domains that the agent may answer for, lower case; None: any."""
    expires_at: float


class TokenStore(Protocol):
    """Enrolment tokens: each good for once."""

    async def add(self, record: TokenRecord) -> None:
        """Keep a new one."""
        ...

    async def redeem(self, token_id: str, now: float) -> TokenRecord:
        """Spend it; of two who try in the same moment exactly one succeeds. Raises TokenSpent."""
        ...

    async def peek(self, token_id: str, now: float) -> TokenRecord:
        """Look at it without spending it. Raises TokenSpent."""
        ...

    async def end_all(self, now: float) -> int:
        """None of them can be redeemed any more; returns how many could have been."""
        ...


class SqlTokens:
    """Implements `TokenStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: TokenRecord) -> None:
        """See `TokenStore`."""
        statement = sa.insert(tokens).values(
            id=record.id,
            key=record.key,
            name=record.name,
            allowed=json.dumps(record.allowed),
            expires_at=record.expires_at,
        )
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def peek(self, token_id: str, now: float) -> TokenRecord:
        """See `TokenStore`."""
        return await self._database.read(lambda connection: _checked(_find(connection, token_id), now))

    async def redeem(self, token_id: str, now: float) -> TokenRecord:
        """See `TokenStore`."""
        return await self._database.write(lambda connection: redeem_token(connection, token_id, now))

    async def end_all(self, now: float) -> int:
        """See `TokenStore`."""
        outstanding = tokens.c.used_at.is_(None) & (tokens.c.expires_at >= now)
        end = sa.update(tokens).where(outstanding).values(used_at=now)
        return await self._database.write(lambda connection: connection.execute(end).rowcount)


def redeem_token(connection: sa.Connection, token_id: str, now: float) -> TokenRecord:
    """Spend it, as part of a transaction. Raises TokenSpent."""
    good = (tokens.c.id == token_id) & tokens.c.used_at.is_(None) & (tokens.c.expires_at >= now)
    row = connection.execute(sa.update(tokens).where(good).values(used_at=now).returning(tokens)).one_or_none()
    if row is None:
        _checked(_find(connection, token_id), now)
        raise TokenSpent("used")  # by somebody who was quicker
    return _record(row)


def _find(connection: sa.Connection, token_id: str) -> Any:
    return connection.execute(sa.select(tokens).where(tokens.c.id == token_id)).one_or_none()


def _checked(row: Any, now: float) -> TokenRecord:
    if row is None:
        raise TokenSpent("unknown")
    if row.used_at is not None:
        raise TokenSpent("used")
    if row.expires_at < now:
        raise TokenSpent("expired")
    return _record(row)


def _record(row: Any) -> TokenRecord:
    return TokenRecord(
        id=row.id, key=bytes(row.key), name=row.name, allowed=read_allowed(row.allowed), expires_at=row.expires_at
    )
