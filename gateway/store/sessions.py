"""Browser sessions. Kind of state: lasting; never cached in front of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.database import Database
from gateway.store.tables import Prepared, delete_rows, in_order, metadata

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("directory", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("identity", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False, index=True),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("user_agent", sa.Text, nullable=False),
    sa.Column("checked_at", sa.Float, nullable=False, server_default=sa.text("0")),
    sa.Index("ix_sessions_object", "object"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A browser session. The cookie holds the id; only its digest is kept."""

    digest: bytes = field(repr=False)
    account: AccountId
    identity: bytes = field(repr=False)
    """Whatever signin keeps of the person."""
    created_at: float
    seen_at: float
    expires_at: float
    address: str = ""
    user_agent: str = ""
    checked_at: float = 0.0
    """When an agent last said that the account lives; 0 in what older versions kept."""


class SessionStore(Protocol):
    """Browser sessions."""

    async def add(self, record: SessionRecord) -> None:
        """A person signed in."""
        ...

    async def get(self, digest: bytes, now: float) -> SessionRecord | None:
        """None where there is none or it has expired."""
        ...

    async def touch(self, digest: bytes, now: float, expires_at: float) -> None:
        """The person is still there."""
        ...

    async def note_check(self, digest: bytes, now: float, identity: bytes | None = None) -> None:
        """An agent said that the account lives. identity: in place of the one that is kept; that one, unless given."""
        ...

    async def unchecked(self, before: float, after: bytes, limit: int, now: float) -> list[SessionRecord]:
        """Live ones whose account was last checked before a moment, by digest, from behind `after` on: for the sweep."""
        ...

    async def delete(self, digest: bytes) -> None:
        """Sign out."""
        ...

    async def of_user(self, account: AccountId, now: float) -> list[SessionRecord]:
        """Live sessions of one person, newest first."""
        ...

    async def take_of_user(self, account: AccountId) -> list[SessionRecord]:
        """Sign a person out everywhere; what ended. Of two who end one, one gets it."""
        ...

    async def behind(self, digest: bytes, limit: int, now: float) -> list[SessionRecord]:
        """Live ones of all people by digest, from behind one on: to be read in pages."""
        ...

    async def take(self, directory: str | None, limit: int) -> list[SessionRecord]:
        """End some, of everybody or of a directory's people; what they were. Fewer than `limit`: no more are left.

        Of two who end one, one gets it.
        """
        ...

    async def delete_all(self) -> int:
        """Sign out everybody; returns how many sessions ended."""
        ...

    async def purge(self, now: float) -> int:
        """Forget expired ones; returns how many."""
        ...


class SqlSessions:
    """Implements `SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        alive = (sessions.c.digest == sa.bindparam("of")) & (sessions.c.expires_at > sa.bindparam("now"))
        self._get = Prepared(database.dialect, sa.select(sessions).where(alive))

    async def add(self, record: SessionRecord) -> None:
        """See `SessionStore`."""
        statement = sa.insert(sessions).values(
            digest=record.digest,
            directory=record.account.directory,
            object=record.account.object,
            identity=record.identity,
            created_at=record.created_at,
            seen_at=record.seen_at,
            expires_at=record.expires_at,
            address=record.address,
            user_agent=record.user_agent,
            checked_at=record.checked_at,
        )
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def get(self, digest: bytes, now: float) -> SessionRecord | None:
        """See `SessionStore`."""
        row = await self._database.read_row(lambda cursor: self._get.one(cursor, of=digest, now=now))
        return _record(row) if row is not None else None

    async def touch(self, digest: bytes, now: float, expires_at: float) -> None:
        """See `SessionStore`."""
        statement = sa.update(sessions).where(sessions.c.digest == digest).values(seen_at=now, expires_at=expires_at)
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def note_check(self, digest: bytes, now: float, identity: bytes | None = None) -> None:
        """See `SessionStore`."""
        changed: dict[str, Any] = {"checked_at": now} if identity is None else {"checked_at": now, "identity": identity}
        statement = sa.update(sessions).where(sessions.c.digest == digest).values(changed)
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def unchecked(self, before: float, after: bytes, limit: int, now: float) -> list[SessionRecord]:
        """See `SessionStore`."""
        wanted = (sessions.c.digest > after) & (sessions.c.checked_at < before) & (sessions.c.expires_at > now)
        query = sa.select(sessions).where(wanted).order_by(sessions.c.digest).limit(limit)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def delete(self, digest: bytes) -> None:
        """See `SessionStore`."""
        statement = sa.delete(sessions).where(sessions.c.digest == digest)
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def of_user(self, account: AccountId, now: float) -> list[SessionRecord]:
        """See `SessionStore`."""
        query = sa.select(sessions).where(_of(account), sessions.c.expires_at > now).order_by(sessions.c.created_at.desc())
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def take_of_user(self, account: AccountId) -> list[SessionRecord]:
        """See `SessionStore`."""
        return await self._take(_of(account))

    async def behind(self, digest: bytes, limit: int, now: float) -> list[SessionRecord]:
        """See `SessionStore`."""
        wanted = (sessions.c.digest > digest) & (sessions.c.expires_at > now)
        query = sa.select(sessions).where(wanted).order_by(sessions.c.digest).limit(limit)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def take(self, directory: str | None, limit: int) -> list[SessionRecord]:
        """See `SessionStore`."""
        wanted = sa.true() if directory is None else sessions.c.directory == directory
        return await self._take(wanted, limit)

    async def delete_all(self) -> int:
        """See `SessionStore`."""
        return await self._delete(sa.true())

    async def purge(self, now: float) -> int:
        """See `SessionStore`."""
        return await self._delete(sessions.c.expires_at <= now)

    async def _take(self, condition: sa.ColumnElement[bool], limit: int | None = None) -> list[SessionRecord]:
        ended = delete_rows(sessions, in_order(sessions, condition, limit)).returning(sessions)
        rows = await self._database.write(lambda connection: connection.execute(ended).all())
        return [_record(row) for row in rows]

    async def _delete(self, condition: sa.ColumnElement[bool]) -> int:

        def work(connection: sa.Connection, portion: int) -> int:
            some = sa.select(sessions.c.digest).where(condition).limit(portion)
            return connection.execute(sa.delete(sessions).where(sessions.c.digest.in_(some))).rowcount

        return await self._database.in_portions(work)


def _of(account: AccountId) -> sa.ColumnElement[bool]:
    return (sessions.c.object == account.object) & (sessions.c.directory == account.directory)


def _record(row: Any) -> SessionRecord:
    return SessionRecord(
        digest=bytes(row.digest),
        account=AccountId(row.directory, row.object),
        identity=bytes(row.identity),
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        address=row.address,
        user_agent=row.user_agent,
        checked_at=row.checked_at,
    )
