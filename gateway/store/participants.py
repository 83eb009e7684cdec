"""Who hangs on a browser session: the applications that were signed in to with it. Kind of state: lasting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.store.database import Database
from gateway.store.tables import Prepared, delete_rows, in_order, insert_into, metadata

LIMIT = 200
"""Participants of one session. With one more the oldest is forgotten, and not told of the session's end."""

participants = sa.Table(
    "participants",
    metadata,
    sa.Column("trust", sa.String(128), primary_key=True),
    sa.Column("session_index", sa.String(255), primary_key=True),
    sa.Column("session", sa.LargeBinary, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.LargeBinary, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False, index=True),
    sa.Column("tried_key", sa.String(64), nullable=False),
    sa.Column("tried_until", sa.Float, nullable=False),
    sa.Index("ix_participants_session", "session"),
    sa.Index("ix_participants_subject", "subject"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRecord:
    """One application in one session."""

    session: bytes = field(repr=False)
    """Digest of the session (`SessionRecord.digest`)."""
    trust: str
    index: str
    """What the application calls it: SAML SessionIndex, OpenID Connect `sid`; one for each trust, up to 255 characters."""
    subject: str = field(default="", repr=False)
    """What the application calls the person: SAML NameID, OpenID Connect `sub`. Empty where it is not asked for by that."""
    details: bytes = field(repr=False)
    """Whatever the protocol needs to tell it of the end: NameID, subject."""
    since: float
    expires_at: float
    """When nobody need be told any more."""
    tried_key: str = ""
    """Id of the signing key that this session tries with this application; empty where it tries none."""
    tried_until: float = 0.0
    """Unix seconds."""

    def tried_at(self, now: float) -> str:
        """Id of the key that is tried at that moment, if any."""
        return self.tried_key if now < self.tried_until else ""


class ParticipantStore(Protocol):
    """Participants of sessions."""

    async def add(self, record: ParticipantRecord) -> None:
        """It takes part; again replaces what was known."""
        ...

    async def of_session(self, session: bytes) -> list[ParticipantRecord]:
        """All of them, by when they came."""
        ...

    async def find(self, trust: str, index: str) -> ParticipantRecord | None:
        """Which session an application means."""
        ...

    async def of_subject(self, trust: str, subject: str) -> list[ParticipantRecord]:
        """All that an application means by a person (SAML LogoutRequest without SessionIndex), by when they came."""
        ...

    async def sessions_of(self, trust: str) -> set[bytes]:
        """All sessions that one application takes part in."""
        ...

    async def trusts(self) -> list[str]:
        """Ids of the applications that take part in any session, sorted."""
        ...

    async def take(self, session: bytes) -> list[ParticipantRecord]:
        """All of them, and forget them: of two who end a session one has to tell them."""
        ...

    async def remove(self, trust: str, index: str) -> bool:
        """It has left by itself."""
        ...

    async def end_trial(self, trust: str, index: str) -> None:
        """It is told with the key in use again; nothing where it tries none."""
        ...

    async def clear(self) -> int:
        """Forget all; how many."""
        ...

    async def purge(self, now: float) -> int:
        """Forget what is over; how many."""
        ...


class SqlParticipants:
    """Implements `ParticipantStore`. limit: participants of one session."""

    def __init__(self, database: Database, limit: int = LIMIT) -> None:
        self._database = database
        table, keys = participants.c, ("trust", "session_index")
        insert = insert_into(database.dialect, participants)
        changed = {column.name: insert.excluded[column.name] for column in participants.columns if column.name not in keys}
        newest = sa.select(table.trust, table.session_index).where(table.session == sa.bindparam("of"))
        surplus = newest.order_by(table.since.desc(), table.trust, table.session_index).offset(limit).subquery()
        beyond = in_order(participants, sa.tuple_(table.trust, table.session_index).in_(sa.select(surplus)))
        self._put = Prepared(database.dialect, insert.on_conflict_do_update(index_elements=keys, set_=changed))
        self._trim = Prepared(database.dialect, delete_rows(participants, beyond))
        own = _one(sa.bindparam("of_trust", type_=sa.String), sa.bindparam("of_index", type_=sa.String))
        self._find = Prepared(database.dialect, sa.select(participants).where(own))

    async def add(self, record: ParticipantRecord) -> None:
        """See `ParticipantStore`."""
        row = {column.name: getattr(record, column.name, record.index) for column in participants.columns}

        def work(cursor: Any) -> None:
            self._put.run(cursor, **row)
            self._trim.run(cursor, of=record.session)

        await self._database.write_row(work)

    async def of_session(self, session: bytes) -> list[ParticipantRecord]:
        """See `ParticipantStore`."""
        return await self._read(participants.c.session == session)

    async def find(self, trust: str, index: str) -> ParticipantRecord | None:
        """See `ParticipantStore`."""
        row = await self._database.read_row(lambda cursor: self._find.one(cursor, of_trust=trust, of_index=index))
        return _record(row) if row is not None else None

    async def of_subject(self, trust: str, subject: str) -> list[ParticipantRecord]:
        """See `ParticipantStore`."""
        own = (participants.c.trust == trust) & (participants.c.subject == subject)
        return await self._read(own) if subject else []

    async def sessions_of(self, trust: str) -> set[bytes]:
        """See `ParticipantStore`."""
        query = sa.select(participants.c.session).where(participants.c.trust == trust).distinct()
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return {bytes(row.session) for row in rows}

    async def trusts(self) -> list[str]:
        """See `ParticipantStore`."""
        query = sa.select(participants.c.trust).distinct()
        return sorted(await self._database.scan(lambda connection: list(connection.execute(query).scalars())))

    async def take(self, session: bytes) -> list[ParticipantRecord]:
        """See `ParticipantStore`."""
        own = in_order(participants, participants.c.session == session)
        taken = delete_rows(participants, own).returning(participants)
        rows = await self._database.write(lambda connection: connection.execute(taken).all())
        return sorted((_record(row) for row in rows), key=lambda record: (record.since, record.trust, record.index))

    async def remove(self, trust: str, index: str) -> bool:
        """See `ParticipantStore`."""
        statement = sa.delete(participants).where(_one(trust, index))
        return await self._database.write(lambda connection: connection.execute(statement).rowcount == 1)

    async def end_trial(self, trust: str, index: str) -> None:
        """See `ParticipantStore`."""
        statement = sa.update(participants).where(_one(trust, index)).values(tried_key="", tried_until=0.0)
        await self._database.write(lambda connection: connection.execute(statement))

    async def clear(self) -> int:
        """See `ParticipantStore`."""
        return await self._delete(sa.true())

    async def purge(self, now: float) -> int:
        """See `ParticipantStore`."""
        return await self._delete(participants.c.expires_at <= now, skip=True)

    async def _read(self, condition: sa.ColumnElement[bool]) -> list[ParticipantRecord]:
        table = participants.c
        query = sa.select(participants).where(condition).order_by(table.since, table.trust, table.session_index)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def _delete(self, condition: sa.ColumnElement[bool], *, skip: bool = False) -> int:

        def work(connection: sa.Connection, portion: int) -> int:
            some = in_order(participants, condition, portion, skip=skip)
            return connection.execute(delete_rows(participants, some)).rowcount

        return await self._database.in_portions(work)


def _one(trust: str | sa.BindParameter[str], index: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
    return (participants.c.trust == trust) & (participants.c.session_index == index)


def _record(row: Any) -> ParticipantRecord:
    return ParticipantRecord(
        session=bytes(row.session),
        trust=row.trust,
        index=row.session_index,
        subject=row.subject,
        details=bytes(row.details),
        since=row.since,
        expires_at=row.expires_at,
        tried_key=row.tried_key,
        tried_until=row.tried_until,
    )
