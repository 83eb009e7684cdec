"""Duties: work that exactly one node does (purge, key rollover, metadata refresh, alerts).

A node takes a duty for some seconds and gets a number, higher with each taking. A node that sleeps past its lease wakes
up believing in it: so every write in the name of a duty names the number, and one with an old number fails (`unit().hold`).

Kind of state: lasting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from gateway.store.database import Database
from gateway.store.errors import DutyLost
from gateway.store.tables import BigNumber, metadata, upsert

LONGEST_LEASE = 600.0
"""Seconds. What is held for longer was taken under a clock that was ahead, and would be held until it is that time."""

duties = sa.Table(
    "duties",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", sa.String(64), nullable=False),
    sa.Column("number", BigNumber, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class DutyLease:
    """A duty that is held."""

    name: str
    number: int
    """The fencing number."""


class DutyStore(Protocol):
    """Who does what."""

    async def take(self, name: str, holder: str, *, now: float, until: float) -> DutyLease | None:
        """Take a duty that is free, was given up, or has run out; None where somebody holds it, also if that is us.

        until: within `LONGEST_LEASE`. holder: this process, by a name that no other one has.
        """
        ...

    async def extend(self, lease: DutyLease, until: float) -> None:
        """Keep it for longer. Raises DutyLost."""
        ...

    async def give_up(self, lease: DutyLease) -> None:
        """Let somebody else take it; nothing where it is lost already."""
        ...


class SqlDuties:
    """Implements `DutyStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, holder: str, *, now: float, until: float) -> DutyLease | None:
        """See `DutyStore`."""

        def work(connection: sa.Connection) -> DutyLease | None:
            insert = upsert(connection, duties).values(name=name, holder=holder, number=1, until=until)
            taken = insert.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": holder, "number": duties.c.number + 1, "until": until},
                where=(duties.c.until <= now) | (duties.c.until > now + LONGEST_LEASE),
            )
            number = connection.execute(taken.returning(duties.c.number)).scalar_one_or_none()
            return DutyLease(name, number) if number is not None else None

        return await self._database.write(work)

    async def extend(self, lease: DutyLease, until: float) -> None:
        """See `DutyStore`."""
        await self._database.write(lambda connection: _update(connection, lease, until))

    async def give_up(self, lease: DutyLease) -> None:
        """See `DutyStore`."""
        free = sa.update(duties).where(_own(lease)).values(until=0.0)
        await self._database.write(lambda connection: connection.execute(free).close())


def check_lease(connection: sa.Connection, lease: DutyLease) -> None:
    """Whether the duty is still held, and that nobody takes it before this transaction ends. Raises DutyLost.

    A lease that has run out is held until somebody else takes the duty: time decides nothing alone.
    """
    held = sa.select(duties.c.number).where(_own(lease)).with_for_update()  # SQLite has the whole file locked anyway
    if connection.execute(held).one_or_none() is None:
        raise DutyLost(lease.name, lease.number)


def _update(connection: sa.Connection, lease: DutyLease, until: float) -> None:
    if connection.execute(sa.update(duties).where(_own(lease)).values(until=until)).rowcount != 1:
        raise DutyLost(lease.name, lease.number)


def _own(lease: DutyLease) -> sa.ColumnElement[bool]:
    return (duties.c.name == lease.name) & (duties.c.number == lease.number)
