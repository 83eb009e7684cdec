"""What people have agreed that an application may know. Kind of state: lasting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.protocol import AccountId
from gateway.store.database import Database
from gateway.store.tables import delete_rows, in_order, metadata, upsert

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("directory", sa.Text, primary_key=True),
    sa.Column("trust", sa.String(128), primary_key=True),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("ix_consents_trust", "trust"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One person's word to one application."""

    account: AccountId
    trust: str
    scopes: frozenset[str]
    at: float


class ConsentStore(Protocol):
    """Consents of people, by trust."""

    async def get(self, account: AccountId, trust: str) -> ConsentRecord | None:
        """What was agreed."""
        ...

    async def put(self, record: ConsentRecord) -> None:
        """Agreed, in place of what was before."""
        ...

    async def of_account(self, account: AccountId) -> list[ConsentRecord]:
        """All of one person, by trust."""
        ...

    async def remove(self, account: AccountId, trust: str) -> bool:
        """Taken back."""
        ...

    async def remove_of_account(self, account: AccountId) -> int:
        """The person is gone; how many it were."""
        ...

    async def remove_of_trust(self, trust: str) -> int:
        """The application is gone; how many it were."""
        ...


class SqlConsents:
    """Implements `ConsentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, account: AccountId, trust: str) -> ConsentRecord | None:
        """See `ConsentStore`."""
        query = sa.select(consents).where(_of(account), consents.c.trust == trust)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _record(row) if row is not None else None

    async def put(self, record: ConsentRecord) -> None:
        """See `ConsentStore`."""
        keys = {"object": record.account.object, "directory": record.account.directory, "trust": record.trust}
        values = {"scopes": json.dumps(sorted(record.scopes)), "at": record.at}

        def work(connection: sa.Connection) -> None:
            insert = upsert(connection, consents).values(**keys, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=list(keys), set_=values))

        await self._database.write(work)

    async def of_account(self, account: AccountId) -> list[ConsentRecord]:
        """See `ConsentStore`."""
        query = sa.select(consents).where(_of(account)).order_by(consents.c.trust)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def remove(self, account: AccountId, trust: str) -> bool:
        """See `ConsentStore`."""
        statement = sa.delete(consents).where(_of(account), consents.c.trust == trust)
        return await self._database.write(lambda connection: connection.execute(statement).rowcount == 1)

    async def remove_of_account(self, account: AccountId) -> int:
        """See `ConsentStore`."""
        return await self._delete(_of(account))

    async def remove_of_trust(self, trust: str) -> int:
        """See `ConsentStore`."""
        return await self._delete(consents.c.trust == trust)

    async def _delete(self, condition: sa.ColumnElement[bool]) -> int:

        def work(connection: sa.Connection, portion: int) -> int:
            return connection.execute(delete_rows(consents, in_order(consents, condition, portion))).rowcount

        return await self._database.in_portions(work)


def _of(account: AccountId) -> sa.ColumnElement[bool]:
    return (consents.c.object == account.object) & (consents.c.directory == account.directory)


def _record(row: Any) -> ConsentRecord:
    account = AccountId(row.directory, row.object)
    return ConsentRecord(account=account, trust=row.trust, scopes=frozenset(json.loads(row.scopes)), at=row.at)
