"""Grants: what a client was given for a person, and the family of refresh tokens that hangs on it. Kind of state: lasting.

A grant is kept under the digest of its id, which is in every token of it: who reads the database can use none. What is
over (`expires_at`, `idle_at`) is not there for anybody, whether it was purged or not.

    code redeemed ─► live ──rotate──► live (generation + 1) …          each refresh token once, but for the grace time
                      │   └── a token of an earlier generation ──► ended
                      └── revoked, session ended, code used twice, account gone ──► ended
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.database import Database
from gateway.store.tables import BigNumber, delete_rows, in_order, metadata, upsert

LIMIT = 200
"""Grants of one person. With one more the oldest ends: whoever signs in over and over must not fill the database."""

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("trust", sa.String(128), nullable=False),
    sa.Column("directory", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("session", sa.LargeBinary),  # NULL for none: no session's end ends it
    sa.Column("details", sa.LargeBinary, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("idle_at", sa.Float, nullable=False, index=True),  # never after expires_at, so that it alone is asked
    sa.Column("generation", BigNumber, nullable=False),
    sa.Column("current", sa.LargeBinary, nullable=False),
    sa.Column("previous", sa.LargeBinary, nullable=False),
    sa.Column("rotated_at", sa.Float, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("checked_at", sa.Float, nullable=False),
    sa.Index("ix_grants_object", "object"),
    sa.Index("ix_grants_session", "session"),
    sa.Index("ix_grants_trust", "trust"),
)
_PLAIN = ("trust", "created_at", "expires_at", "idle_at", "generation", "rotated_at", "checked_at")
_BINARY = ("digest", "details", "current", "previous", "sealed")
"""Columns that are kept as they are in the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord:
    """One grant."""

    digest: bytes = field(repr=False)
    """SHA-256 of its id."""
    trust: str
    account: AccountId
    session: bytes = field(default=b"", repr=False)
    """Digest of the session that it hangs on; empty for one that outlives it (offline access)."""
    details: bytes = field(repr=False)
    """Whatever federation keeps: scope, resources, times of the sign-in, claims wanted."""
    created_at: float
    expires_at: float
    """The family's absolute end."""
    idle_at: float
    """When it ends unused. Kept as no later than `expires_at`."""
    generation: int = 0
    """Of the refresh token that is good now; 0: there is none."""
    current: bytes = field(default=b"", repr=False)
    """Digest of that token."""
    previous: bytes = field(default=b"", repr=False)
    """Digest of the one before."""
    rotated_at: float = 0.0
    sealed: bytes = field(default=b"", repr=False)
    """The current token, encrypted under a key that is derived from the previous one."""
    checked_at: float = 0.0
    """When an agent last said that the account lives."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """The token that was shown is spent; the new one is good now."""

    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class Repeated:
    """The previous token was shown again within the grace time."""

    grant: GrantRecord
    """`sealed` holds the token that was given for it."""


@dataclass(frozen=True, slots=True)
class Reused:
    """A token was shown that is not the grant's any more, or never was: the grant has ended."""

    grant: GrantRecord


class GrantStore(Protocol):
    """Grants of all clients."""

    async def add(self, record: GrantRecord) -> bool:
        """False where its digest is there already: then the code that made it was used twice.

        The oldest of that person end where they become more than `LIMIT`.
        """
        ...

    async def get(self, digest: bytes, now: float) -> GrantRecord | None:
        """None where it has ended, or expired."""
        ...

    async def rotate(
        self, digest: bytes, shown: bytes, new: bytes, sealed: bytes, *, now: float, idle_at: float, grace: float
    ) -> Rotated | Repeated | Reused | None:
        """Spend the refresh token with digest `shown` for that with digest `new`: of many at once one gets Rotated.

        None where the grant is none that lives, or has no refresh token. idle_at: no later than its absolute end is kept.
        grace: seconds. Raises StoreUnavailable.
        """
        ...

    async def note_check(self, digest: bytes, now: float) -> None:
        """An agent said that the account lives."""
        ...

    async def end(self, digest: bytes) -> GrantRecord | None:
        """End it, all its tokens with it; what it was, for whoever is the one that ended it."""
        ...

    async def end_of_session(self, session: bytes) -> list[GrantRecord]:
        """End those that hang on a session; what they were."""
        ...

    async def end_of_account(self, account: AccountId) -> list[GrantRecord]:
        """End all of one person."""
        ...

    async def of_account(self, account: AccountId, now: float) -> list[GrantRecord]:
        """Live ones of one person, newest first."""
        ...

    async def end_of_trust(self, trust: str) -> int:
        """End all of one application; how many."""
        ...

    async def end_of_directory(self, directory: str) -> int:
        """End those of all people of a directory; how many."""
        ...

    async def end_all(self) -> int:
        """End all; how many."""
        ...

    async def unchecked(self, before: float, after: bytes, limit: int, now: float) -> list[GrantRecord]:
        """Live ones whose account was last checked before a moment, by digest, from behind `after` on: for the sweep."""
        ...

    async def purge(self, now: float) -> int:
        """Forget what is over; how many."""
        ...


