"""What an administrator is shown; over the control socket as JSON, with these names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

import msgspec

from findings import Finding
from gateway.protocol import AccountId
from gateway.relay.agents import AgentConnection
from gateway.store import (
    ApiKeyRecord,
    AuditEntry,
    AuditReport,
    ConsentRecord,
    DirectoryBinding,
    GrantRecord,
    SessionRecord,
    event_fields,
)

API_KEY_PREFIX = "isk_"
"""What an API key starts with, so that scanners of source code recognise one."""


class AgentView(msgspec.Struct, kw_only=True):
    """An agent as an administrator sees it. Times are Unix seconds."""

    name: str
    serial: str
    not_after: float
    revoked_at: float | None = None
    revoked_why: str = ""
    seen_at: float | None = None
    software: str = ""
    domains: tuple[str, ...] = ()
    any_domain: bool = False
    """It was enrolled to answer for whatever it claims."""
    address: str = ""
    connections: int = 0
    """Live ones of this node; 0 where the relay does not run."""
    nodes: tuple[str, ...] = ()
    """The relay nodes at which it is connected, where several share a database."""
    outstanding: int = 0
    latency_ms: float = 0.0
    clock_skew: float = 0.0
    directories: dict[str, str] = {}


class TokenView(msgspec.Struct, kw_only=True):
    """A new enrolment token; `text` is shown this once."""

    name: str
    text: str
    expires_at: float


class BindingView(msgspec.Struct, kw_only=True):
    """A domain and the directory that its people are in."""

    domain: str
    directory: str
    """What the directory says of itself. AD: objectGUID of the domain; LDAP: the naming context."""
    bound_at: float
    bound_by: str
    """The agent whose answer named it first, or the administrator."""


class DepartureView(msgspec.Struct, kw_only=True):
    """An application, and how many of its sessions' ends it was told of, could not be told of, or has no way to hear of."""

    application: str
    told: int = 0
    failed: int = 0
    no_way: int = 0


class SessionsEndedView(msgspec.Struct, kw_only=True):
    """Sessions that ended, and what ended with them."""

    sessions: int = 0
    grants: int = 0
    """Of applications."""
    departures: list[DepartureView] = msgspec.field(default_factory=list)
    """Applications that were signed in to, by name."""


_MOST_IN_TRAIL = 50
"""Applications that one entry of the trail names."""


def departure_detail(departures: Sequence[DepartureView]) -> dict[str, str]:
    """What came of applications whose sessions ended, for the trail; those first that may keep sessions of their own."""
    ranked = sorted(departures, key=lambda view: view.failed + view.no_way == 0)
    detail = {f"to {view.application}"[:100]: _in_words(view) for view in ranked[:_MOST_IN_TRAIL]}
    more = len(ranked) - _MOST_IN_TRAIL
    return {**detail, "further applications": str(more)} if more > 0 else detail


def ended_detail(ended: SessionsEndedView) -> dict[str, str]:
    """What ended, and what came of the applications, for the trail."""
    return {"sessions": str(ended.sessions), "grants": str(ended.grants), **departure_detail(ended.departures)}


def _in_words(view: DepartureView) -> str:
    counts = ((view.told, "told"), (view.failed, "not reached"), (view.no_way, "no way to tell it"))
    return ", ".join(f"{count} {word}" for count, word in counts if count)


class RebindingView(msgspec.Struct, kw_only=True):
    """A binding that an administrator changed."""

    domain: str
    directory: str | None = None
    """None: the domain is bound to none now."""
    before: str | None = None
    """None: it was bound to none before."""
    sessions: int
    """That were ended: those of the former directory's people."""
    grants: int = 0
    """Of applications, that were ended with their refresh tokens: of the same people."""
    departures: list[DepartureView] = msgspec.field(default_factory=list)
    """Applications that these people were signed in to, by name."""


class ApiKeyView(msgspec.Struct, kw_only=True):
    """An API key; `secret` is shown when it is made, never again."""

    id: str
    name: str
    scopes: tuple[str, ...]
    """`check`, `change`."""
    networks: tuple[str, ...]
    """Where it may be used from; empty: anywhere."""
    rate: float
    """Checks and changes a minute, at each relay node."""
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    secret: str = ""


