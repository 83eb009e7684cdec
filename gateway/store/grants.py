"""Grants: what a client was given for a person, and the family of refresh tokens that hangs on it. Kind of state: lasting.

A grant is kept under the digest of its id, which is in every token of it: who reads the database can use none. What is
over (`expires_at`, `idle_at`) is not there for anybody, whether it was purged or not.

    code redeemed ─► live ──rotate──► live (generation + 1) …          each refresh token once, but for the grace time
                      │   └── a token of an earlier generation ──► ended
                      └── revoked, session ended, code used twice, account gone ──► ended
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.database import Database
from gateway.store.tables import BigNumber, Prepared, delete_rows, in_order, insert_into, metadata

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
        self,
        digest: bytes,
        shown: bytes,
        new: bytes,
        sealed: bytes,
        *,
        now: float,
        idle_at: float,
        grace: float,
        checked_at: float = 0.0,
        details: bytes | None = None,
    ) -> Rotated | Repeated | Reused | None:
        """Spend the refresh token with digest `shown` for that with digest `new`: of many at once one gets Rotated.

        None where the grant is none that lives, or has no refresh token. idle_at: no later than its absolute end is kept.
        grace: seconds. checked_at: when an agent said that the account lives; 0: none has since. details: in place of those
        that are kept; those, unless given. Raises StoreUnavailable.
        """
        ...

    async def note_check(self, digest: bytes, now: float, details: bytes | None = None) -> None:
        """An agent said that the account lives. details: in place of those that are kept; those, unless given."""
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
        self._database = database
        self._statements = _Statements(database.dialect, limit)

    async def add(self, record: GrantRecord) -> bool:
        """See `GrantStore`."""
        return await self._database.write_row(lambda cursor: self._statements.add(cursor, record))

    async def get(self, digest: bytes, now: float) -> GrantRecord | None:
        """See `GrantStore`."""
        return await self._database.read_row(lambda cursor: self._statements.get(cursor, digest, now))

    async def rotate(
        self,
        digest: bytes,
        shown: bytes,
        new: bytes,
        sealed: bytes,
        *,
        now: float,
        idle_at: float,
        grace: float,
        checked_at: float = 0.0,
        details: bytes | None = None,
    ) -> Rotated | Repeated | Reused | None:
        """See `GrantStore`."""
        statements = self._statements

        def work(cursor: Any) -> Rotated | Repeated | Reused | None:
            grant = statements.rotate(cursor, digest, shown, new, sealed, now, idle_at, checked_at, details)
            return Rotated(grant) if grant is not None else statements.judge(cursor, digest, shown, now, grace)

        return await self._database.write_row(work)

    async def note_check(self, digest: bytes, now: float, details: bytes | None = None) -> None:
        """See `GrantStore`."""
        changed: dict[str, Any] = {"checked_at": now} if details is None else {"checked_at": now, "details": details}
        statement = sa.update(grants).where(grants.c.digest == digest).values(changed)
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


class _Statements:
    """What is done for each sign-in to an application, and each refresh."""

    def __init__(self, dialect: sa.Dialect, limit: int) -> None:
        insert = insert_into(dialect, grants).on_conflict_do_nothing().returning(grants.c.digest)
        own = _of(AccountId(sa.bindparam("of_directory"), sa.bindparam("of_object")))  # type: ignore[arg-type]
        newest = sa.select(grants.c.digest).where(own).order_by(grants.c.created_at.desc(), grants.c.digest)
        surplus = sa.select(newest.offset(limit).subquery().c.digest)
        alive = _alive(sa.bindparam("of"), sa.bindparam("now"))
        idle_at = sa.bindparam("until", type_=sa.Float)
        checked_at = sa.bindparam("checked", type_=sa.Float)
        rotation = sa.update(grants).where(alive, grants.c.current == sa.bindparam("shown"), grants.c.generation > 0)
        rotated = rotation.values(
            generation=grants.c.generation + 1,
            previous=grants.c.current,
            current=sa.bindparam("new"),
            sealed=sa.bindparam("next"),
            rotated_at=sa.bindparam("now"),
            idle_at=sa.case((grants.c.expires_at < idle_at, grants.c.expires_at), else_=idle_at),
            checked_at=sa.case((checked_at > 0.0, checked_at), else_=grants.c.checked_at),
            details=sa.func.coalesce(sa.bindparam("changed", type_=sa.LargeBinary), grants.c.details),
        )
        self._insert = Prepared(dialect, insert)
        self._trim = Prepared(dialect, delete_rows(grants, in_order(grants, grants.c.digest.in_(surplus))))
        self._rotate = Prepared(dialect, rotated.returning(*grants.columns))
        self._get = Prepared(dialect, sa.select(grants).where(alive))
        self._lock = Prepared(dialect, sa.select(grants).where(alive).with_for_update())
        self._end = Prepared(dialect, sa.delete(grants).where(grants.c.digest == sa.bindparam("of")))

    def add(self, cursor: Any, record: GrantRecord) -> bool:
        """See `GrantStore.add`."""
        row = {name: getattr(record, name) for name in (*_PLAIN, *_BINARY)}
        directory, object_ = record.account
        row |= {"directory": directory, "object": object_, "session": record.session or None}
        row["idle_at"] = min(record.idle_at, record.expires_at)
        added = self._insert.run(cursor, **row).fetchone() is not None
        if added:
            self._trim.run(cursor, of_directory=directory, of_object=object_)
        return added

    def get(self, cursor: Any, digest: bytes, now: float) -> GrantRecord | None:
        """See `GrantStore.get`."""
        row = self._get.run(cursor, of=digest, now=now).fetchone()
        return _record(_Row(*row)) if row is not None else None

    def rotate(
        self,
        cursor: Any,
        digest: bytes,
        shown: bytes,
        new: bytes,
        sealed: bytes,
        now: float,
        idle_at: float,
        checked_at: float,
        details: bytes | None,
    ) -> GrantRecord | None:
        """None where `shown` is not the current token of a grant that lives."""
        values = {"of": digest, "now": now, "shown": shown, "new": new, "next": sealed, "until": idle_at}
        row = self._rotate.run(cursor, **values, checked=checked_at, changed=details).fetchone()
        return _record(_Row(*row)) if row is not None else None

    def judge(self, cursor: Any, digest: bytes, shown: bytes, now: float, grace: float) -> Repeated | Reused | None:
        """A token that is not the current one. With its row locked: nobody rotates between the look and the end."""
        row = self._lock.run(cursor, of=digest, now=now).fetchone()
        grant = _record(_Row(*row)) if row is not None else None
        if grant is None or grant.generation == 0:
            return None
        # abs: nodes' clocks differ by seconds, and one that was set back must not prolong the grace time
        if grant.generation > 1 and shown == grant.previous and abs(now - grant.rotated_at) <= grace:
            return Repeated(grant)
        self._end.run(cursor, of=digest)
        return Reused(grant)


_Row = namedtuple("_Row", [column.name for column in grants.columns])  # type: ignore[misc]


def _alive(digest: Any, now: Any) -> sa.ColumnElement[bool]:
    return sa.and_(grants.c.digest == digest, grants.c.idle_at > now)


def _of(account: AccountId) -> sa.ColumnElement[bool]:
    return (grants.c.object == account.object) & (grants.c.directory == account.directory)


def _record(row: Any) -> GrantRecord:
    kept: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
    kept |= {name: bytes(getattr(row, name)) for name in _BINARY}
    return GrantRecord(account=AccountId(row.directory, row.object), session=bytes(row.session or b""), **kept)