class SqlGrants:
    """Implements `GrantStore`. limit: grants of one person."""

    def __init__(self, database: Database, limit: int = LIMIT) -> None:
        self._database, self._limit = database, limit

    async def add(self, record: GrantRecord) -> bool:
        """See `GrantStore`."""
        return await self._database.write(lambda connection: add_grant(connection, record, self._limit))

    async def get(self, digest: bytes, now: float) -> GrantRecord | None:
        """See `GrantStore`."""
        query = sa.select(grants).where(_alive(digest, now))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _record(row) if row is not None else None

    async def rotate(
        self, digest: bytes, shown: bytes, new: bytes, sealed: bytes, *, now: float, idle_at: float, grace: float
    ) -> Rotated | Repeated | Reused | None:
        """See `GrantStore`."""
        rotation = (
            sa.update(grants)
            .where(_alive(digest, now), grants.c.current == shown, grants.c.generation > 0)
            .values(
                generation=grants.c.generation + 1,
                previous=grants.c.current,
                current=new,
                sealed=sealed,
                rotated_at=now,
                idle_at=sa.case((grants.c.expires_at < idle_at, grants.c.expires_at), else_=idle_at),
            )
            .returning(grants)
        )

        def work(connection: sa.Connection) -> Rotated | Repeated | Reused | None:
            row = connection.execute(rotation).one_or_none()
            if row is not None:
                return Rotated(_record(row))
            return _judge(connection, digest, shown, now, grace)

        return await self._database.write(work)

    async def note_check(self, digest: bytes, now: float) -> None:
        """See `GrantStore`."""
        statement = sa.update(grants).where(grants.c.digest == digest).values(checked_at=now)
        await self._database.write(lambda connection: connection.execute(statement).close())

    async def end(self, digest: bytes) -> GrantRecord | None:
        """See `GrantStore`."""
        return next(iter(await self._end(grants.c.digest == digest)), None)

    async def end_of_session(self, session: bytes) -> list[GrantRecord]:
        """See `GrantStore`."""
        return await self._end(grants.c.session == session)

    async def end_of_account(self, account: AccountId) -> list[GrantRecord]:
        """See `GrantStore`."""
        return await self._end(_of(account))

    async def of_account(self, account: AccountId, now: float) -> list[GrantRecord]:
        """See `GrantStore`."""
        query = sa.select(grants).where(_of(account), grants.c.idle_at > now)
        ordered = query.order_by(grants.c.created_at.desc(), grants.c.digest)
        rows = await self._database.read(lambda connection: connection.execute(ordered).all())
        return [_record(row) for row in rows]

    async def end_of_trust(self, trust: str) -> int:
        """See `GrantStore`."""
        return await self._delete(grants.c.trust == trust)

    async def end_of_directory(self, directory: str) -> int:
        """See `GrantStore`."""
        return await self._delete(grants.c.directory == directory)

    async def end_all(self) -> int:
        """See `GrantStore`."""
        return await self._delete(sa.true())

    async def unchecked(self, before: float, after: bytes, limit: int, now: float) -> list[GrantRecord]:
        """See `GrantStore`."""
        wanted = (grants.c.digest > after) & (grants.c.checked_at < before) & (grants.c.idle_at > now)
        query = sa.select(grants).where(wanted).order_by(grants.c.digest).limit(limit)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def purge(self, now: float) -> int:
        """See `GrantStore`."""
        return await self._delete(grants.c.idle_at <= now, skip=True)

    async def _end(self, condition: sa.ColumnElement[bool]) -> list[GrantRecord]:
        ended = delete_rows(grants, in_order(grants, condition)).returning(grants)
        rows = await self._database.write(lambda connection: connection.execute(ended).all())
        return sorted((_record(row) for row in rows), key=lambda record: (-record.created_at, record.digest))

    async def _delete(self, condition: sa.ColumnElement[bool], *, skip: bool = False) -> int:

        def work(connection: sa.Connection, portion: int) -> int:
            return connection.execute(delete_rows(grants, in_order(grants, condition, portion, skip=skip))).rowcount

        return await self._database.in_portions(work)


def add_grant(connection: sa.Connection, record: GrantRecord, limit: int = LIMIT) -> bool:
    """See `GrantStore.add`; part of a transaction."""
    row = {name: getattr(record, name) for name in (*_PLAIN, *_BINARY)} | {
        "directory": record.account.directory,
        "object": record.account.object,
        "session": record.session or None,
        "idle_at": min(record.idle_at, record.expires_at),
    }
    insert = upsert(connection, grants).values(row).on_conflict_do_nothing().returning(grants.c.digest)
    added = connection.execute(insert).one_or_none() is not None
    if added:
        newest = (grants.c.created_at.desc(), grants.c.digest)
        surplus = sa.select(grants.c.digest).where(_of(record.account)).order_by(*newest).offset(limit).subquery()
        connection.execute(delete_rows(grants, in_order(grants, grants.c.digest.in_(sa.select(surplus.c.digest)))))
    return added


def _judge(connection: sa.Connection, digest: bytes, shown: bytes, now: float, grace: float) -> Repeated | Reused | None:
    """A token that is not the current one. With its row locked: nobody rotates between the look and the end."""
    row = connection.execute(sa.select(grants).where(_alive(digest, now)).with_for_update()).one_or_none()
    if row is None or row.generation == 0:
        return None
    grant = _record(row)
    # abs: nodes' clocks differ by seconds, and one that was set back must not prolong the grace time
    if grant.generation > 1 and shown == grant.previous and abs(now - grant.rotated_at) <= grace:
        return Repeated(grant)
    connection.execute(sa.delete(grants).where(grants.c.digest == digest))
    return Reused(grant)


def _alive(digest: bytes, now: float) -> sa.ColumnElement[bool]:
    return (grants.c.digest == digest) & (grants.c.idle_at > now)


def _of(account: AccountId) -> sa.ColumnElement[bool]:
    return (grants.c.object == account.object) & (grants.c.directory == account.directory)


def _record(row: Any) -> GrantRecord:
    kept: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
    kept |= {name: bytes(getattr(row, name)) for name in _BINARY}
    return GrantRecord(account=AccountId(row.directory, row.object), session=bytes(row.session or b""), **kept)