class LockoutView(msgspec.Struct, kw_only=True):
    """Somebody whom smart lockout refuses now. Times are Unix seconds."""

    user: str = ""
    """As it was typed last, by the trail; empty where that does not have it any more."""
    directory: str = ""
    account: str = ""
    """objectGUID or entryUUID, where the trail knows whose name that is."""
    familiar: bool
    """For places that the person signed in from before, or for all others."""
    until: float
    locks: int
    """In a row; each is twice as long as the one before."""
    failures: int
    """Different wrong passwords."""
    time: float | None = None
    """Of the last wrong one."""
    address: str = ""
    """Where that came from."""


class SessionView(msgspec.Struct, kw_only=True):
    """A session of a person, without what proves it. Times are Unix seconds."""

    created_at: float
    seen_at: float
    expires_at: float
    address: str
    user_agent: str


class GrantView(msgspec.Struct, kw_only=True):
    """What an application was given for a person, without what proves it. Times are Unix seconds."""

    trust: str
    """Of the application."""
    created_at: float
    refreshed_at: float | None = None
    """None: it has not asked for new tokens since."""
    idle_at: float
    """When it ends unless it is used before."""
    expires_at: float
    offline: bool
    """Whether it outlives the person's session."""


class ConsentView(msgspec.Struct, kw_only=True):
    """What a person has agreed that an application may know."""

    trust: str
    scopes: list[str]
    at: float


class PersonView(msgspec.Struct, kw_only=True):
    """All that is kept of one person."""

    directory: str
    """What the directory says of itself."""
    object_guid: str
    sessions: list[SessionView]
    grants: list[GrantView] = msgspec.field(default_factory=list)
    consents: list[ConsentView] = msgspec.field(default_factory=list)
    entries: list[AuditView]
    """Of the audit trail, newest first."""


class RemovalView(msgspec.Struct, kw_only=True):
    """What of a person was removed."""

    sessions: int
    """That were ended."""
    grants: int = 0
    """Of applications, that were ended."""
    consents: int = 0
    departures: list[DepartureView] = msgspec.field(default_factory=list)
    """Applications that the person was signed in to, by name."""
    entries: int
    """Of the audit trail, that say nothing of the person any more."""


class AuditWanted(TypedDict, total=False):
    """Which entries of the audit trail; whatever is left out, all."""

    limit: int
    """At most; 50 unless given."""
    before: str | None
    """An entry's id: those that are older."""
    kind: str
    subject: str
    """A name exactly as it was typed."""
    person: str
    """A GUID, or any name of the account: all entries about it, whatever its name was."""
    agent: str
    outcome: str
    correlation_id: str
    since: float | None
    """Unix seconds."""
    until: float | None
    """Unix seconds, not included."""


class AuditView(msgspec.Struct, kw_only=True):
    """An entry of the audit trail."""

    id: str
    """`<chain>-<number>`."""
    hash: str
    time: float
    kind: str
    actor: str
    subject: str
    directory: str
    object_guid: str
    outcome: str
    address: str
    agent: str
    controller: str
    """host:port of the domain controller that answered."""
    correlation_id: str
    via: str
    milliseconds: float
    detail: dict[str, str]


class AuditReportView(msgspec.Struct, kw_only=True):
    """What a check of the audit trail found in order."""

    entries: int
    removed: int
    """Entries whose personal part was removed."""
    pruned: int
    """Entries that are gone because they were older than `keep_days`."""
    pruned_until: float | None
    """When the newest of them happened, Unix seconds."""
    heads: list[str]
    """Of each chain, `<chain>-<number>:<hash>`, as the log has them."""
    witnessed: int | None
    """Chains whose heads were compared with the witness of this machine; None where it has none."""


class KeysView(msgspec.Struct, kw_only=True):
    """The newest keys of the keyring."""

    id: str
    active_from: float
    """Unix seconds; until then the ones before are in use."""


