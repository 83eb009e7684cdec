"""Generations: a number for each thing that nodes keep copies of, raised with each change in the same transaction.

Whoever keeps a copy asks for the number once a second, and reads anew where it has moved. There is no other notice, so
none can be lost; a change is known everywhere within `POLL` seconds and the time of a reading. Kind of state: lasting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import sqlalchemy as sa
import structlog

from gateway.housekeeping import Housekeeping, Sleep
from gateway.store.database import Database
from gateway.store.errors import StoreError
from gateway.store.tables import BigNumber, metadata, upsert

log = structlog.get_logger()

POLL = 1.0
"""Seconds between two looks."""

Refresh = Callable[[], Awaitable[object]]

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("number", BigNumber, nullable=False),
)


class Generations(Protocol):
    """Says when a copy is old."""

    async def bump(self, name: str) -> int:
        """Something changed; the new number. Raises StoreUnavailable."""
        ...

    async def numbers(self) -> dict[str, int]:
        """All of them; what was never changed is not there. Raises StoreUnavailable."""
        ...

    def watch(self, name: str, refresh: Refresh) -> None:
        """Have `refresh` called whenever the number has moved; one that fails is called again at the next look."""
        ...

    async def look(self) -> None:
        """See what has moved, and refresh. Raises StoreUnavailable."""
        ...

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Look once a second, for as long as the relay serves."""
        ...


class SqlGenerations:
    """Implements `Generations`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: list[tuple[str, Refresh]] = []
        self._known: dict[int, int] = {}

    async def bump(self, name: str) -> int:
        """See `Generations`."""
        return await self._database.write(lambda connection: bump(connection, name))

    async def numbers(self) -> dict[str, int]:
        """See `Generations`."""
        query = sa.select(generations.c.name, generations.c.number)
        return await self._database.read(lambda connection: {row.name: row.number for row in connection.execute(query)})

    def watch(self, name: str, refresh: Refresh) -> None:
        """See `Generations`."""
        self._watched.append((name, refresh))

    async def look(self) -> None:
        """See `Generations`."""
        numbers = await self.numbers()
        for place, (name, refresh) in enumerate(self._watched):
            number = numbers.get(name, 0)
            if self._known.get(place) == number:
                continue
            try:
                await refresh()
            except Exception:
                log.exception("generation.refresh_failed", name=name)
            else:
                self._known[place] = number  # read before the refresh: a change meanwhile is seen next time

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """See `Generations`."""

        async def keep_looking() -> None:
            while True:
                await sleep(POLL)
                try:
                    await self.look()
                except StoreError as error:
                    log.warning("generation.unknown", error=str(error))

        housekeeping.beside("relay-generations", keep_looking)


def bump(connection: sa.Connection, name: str) -> int:
    """Raise a number, as part of the transaction that makes the change."""
    insert = upsert(connection, generations).values(name=name, number=1)
    raised = insert.on_conflict_do_update(index_elements=["name"], set_={"number": generations.c.number + 1})
    return int(connection.execute(raised.returning(generations.c.number)).scalar_one())


def hold(connection: sa.Connection, name: str) -> None:
    """Have nobody else raise a number before this transaction ends: where rows are locked before it is known whether it
    will be raised, and others raise it first."""
    connection.execute(sa.select(generations.c.number).where(generations.c.name == name).with_for_update()).close()
