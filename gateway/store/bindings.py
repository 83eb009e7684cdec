"""Bindings: which directory the people of a domain are in.

A domain has one directory, a directory any number of domains. What is bound stays bound until an administrator says
otherwise, whoever is enrolled or revoked meanwhile. Kind of state: lasting; copies by the generation `bindings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa

from gateway.store.database import Database
from gateway.store.errors import StoreFull
from gateway.store.generations import bump
from gateway.store.tables import metadata

GENERATION = "bindings"
LIMIT = 20_000
"""Domains that are bound at most; some 200 bytes each."""

bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("domain", sa.String(255), primary_key=True),
    sa.Column("directory", sa.Text, nullable=False, index=True),
    sa.Column("bound_at", sa.Float, nullable=False),
    sa.Column("bound_by", sa.String(255), nullable=False),
)


@dataclass(frozen=True, slots=True)
class DirectoryBinding:
    """A domain and its directory."""

    domain: str
    """UPN suffix or NetBIOS name, lower case; `*` for names that no agent claims."""
    directory: str
    """What the directory says of itself (see `gateway.protocol.AccountId`)."""
    bound_at: float
    bound_by: str
    """The agent whose answer it was, or the administrator."""


class BindingStore(Protocol):
    """Domains and their directories."""

    async def all(self) -> list[DirectoryBinding]:
        """Every one, in order of domain."""
        ...

    async def bind(
        self,
        domains: Sequence[str],
        directory: str,
        *,
        by: str,
        now: float,
        rule: Callable[[Mapping[str, str]], bool],
    ) -> bool:
        """Bind those of these domains to a directory that have none yet; False where `rule` forbids it.

        rule: gets the directories, by domain, of these domains, and this directory's other domains; pure. Nobody else binds
        anything between its answer and the writing. Raises StoreFull, StoreUnavailable.
        """
        ...

    async def replace(self, domain: str, directory: str, *, by: str, now: float) -> str | None:
        """Bind a domain to a directory; which one it was bound to before, None for none. Raises StoreFull."""
        ...

    async def forget(self, domain: str) -> str | None:
        """End a binding; which directory it was, None where the domain was bound to none."""
        ...


class SqlBindings:
    """Implements `BindingStore`."""

    def __init__(self, database: Database, limit: int = LIMIT) -> None:
        self._database, self._limit = database, limit

    async def all(self) -> list[DirectoryBinding]:
        """See `BindingStore`."""
        query = sa.select(bindings).order_by(bindings.c.domain)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [DirectoryBinding(**row._mapping) for row in rows]

    async def bind(
        self,
        domains: Sequence[str],
        directory: str,
        *,
        by: str,
        now: float,
        rule: Callable[[Mapping[str, str]], bool],
    ) -> bool:
        """See `BindingStore`."""
        concerned = bindings.c.domain.in_(domains) | (bindings.c.directory == directory)

        def work(connection: sa.Connection) -> bool:
            # first: nodes take turns by the lock on its row, so that of two who bind in the same moment one sees the other
            bump(connection, GENERATION)
            bound = {row.domain: row.directory for row in connection.execute(sa.select(bindings).where(concerned))}
            if not rule(bound):
                return False
            for domain in domains:
                if domain not in bound:
                    self._insert(connection, DirectoryBinding(domain, directory, now, by))
            return True

        return await self._database.write(work)

    async def replace(self, domain: str, directory: str, *, by: str, now: float) -> str | None:
        """See `BindingStore`."""

        def work(connection: sa.Connection) -> str | None:
            before = _delete(connection, domain)
            self._insert(connection, DirectoryBinding(domain, directory, now, by))
            return before

        return await self._database.write(work)

    async def forget(self, domain: str) -> str | None:
        """See `BindingStore`."""

        return await self._database.write(lambda connection: _delete(connection, domain))

    def _insert(self, connection: sa.Connection, binding: DirectoryBinding) -> None:
        if connection.execute(sa.select(sa.func.count()).select_from(bindings)).scalar_one() >= self._limit:
            raise StoreFull("bindings of domains to directories", self._limit)
        row = {name: getattr(binding, name) for name in bindings.c.keys()}  # noqa: SIM118 - columns are no mapping
        connection.execute(sa.insert(bindings).values(row))


def _delete(connection: sa.Connection, domain: str) -> str | None:
    bump(connection, GENERATION)
    gone = sa.delete(bindings).where(bindings.c.domain == domain).returning(bindings.c.directory)
    return connection.execute(gone).scalar_one_or_none()
