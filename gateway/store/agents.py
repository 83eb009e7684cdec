"""Enrolled agents and their certificates. Kind of state: lasting; copies by the generation `agents`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from gateway.store.database import Database
from gateway.store.errors import AgentRevoked
from gateway.store.generations import bump
from gateway.store.tables import metadata

GENERATION = "agents"

agents = sa.Table(
    "agents",
    metadata,
    sa.Column("serial", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, index=True),
    sa.Column("not_after", sa.Float, nullable=False),
    sa.Column("issued_at", sa.Float, nullable=False),
    sa.Column("revoked_at", sa.Float),
    sa.Column("revoked_why", sa.Text, nullable=False),
    sa.Column("seen_at", sa.Float),
    sa.Column("software", sa.String(64), nullable=False),
    sa.Column("domains", sa.Text, nullable=False),
    sa.Column("allowed", sa.Text, nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRecord:
    """One certificate of one agent; the newest that is not revoked is in use."""

    name: str
    serial: str
    """Hex."""
    not_after: float
    issued_at: float
    revoked_at: float | None = None
    revoked_why: str = ""
    seen_at: float | None = None
    software: str = ""
    domains: tuple[str, ...] = ()
    """What it claimed when it was last seen."""
    allowed: tuple[str, ...] | None = ()
    """What it may answer for, lower case; None: anything."""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An agent was there, with one of its certificates."""

    name: str
    serial: str
    """Hex."""
    time: float
    software: str
    domains: tuple[str, ...]
    """What it claims."""
    address: str


class AgentStore(Protocol):
    """Enrolled agents and their certificates."""

    async def add(self, record: AgentRecord) -> None:
        """A certificate was issued."""
        ...

    async def all(self) -> list[AgentRecord]:
        """Every certificate ever issued, oldest first."""
        ...

    async def revoke(self, name: str, now: float, why: str) -> int:
        """Revoke all certificates of an agent; returns how many were not revoked before."""
        ...

    async def seen(self, sightings: Sequence[Sighting]) -> None:
        """These agents were there."""
        ...


class SqlAgents:
    """Implements `AgentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: AgentRecord) -> None:
        """See `AgentStore`."""
        await self._database.write(lambda connection: add_agent(connection, record))

    async def all(self) -> list[AgentRecord]:
        """See `AgentStore`."""
        query = sa.select(agents).order_by(agents.c.issued_at, agents.c.serial)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [
            AgentRecord(**{**row._mapping, "domains": tuple(json.loads(row.domains)), "allowed": read_allowed(row.allowed)})
            for row in rows
        ]

    async def revoke(self, name: str, now: float, why: str) -> int:
        """See `AgentStore`."""
        live = (agents.c.name == name) & agents.c.revoked_at.is_(None)

        def work(connection: sa.Connection) -> int:
            # first: by the lock on its row, whatever is issued in the same moment is there before, or is refused after
            bump(connection, GENERATION)
            return connection.execute(sa.update(agents).where(live).values(revoked_at=now, revoked_why=why)).rowcount

        return await self._database.write(work)

    async def seen(self, sightings: Sequence[Sighting]) -> None:
        """See `AgentStore`. In order of name, so that two nodes that saw the same agents do not lock crosswise."""

        def work(connection: sa.Connection) -> None:
            for sighting in sorted(sightings, key=lambda sighting: (sighting.name, sighting.serial)):
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

        await self._database.write(work)


def read_allowed(text: str) -> tuple[str, ...] | None:
    """The domains that somebody may answer for, as they are kept: JSON, null for any."""
    names = json.loads(text)
    return tuple(names) if names is not None else None


def add_agent(connection: sa.Connection, record: AgentRecord, renewed: str = "") -> None:
    """A certificate was issued; part of a transaction. renewed: serial number of the one that asked for it.

    Raises AgentRevoked where that one was revoked.
    """
    bump(connection, GENERATION)  # first: see `revoke`
    if renewed:
        asking = sa.select(agents.c.revoked_at).where(agents.c.serial == renewed, agents.c.name == record.name)
        row = connection.execute(asking).one_or_none()
        if row is None or row.revoked_at is not None:
            raise AgentRevoked(record.name)
    connection.execute(
        sa.insert(agents).values(
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
    )
