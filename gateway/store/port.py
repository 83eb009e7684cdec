"""The ports: what other packages may ask of the store, and the records that pass. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that happened. Stored as JSON with these names: fields may be added, none may be renamed."""

    time: float
    kind: str
    """`signin`, `password_change`, `agent.enrolled`, `agent.revoked`, `admin.unlock`, …"""
    actor: str = ""
    """Who did it: `page`, `api:<name>`, `admin:<unix user>`, `relay`."""
    subject: str = ""
    """To whom or what: the user name as typed, the agent's name."""
    object_guid: str = ""
    """The person's objectGUID, where the directory said who it is."""
    outcome: str = ""
    """`gateway.protocol.Outcome`, or `refused_by_admission`; empty where it is no credential check."""
    address: str = ""
    """The client's IP address."""
    agent: str = ""
    """The agent that asked the directory."""
    correlation_id: str = ""
    """The same as in the logs of relay and agent."""
    via: str = ""
    """`page` or `api:<name of the key>`."""
    milliseconds: float = 0.0
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An event in its place in the chain."""

    seq: int
    event: AuditEvent
    hash: str
    """Hex; covers the event and the previous entry's hash."""


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
    allowed: tuple[str, ...] = ()
    """What it may claim, lower case; empty: anything."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """An enrolment token, without its secret."""

    id: str
    key: bytes = field(repr=False)
    """What both ends prove; see `certs.token`."""
    name: str
    allowed: tuple[str, ...] = ()
    """Domains that the agent may claim, lower case; empty: any."""
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyRecord:
    """An API key of a trusted back end, without its secret."""

    id: str
    digest: bytes = field(repr=False)
    """SHA-256 of the secret part."""
    name: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A browser session. The cookie holds the id; only its digest is kept."""

    digest: bytes = field(repr=False)
    object_guid: str
    identity: bytes = field(repr=False)
    """Whatever signin keeps of the person."""
    created_at: float
    seen_at: float
    expires_at: float
    address: str = ""
    user_agent: str = ""


class AuditLog(Protocol):
    """Append-only, in a hash chain."""

    @property
    def refusing(self) -> bool:
        """The last entry could not be written."""
        ...

    async def append(self, event: AuditEvent) -> None:
        """Add an event; returns when it is committed. Raises StoreUnavailable."""
        ...

    async def entries(
        self, *, limit: int = 100, before: int | None = None, kind: str = "", subject: str = ""
    ) -> list[AuditEntry]:
        """Newest first; `before` is a sequence number, `kind` and `subject` filter exactly."""
        ...

    async def last_signins(self, object_guid: str, limit: int = 10) -> list[AuditEntry]:
        """The latest sign-ins of one person, newest first."""
        ...

    async def verify(self, progress: Callable[[int, int], None] | None = None) -> AuditEntry | None:
        """Check the whole chain; returns its head. Raises AuditBroken at the first entry that does not hold."""
        ...


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


class TokenStore(Protocol):
    """Enrolment tokens: each good for once."""

    async def add(self, record: TokenRecord) -> None:
        """Keep a new one."""
        ...

    async def redeem(self, token_id: str, now: float) -> TokenRecord:
        """Spend it; of two who try in the same moment exactly one succeeds. Raises TokenSpent."""
        ...

    async def peek(self, token_id: str, now: float) -> TokenRecord:
        """Look at it without spending it. Raises TokenSpent."""
        ...


class ApiKeyStore(Protocol):
    """API keys of trusted back ends."""

    async def add(self, record: ApiKeyRecord) -> None:
        """Keep a new one."""
        ...

    async def get(self, key_id: str) -> ApiKeyRecord | None:
        """Look one up."""
        ...

    async def all(self) -> list[ApiKeyRecord]:
        """Every key, oldest first."""
        ...

    async def revoke(self, key_id: str, now: float) -> bool:
        """False where there is no such live key."""
        ...


class SessionStore(Protocol):
    """Browser sessions."""

    async def add(self, record: SessionRecord) -> None:
        """A person signed in."""
        ...

    async def get(self, digest: bytes, now: float) -> SessionRecord | None:
        """None where there is none or it has expired."""
        ...

    async def touch(self, digest: bytes, now: float, expires_at: float) -> None:
        """The person is still there."""
        ...

    async def delete(self, digest: bytes) -> None:
        """Sign out."""
        ...

    async def of_user(self, object_guid: str, now: float) -> list[SessionRecord]:
        """Live sessions of one person, newest first."""
        ...

    async def delete_of_user(self, object_guid: str, keep: bytes | None = None) -> int:
        """Sign out everywhere, but for the session with digest `keep`; returns how many ended."""
        ...

    async def purge(self, now: float) -> int:
        """Forget expired ones; returns how many."""
        ...


class Store(Protocol):
    """Everything that must last."""

    @property
    def audit(self) -> AuditLog:
        """What happened."""
        ...

    @property
    def agents(self) -> AgentStore:
        """Enrolled agents."""
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

    async def close(self) -> None:
        """Write what is pending and let go of the database."""
        ...


class Ephemeral(Protocol):
    """Short-lived state: sign-in transactions, counters. Keys and values are ours."""

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Keep for `ttl` seconds."""
        ...

    async def get(self, key: str) -> bytes | None:
        """None where there is none any more."""
        ...

    async def take(self, key: str) -> bytes | None:
        """Get and delete, in one step: of two takers one gets it."""
        ...

    async def increment(self, key: str, ttl: float) -> int:
        """Count; the count is forgotten `ttl` seconds after the first."""
        ...
