"""Applications that sign people in here, each as the document that describes it. Kind of state: lasting.

Whoever keeps a copy watches the generation `trusts`, which every change raises in its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from gateway.store.database import Database
from gateway.store.duties import DutyLease, check_lease
from gateway.store.errors import TrustOutdated
from gateway.store.generations import bump, hold
from gateway.store.tables import BigNumber, metadata, upsert

GENERATION = "trusts"

trusts = sa.Table(
    "trusts",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("version", BigNumber, nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("disabled", sa.Text, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("changed_by", sa.String(255), nullable=False),
)
party_metadata = sa.Table(
    "party_metadata",
    metadata,
    sa.Column("trust", sa.String(128), primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("fetched_at", sa.Float, nullable=False),
    sa.Column("checked_at", sa.Float, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("valid_until", sa.Float, nullable=False),
)
trust_logos = sa.Table(
    "trust_logos",
    metadata,
    sa.Column("trust", sa.String(128), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Index("ix_trust_logos_digest", "digest"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRecord:
    """One trust in one version. The store reads nothing of the document."""

    id: str
    version: int
    """1 for a new one; each change is the next."""
    document: bytes
    """TOML, as `gateway.federation.trusts` reads it."""
    origin: str = "command"
    """`command`, or `file:NAME`: then only a changed file changes it."""
    disabled: str = ""
    """Why it signs nobody in; empty where it does."""
    changed_at: float
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyMetadata:
    """The last good metadata of a SAML trust, and what came of the last look. Kind of state: a copy of what is elsewhere."""

    trust: str
    document: bytes
    """Empty where none was ever good."""
    fetched_at: float
    """When the document was."""
    checked_at: float
    problem: str = ""
    """Why the last look brought none."""
    valid_until: float = 0.0


class TrustStore(Protocol):
    """Trusts and their metadata. Changes of trusts go through `UnitOfWork` with their entry in the audit trail."""

    async def all(self) -> list[TrustRecord]:
        """Every trust, by id: the version that holds. Earlier ones are not kept; the audit trail tells of them."""
        ...

    async def get(self, trust: str) -> TrustRecord | None:
        """The version that holds."""
        ...

    async def metadata(self) -> list[PartyMetadata]:
        """Of every trust that has any."""
        ...

    async def keep_metadata(self, metadata: PartyMetadata, lease: DutyLease | None = None) -> bool:
        """Keep it in place of the one before; raises the generation where the document is another one.

        False where there is no such trust (any more). lease: only while that duty is held. Raises DutyLost.
        """
        ...


class SqlTrusts:
    """Implements `TrustStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[TrustRecord]:
        """See `TrustStore`."""
        query = sa.select(trusts).order_by(trusts.c.id)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [_record(row) for row in rows]

    async def get(self, trust: str) -> TrustRecord | None:
        """See `TrustStore`."""
        query = sa.select(trusts).where(trusts.c.id == trust)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return _record(row) if row is not None else None

    async def metadata(self) -> list[PartyMetadata]:
        """See `TrustStore`."""
        query = sa.select(party_metadata).order_by(party_metadata.c.trust)
        rows = await self._database.scan(lambda connection: connection.execute(query).all())
        return [PartyMetadata(**{**row._mapping, "document": bytes(row.document)}) for row in rows]

    async def keep_metadata(self, metadata: PartyMetadata, lease: DutyLease | None = None) -> bool:
        """See `TrustStore`."""

        def work(connection: sa.Connection) -> bool:
            if lease is not None:
                check_lease(connection, lease)
            return _keep_metadata(connection, metadata)

        return await self._database.write(work)


def put_trust(connection: sa.Connection, record: TrustRecord) -> None:
    """Keep a version that follows the kept one; part of a transaction. Raises TrustOutdated."""
    values = {
        "version": record.version,
        "document": record.document,
        "origin": record.origin,
        "disabled": record.disabled,
        "changed_at": record.changed_at,
        "changed_by": record.changed_by,
    }
    bump(connection, GENERATION)
    statement: Any = sa.update(trusts).where(trusts.c.id == record.id, trusts.c.version == record.version - 1).values(values)
    if record.version == 1:
        statement = upsert(connection, trusts).values(id=record.id, **values).on_conflict_do_nothing()
    if connection.execute(statement.returning(trusts.c.id)).one_or_none() is None:
        raise TrustOutdated(record.id, record.version - 1)


def remove_trust(connection: sa.Connection, trust: str, version: int) -> None:
    """Forget a trust, its metadata and its logo; part of a transaction. version: the kept one. Raises TrustOutdated."""
    bump(connection, GENERATION)
    if connection.execute(sa.delete(trusts).where(trusts.c.id == trust, trusts.c.version == version)).rowcount != 1:
        raise TrustOutdated(trust, version)
    connection.execute(sa.delete(party_metadata).where(party_metadata.c.trust == trust))
    connection.execute(sa.delete(trust_logos).where(trust_logos.c.trust == trust))


def _keep_metadata(connection: sa.Connection, metadata: PartyMetadata) -> bool:
    """Nobody removes the trust meanwhile, and of two that look the second sees what the first kept."""
    hold(connection, GENERATION)
    if connection.execute(sa.select(trusts.c.id).where(trusts.c.id == metadata.trust)).one_or_none() is None:
        return False
    kept = sa.select(party_metadata.c.document).where(party_metadata.c.trust == metadata.trust)
    before = connection.execute(kept).scalar_one_or_none()
    values = {
        "document": metadata.document,
        "fetched_at": metadata.fetched_at,
        "checked_at": metadata.checked_at,
        "problem": metadata.problem,
        "valid_until": metadata.valid_until,
    }
    insert = upsert(connection, party_metadata).values(trust=metadata.trust, **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["trust"], set_=values))
    if before is None or bytes(before) != metadata.document:
        bump(connection, GENERATION)
    return True


def _record(row: Any) -> TrustRecord:
    return TrustRecord(**{**row._mapping, "document": bytes(row.document)})