class NodeHealthView(msgspec.Struct, kw_only=True):
    """How a running relay node is."""

    node: str
    software: str
    """Its version: the files may be newer than the process."""
    defect: str
    """Why it cannot serve, as `/healthz` says; empty where it can."""
    clock_skew: float | None
    """Seconds by which its clock is ahead of its database's; None where that has none of its own."""
    domains: dict[str, str]
    """What a sign-in can expect, by domain, as `/readyz` says: `ready`, or what stands in the way."""
    signing_keys: list[Finding] = []
    """How the keys stand that sign for applications; none of a relay without applications."""


class SignInView(msgspec.Struct, kw_only=True):
    """What came of an administrator's sign-in as a user, through a relay and an agent."""

    outcome: str
    """As in the audit trail."""
    detail: str = ""
    """What the agent said of it, for the operator."""
    agent: str = ""
    """Who was asked; empty where nobody was, or nobody answered."""
    controller: str = ""
    reference: str
    """The correlation id, which leads to the entry of the trail."""
    milliseconds: float
    retry_after: float = 0.0
    """Seconds until smart lockout or the throttle lets another attempt pass; 0 where they let this one."""
    user_name: str = ""
    """As the directory has it; like what follows, of a success only."""
    domain: str = ""
    groups: int = 0


def live_views(connections: Iterable[AgentConnection]) -> dict[str, AgentView]:
    """What is known of agents from their connections alone, by name."""
    views: dict[str, AgentView] = {}
    for connection in connections:
        opened = connection.opened
        if opened is None:
            continue
        view = views.setdefault(connection.name, AgentView(name=connection.name, serial="", not_after=0.0))
        view.connections += 1
        view.outstanding += connection.outstanding
        view.latency_ms = max(view.latency_ms, connection.latency * 1000)
        view.clock_skew = connection.clock_skew
        view.software, view.domains, view.address = opened.software, connection.domains, connection.address
        view.directories = connection.status
    return views


def api_key_view(record: ApiKeyRecord) -> ApiKeyView:
    """A key without its secret."""
    return ApiKeyView(
        id=record.id,
        name=record.name,
        scopes=record.scopes,
        networks=record.networks,
        rate=record.rate,
        created_at=record.created_at,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
    )


def person_view(
    account: AccountId,
    sessions: Sequence[SessionRecord],
    grants: Sequence[GrantRecord],
    consents: Sequence[ConsentRecord],
    entries: Sequence[AuditEntry],
) -> PersonView:
    """What is kept of a person, for that person."""
    return PersonView(
        directory=account.directory,
        object_guid=account.object,
        sessions=[
            SessionView(
                created_at=session.created_at,
                seen_at=session.seen_at,
                expires_at=session.expires_at,
                address=session.address,
                user_agent=session.user_agent,
            )
            for session in sessions
        ],
        grants=[_grant_view(grant) for grant in grants],
        consents=[ConsentView(trust=consent.trust, scopes=sorted(consent.scopes), at=consent.at) for consent in consents],
        entries=[audit_view(entry) for entry in entries],
    )


def _grant_view(record: GrantRecord) -> GrantView:
    return GrantView(
        trust=record.trust,
        created_at=record.created_at,
        refreshed_at=record.rotated_at or None,
        idle_at=record.idle_at,
        expires_at=record.expires_at,
        offline=not record.session,
    )


def binding_view(binding: DirectoryBinding) -> BindingView:
    """A binding for people and programs."""
    return BindingView(
        domain=binding.domain, directory=binding.directory, bound_at=binding.bound_at, bound_by=binding.bound_by
    )


def audit_view(entry: AuditEntry) -> AuditView:
    """An entry for people and programs."""
    return AuditView(id=entry.id, hash=entry.hash, **event_fields(entry.event))


def audit_report_view(report: AuditReport, witnessed: int | None) -> AuditReportView:
    """A report for people and programs. witnessed: see `AuditReportView`."""
    return AuditReportView(
        entries=report.entries,
        removed=report.removed,
        pruned=report.pruned,
        pruned_until=report.pruned_until,
        heads=[head.noted for head in report.heads if head.seq],
        witnessed=witnessed,
    )
