"""The store on SQL: agents, tokens, API keys, sessions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gateway.store.audit import SqlAuditLog
from gateway.store.database import Database
from gateway.store.errors import TokenSpent
from gateway.store.port import AgentRecord, ApiKeyRecord, SessionRecord, Sighting, TokenRecord
from gateway.store.tables import agents, api_keys, sessions, tokens

_SESSION_COLUMNS = tuple(column.name for column in sessions.columns)


class _Part:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def _insert(self, table: sa.Table, **values: Any) -> None:
        await self._database.run(lambda connection: connection.execute(sa.insert(table).values(**values)))

    async def _change(self, statement: sa.Update | sa.Delete) -> int:
        return await self._database.run(lambda connection: connection.execute(statement).rowcount)

    async def _rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        return await self._database.run(lambda connection: connection.execute(query).all())


class SqlAgents(_Part):
    """Implements `port.AgentStore`."""

    async def add(self, record: AgentRecord) -> None:
        """See `port.AgentStore`."""
        await self._insert(
            agents,
            serial=record.serial,
            name=record.name,
            not_after=record.not_after,
            issued_at=record.issued_at,
            revoked_why="",
            software=record.software,
            domains=json.dumps(record.domains),
            allowed=json.dumps(record.allowed),
            address=record.address,
        )

    async def all(self) -> list[AgentRecord]:
        """See `port.AgentStore`."""
        rows = await self._rows(sa.select(agents).order_by(agents.c.issued_at))
        return [
            AgentRecord(**{**row._mapping, "domains": _names(row.domains), "allowed": _names(row.allowed)}) for row in rows
        ]

    async def revoke(self, name: str, now: float, why: str) -> int:
        """See `port.AgentStore`."""
        live = (agents.c.name == name) & agents.c.revoked_at.is_(None)
        return await self._change(sa.update(agents).where(live).values(revoked_at=now, revoked_why=why))

    async def seen(self, sightings: Sequence[Sighting]) -> None:
        """See `port.AgentStore`."""

        def write(connection: sa.Connection) -> None:
            for sighting in sightings:
                own = (agents.c.name == sighting.name) & (agents.c.serial == sighting.serial)
                connection.execute(
                    sa.update(agents)
                    .where(own)
                    .values(
                        seen_at=sighting.time,
                        software=sighting.software,
                        domains=json.dumps(sighting.domains),
                        address=sighting.address,
                    )
                )

        await self._database.run(write)


class SqlTokens(_Part):
    """Implements `port.TokenStore`."""

    async def add(self, record: TokenRecord) -> None:
        """See `port.TokenStore`."""
        allowed = json.dumps(record.allowed)
        await self._insert(
            tokens, id=record.id, key=record.key, name=record.name, allowed=allowed, expires_at=record.expires_at
        )

    async def peek(self, token_id: str, now: float) -> TokenRecord:
        """See `port.TokenStore`."""
        rows = await self._rows(sa.select(tokens).where(tokens.c.id == token_id))
        if not rows:
            raise TokenSpent("unknown")
        row = rows[0]
        if row.used_at is not None:
            raise TokenSpent("used")
        if row.expires_at < now:
            raise TokenSpent("expired")
        return TokenRecord(id=row.id, key=row.key, name=row.name, allowed=_names(row.allowed), expires_at=row.expires_at)

    async def redeem(self, token_id: str, now: float) -> TokenRecord:
        """See `port.TokenStore`."""
        record = await self.peek(token_id, now)
        unused = (tokens.c.id == token_id) & tokens.c.used_at.is_(None)
        if await self._change(sa.update(tokens).where(unused).values(used_at=now)) != 1:
            raise TokenSpent("used")
        return record


def _names(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


class SqlApiKeys(_Part):
    """Implements `port.ApiKeyStore`."""

    async def add(self, record: ApiKeyRecord) -> None:
        """See `port.ApiKeyStore`."""
        await self._insert(
            api_keys,
            id=record.id,
            digest=record.digest,
            name=record.name,
            created_at=record.created_at,
            expires_at=record.expires_at,
        )

    async def get(self, key_id: str) -> ApiKeyRecord | None:
        """See `port.ApiKeyStore`."""
        rows = await self._rows(sa.select(api_keys).where(api_keys.c.id == key_id))
        return ApiKeyRecord(**rows[0]._mapping) if rows else None

    async def all(self) -> list[ApiKeyRecord]:
        """See `port.ApiKeyStore`."""
        rows = await self._rows(sa.select(api_keys).order_by(api_keys.c.created_at))
        return [ApiKeyRecord(**row._mapping) for row in rows]

    async def revoke(self, key_id: str, now: float) -> bool:
        """See `port.ApiKeyStore`."""
        live = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        return await self._change(sa.update(api_keys).where(live).values(revoked_at=now)) == 1


class SqlSessions(_Part):
    """Implements `port.SessionStore`."""

    async def add(self, record: SessionRecord) -> None:
        """See `port.SessionStore`."""
        await self._insert(sessions, **{name: getattr(record, name) for name in _SESSION_COLUMNS})

    async def get(self, digest: bytes, now: float) -> SessionRecord | None:
        """See `port.SessionStore`."""
        rows = await self._rows(sa.select(sessions).where(sessions.c.digest == digest, sessions.c.expires_at > now))
        return SessionRecord(**rows[0]._mapping) if rows else None

    async def touch(self, digest: bytes, now: float, expires_at: float) -> None:
        """See `port.SessionStore`."""
        mine = sessions.c.digest == digest
        await self._change(sa.update(sessions).where(mine).values(seen_at=now, expires_at=expires_at))

    async def delete(self, digest: bytes) -> None:
        """See `port.SessionStore`."""
        await self._change(sa.delete(sessions).where(sessions.c.digest == digest))

    async def of_user(self, object_guid: str, now: float) -> list[SessionRecord]:
        """See `port.SessionStore`."""
        mine = (sessions.c.object_guid == object_guid) & (sessions.c.expires_at > now)
        rows = await self._rows(sa.select(sessions).where(mine).order_by(sessions.c.created_at.desc()))
        return [SessionRecord(**row._mapping) for row in rows]

    async def delete_of_user(self, object_guid: str, keep: bytes | None = None) -> int:
        """See `port.SessionStore`."""
        mine = sessions.c.object_guid == object_guid
        if keep is not None:
            mine = mine & (sessions.c.digest != keep)
        return await self._change(sa.delete(sessions).where(mine))

    async def purge(self, now: float) -> int:
        """See `port.SessionStore`."""
        return await self._change(sa.delete(sessions).where(sessions.c.expires_at <= now))


class SqlStore:
    """Implements `port.Store`."""

    def __init__(self, database: Database, audit_key: bytes) -> None:
        self._database = database
        self.audit = SqlAuditLog(database, audit_key)
        self.agents = SqlAgents(database)
        self.tokens = SqlTokens(database)
        self.api_keys = SqlApiKeys(database)
        self.sessions = SqlSessions(database)

    async def close(self) -> None:
        """See `port.Store`."""
        await self.audit.settle()
        self._database.dispose()


def open_store(url: str, *, audit_key: bytes) -> SqlStore:
    """Open the store at an SQLAlchemy URL (`sqlite:////var/lib/isthmus/relay.db`), migrating it where needed.

    audit_key: secret of the audit chain, 32 bytes. Blocks. Raises StoreUnavailable, StoreTooNew.
    """
    return SqlStore(Database.open(url), audit_key)
