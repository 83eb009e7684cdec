"""The store: all subjects on one database."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from gateway.store.admission import AdmissionRowStore, SqlAdmission
from gateway.store.agents import AgentStore, SqlAgents
from gateway.store.api_keys import ApiKeyStore, SqlApiKeys
from gateway.store.audit import AuditLog
from gateway.store.bindings import BindingStore, SqlBindings
from gateway.store.consents import ConsentStore, SqlConsents
from gateway.store.database import Database
from gateway.store.duties import DutyStore, SqlDuties
from gateway.store.generations import Generations, SqlGenerations
from gateway.store.grants import GrantStore, SqlGrants
from gateway.store.keyring import GENERATION, Keyring, SqlKeyring
from gateway.store.logos import LogoStore, SqlLogos
from gateway.store.once import OnceStore, SqlOnce
from gateway.store.participants import ParticipantStore, SqlParticipants
from gateway.store.presence import PresenceStore, SqlPresence
from gateway.store.procedures import ProcedureStore, SqlProcedures
from gateway.store.replay import SeenStore, SqlSeen
from gateway.store.sessions import SessionStore, SqlSessions
from gateway.store.signing_keys import SigningKeyStore, SqlSigningKeys
from gateway.store.tokens import SqlTokens, TokenStore
from gateway.store.trail import SqlAuditLog
from gateway.store.trusts import SqlTrusts, TrustStore
from gateway.store.unit import SqlUnit, UnitOfWork


class Store(Protocol):
    """Everything that must last."""

    @property
    def node(self) -> str:
        """The name of this node."""
        ...

    @property
    def audit(self) -> AuditLog:
        """What happened."""
        ...

    @property
    def agents(self) -> AgentStore:
        """Enrolled agents."""
        ...

    @property
    def bindings(self) -> BindingStore:
        """Domains and their directories."""
        ...

    @property
    def tokens(self) -> TokenStore:
        """Enrolment tokens."""
        ...

    @property
    def api_keys(self) -> ApiKeyStore:
        """Keys of trusted back ends."""
        ...

    @property
    def sessions(self) -> SessionStore:
        """Browser sessions."""
        ...

    @property
    def trusts(self) -> TrustStore:
        """Applications."""
        ...

    @property
    def grants(self) -> GrantStore:
        """What clients were given."""
        ...

    @property
    def participants(self) -> ParticipantStore:
        """Applications in sessions."""
        ...

    @property
    def logos(self) -> LogoStore:
        """Pictures of applications."""
        ...

    @property
    def consents(self) -> ConsentStore:
        """What people agreed to."""
        ...

    @property
    def signing_keys(self) -> SigningKeyStore:
        """Keys that sign tokens."""
        ...

    @property
    def procedures(self) -> ProcedureStore:
        """Journals of what one node does for all, step by step."""
        ...

    @property
    def once(self) -> OnceStore:
        """What happens once."""
        ...

    @property
    def seen(self) -> SeenStore:
        """What was seen before."""
        ...

    @property
    def keyring(self) -> Keyring:
        """Keys that nodes share."""
        ...

    @property
    def generations(self) -> Generations:
        """Whether copies are old."""
        ...

    @property
    def duties(self) -> DutyStore:
        """What one node does for all."""
        ...

    @property
    def presence(self) -> PresenceStore:
        """Which agents are where."""
        ...

    @property
    def admission(self) -> AdmissionRowStore:
        """What was counted against names."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other nodes may use it at the same time, beside commands on this machine."""
        ...

    def unit(self) -> UnitOfWork:
        """Several changes in one transaction."""
        ...

    async def ping(self) -> float | None:
        """Whether it answers; its clock, Unix seconds, where that is not this machine's. Raises StoreUnavailable."""
        ...

    async def close(self) -> None:
        """Write what is pending and let go of the database."""
        ...


class SqlStore:
    """Implements `Store`."""

    def __init__(self, database: Database, *, secret: bytes, node: str, clock: Callable[[], float] = time.time) -> None:
        self._database, self.node = database, node
        self.keyring = SqlKeyring(database, secret, clock)
        self.audit = SqlAuditLog(database, self.keyring, node)
        self.agents = SqlAgents(database)
        self.bindings = SqlBindings(database)
        self.tokens = SqlTokens(database)
        self.api_keys = SqlApiKeys(database)
        self.sessions = SqlSessions(database)
        self.trusts = SqlTrusts(database)
        self.grants = SqlGrants(database)
        self.participants = SqlParticipants(database)
        self.consents = SqlConsents(database)
        self.logos = SqlLogos(database)
        self.signing_keys = SqlSigningKeys(database, self.keyring)
        self.procedures = SqlProcedures(database, self.keyring)
        self.once = SqlOnce(database)
        self.seen = SqlSeen(database)
        self.generations = SqlGenerations(database)
        self.duties = SqlDuties(database)
        self.presence = SqlPresence(database)
        self.admission = SqlAdmission(database)
        self.shared = database.dialect.name == "postgresql"
        self.generations.watch(GENERATION, self.keyring.load)

    def unit(self) -> UnitOfWork:
        """See `Store`."""
        return SqlUnit(self.audit, self.keyring)

    async def ping(self) -> float | None:
        """See `Store`."""
        if self._database.dialect.name != "postgresql":
            await self._database.read(lambda connection: connection.exec_driver_sql("SELECT 1").close())
            return None
        query = sa.text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
        return await self._database.read(lambda connection: float(connection.execute(query).scalar_one()))

    async def close(self) -> None:
        """See `Store`."""
        await self.audit.settle()
        self._database.dispose()


def open_store(
    url: str, *, secret: bytes, node: str, clock: Callable[[], float] = time.time, witness: Path | None = None
) -> SqlStore:
    """Open the store at an SQLAlchemy URL (`sqlite:////var/lib/isthmus/relay.db`), migrating it where needed.

    secret: 32 bytes that open the keyring; node: this node's name; clock: Unix seconds. witness: a file that is there only
    where something was written to this database.
    Blocks. Raises StoreUnavailable, StoreTooNew, StoreEmptied, KeysUnreadable.
    """
    witnessed = witness is not None and witness.exists()
    database = Database.open(url, str(witness) if witnessed else "")
    try:
        return SqlStore(database, secret=secret, node=node, clock=clock)
    except BaseException:
        database.dispose()
        raise
