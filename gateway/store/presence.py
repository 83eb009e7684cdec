"""Presence: which agents are connected to which node, and which domains each of them has ever claimed.

Each node reports its own agents and believes others' reports while they are fresh. What an agent claimed stays when it
leaves: a name of its domain is then answered "no agent", not sent to whoever answers for the rest. Claims of an agent that
was revoked do not count.

Kind of state: lasting (claims); reports are of no use once they are old.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.store.agents import agents as enrolled
from gateway.store.database import Database
from gateway.store.generations import bump
from gateway.store.tables import metadata, upsert

GENERATION = "domains"
CLAIMS = 2000
"""Domains that are kept of one agent; beyond that those go that it claimed first. It claims 1000 at a time at most."""
KEPT = 600.0
"""Seconds after which a report is deleted: its node is gone."""

presence = sa.Table(
    "presence",
    metadata,
    sa.Column("node", sa.String(64), primary_key=True),
    sa.Column("agent", sa.String(64), primary_key=True),
    sa.Column("domains", sa.Text, nullable=False),
    sa.Column("reported_at", sa.Float, nullable=False),
)

domain_claims = sa.Table(
    "domain_claims",
    metadata,
    sa.Column("agent", sa.String(64), primary_key=True),
    sa.Column("domain", sa.String(255), primary_key=True),
    sa.Column("claimed_at", sa.Float, nullable=False),
)


@dataclass(frozen=True, slots=True)
class AgentPresence:
    """An agent at a node."""

    node: str
    agent: str
    domains: tuple[str, ...]
    """Lower case."""
    reported_at: float


class PresenceStore(Protocol):
    """Who is where."""

    async def report(self, node: str, agents: Sequence[tuple[str, Sequence[str]]], now: float) -> None:
        """These agents, with the domains that each of them claims, are all that a node has."""
        ...

    async def confirm(self, node: str, now: float) -> None:
        """The agents that a node reported last are still all that it has."""
        ...

    async def present(self, since: float) -> list[AgentPresence]:
        """What nodes have reported since then."""
        ...

    async def claimed(self) -> dict[str, tuple[str, ...]]:
        """Every domain that was ever claimed, with the agents that claimed it and were not revoked, in order of name."""
        ...

    async def purge(self, now: float) -> int:
        """Delete what nodes reported that are gone; returns how many."""
        ...


class SqlPresence:
    """Implements `PresenceStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, node: str, agents: Sequence[tuple[str, Sequence[str]]], now: float) -> None:
        """See `PresenceStore`."""
        own = {name: tuple(sorted({domain.lower() for domain in domains})) for name, domains in agents}

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(presence).where(presence.c.node == node, presence.c.agent.not_in(own)))
            if not own:
                return
            rows = [
                {"node": node, "agent": name, "domains": json.dumps(domains), "reported_at": now}
                for name, domains in sorted(own.items())
            ]
            insert = upsert(connection, presence)
            changed = {"domains": insert.excluded.domains, "reported_at": insert.excluded.reported_at}
            connection.execute(insert.on_conflict_do_update(index_elements=["node", "agent"], set_=changed), rows)
            claims = [
                {"agent": name, "domain": domain, "claimed_at": now}
                for name, domains in sorted(own.items())
                for domain in domains
            ]
            if claims and (new := _add_claims(connection, claims)):
                for agent in sorted(new):
                    _drop_oldest_claims(connection, agent)
                bump(connection, GENERATION)

        await self._database.write(work)

    async def confirm(self, node: str, now: float) -> None:
        """See `PresenceStore`."""
        own = sa.update(presence).where(presence.c.node == node).values(reported_at=now)
        await self._database.write(lambda connection: connection.execute(own).close())

    async def present(self, since: float) -> list[AgentPresence]:
        """See `PresenceStore`."""
        query = sa.select(presence).where(presence.c.reported_at >= since).order_by(presence.c.node, presence.c.agent)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [AgentPresence(row.node, row.agent, tuple(json.loads(row.domains)), row.reported_at) for row in rows]

    async def claimed(self) -> dict[str, tuple[str, ...]]:
        """See `PresenceStore`."""
        revoked = sa.select(enrolled.c.name).where(enrolled.c.revoked_at.is_not(None))
        live = sa.select(enrolled.c.name).where(enrolled.c.revoked_at.is_(None))
        counts = domain_claims.c.agent.not_in(revoked) | domain_claims.c.agent.in_(live)
        query = sa.select(domain_claims).where(counts).order_by(domain_claims.c.domain, domain_claims.c.agent)
        found: dict[str, tuple[str, ...]] = {}
        for row in await self._database.read(lambda connection: connection.execute(query).all()):
            found[row.domain] = (*found.get(row.domain, ()), row.agent)
        return found

    async def purge(self, now: float) -> int:
        """See `PresenceStore`."""
        old = sa.delete(presence).where(presence.c.reported_at < now - KEPT)
        return await self._database.write(lambda connection: connection.execute(old).rowcount)


def _add_claims(connection: sa.Connection, claims: Sequence[dict[str, Any]]) -> set[str]:
    """Add those that are not there; of which agents there were some."""
    insert = upsert(connection, domain_claims).on_conflict_do_nothing().returning(domain_claims.c.agent)
    return set(connection.execute(insert, claims).scalars())


def _drop_oldest_claims(connection: sa.Connection, agent: str) -> None:
    own = domain_claims.c.agent == agent
    newest = sa.select(domain_claims.c.domain).where(own)
    newest = newest.order_by(domain_claims.c.claimed_at.desc(), domain_claims.c.domain).limit(CLAIMS)
    connection.execute(sa.delete(domain_claims).where(own, domain_claims.c.domain.not_in(newest)))
