"""What an application would be told of a person now, and why: asked of the directory, without a password.

trust ─► the person's last sign-in, where it still lasts ─► look-up at the agents ─► access ─► policy ─► name identifier
                     │                                          │ nobody knows                 ▲
                     └──────────────────────────────────────────┴─► as of that sign-in ────────┘

What changed since the last sign-in is told from what that sign-in still keeps (a session, or a grant), judged by the policy
of today: the trail has no values to compare with.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from gateway.federation.claims import (
    ClaimsSubject,
    ClaimStep,
    IssuedClaims,
    NameUnavailable,
    difference,
    explain,
    issue_claims,
    name_id,
    subject_of,
    wanted_attributes,
)
from gateway.federation.oidc import kept_identity, sector_of
from gateway.federation.trusts import Trust, TrustRegistry, UnknownTrust, check_access
from gateway.protocol import AccountId, Identity
from gateway.relay import ActRefused, LookedUp, LookUps, PersonQuestion, PersonState
from gateway.signin import Session
from gateway.store import AuditEntry, AuditEvent, SessionRecord, Store

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RECENT: Final = 5
"""Sign-ins of the trail that tell which agents know the person."""
_EACH_TIME: Final = "(new at each sign-in)"

REASONS: Final[Mapping[str, str]] = {
    "not_mine": "no agent has checked this user's password in the last 30 days; sign in once, or set `any_person = true` in"
    " an agent's settings",
    "limit": "the agents have answered as many look-ups as their `lookups_per_minute` allows; try again in a minute",
    "no_agent": "no agent is connected that can look up users of this domain; see `isthmus relay agents`",
    "no_directory": "the agent cannot reach its directory; see `isthmus relay check`",
    "timed_out": "the directory did not answer in time",
    "busy": "the agents are busy; try again",
    "not_believed": "an agent answered for a domain that is not its own; see the relay's log",
}
"""Why nobody knows, and what to do."""


class ClaimsPreviewView(msgspec.Struct, kw_only=True):
    """What would be issued. Times are Unix seconds."""

    trust: str
    name: str
    protocol: str
    user: str
    source: Literal["directory", "last sign-in"]
    """What the claims were made from."""
    agent: str = ""
    """Who looked the person up."""
    state: str
    """Of the account: `live`, `disabled`, …; `unchecked` where no agent could say."""
    why: str = ""
    """Of `unchecked`: the reason."""
    access: str = ""
    """Why the person may not use the application; empty: they may."""
    refused: str = ""
    """Why the policy allows no sign-in; empty: it does."""
    subject: str
    name_id: str = ""
    """SAML; what the application would be told as NameID."""
    name_id_format: str = ""
    """Of the NameID, a URN."""
    name_id_problem: str = ""
    values: dict[str, Any]
    steps: tuple[ClaimStep, ...]
    lines: list[str]
    withheld: tuple[str, ...] = ()
    """Attributes that the trust wants and the agent's settings do not let out."""
    absent: tuple[str, ...] = ()
    """Attributes that the trust wants and this person has not."""
    last_sign_in: float = 0.0
    """Of the sign-in that was compared with; 0: none lasts."""
    changes: list[str] = []
    """Since then: `+` new, `-` gone."""
    trust_changed_at: float = 0.0
    """When the trust was changed after that sign-in; 0: it was not."""


class Remembered(NamedTuple):
    """What a sign-in that still lasts knows of a person."""

    identity: Identity
    at: float
    address: str


class ClaimsPreview:
    """read: what the store keeps of a session, as one. secret: of subjects of our own. clock: Unix seconds."""

    def __init__(
        self,
        store: Store,
        trusts: TrustRegistry,
        lookups: LookUps,
        read: Callable[[SessionRecord], Session],
        *,
        issuer: str,
        secret: bytes,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._trusts, self._lookups, self._read = store, trusts, lookups, read
        self._issuer, self._secret, self._clock = issuer, secret, clock

    async def show(
        self, trust_id: str, user: str, actor: str, *, scopes: frozenset[str] | None = None, address: str = ""
    ) -> ClaimsPreviewView:
        """The preview; the trail says who looked at whom. scopes: OpenID Connect, those granted; None: all of the trust.

        address: of the client, for conditions on it; empty: that of the last sign-in.

        Raises UnknownTrust, ActRefused, StoreError.
        """
        trust = await self._trust(trust_id)
        _check_question(trust, scopes, address)
        granted = frozenset(trust.oidc.scopes) if scopes is None else scopes & frozenset(trust.oidc.scopes)
        entries = await self._sign_ins(user)
        wanted = wanted_attributes(trust.claims, trust.protocol, granted)
        found = await self._lookups.look_up(_question(user, entries, wanted))
        account = found.identity.account if found.identity is not None else _account(entries)
        last = await self._last(trust, account)
        identity = found.identity or (last.identity if last is not None else None)
        if identity is None:
            raise ActRefused(_unknown(user, found))
        client = address or (last.address if last is not None else "")
        await self._record(trust, identity, actor)
        issued = self._issue(trust, subject_of(identity, client), granted)
        view = self._view(trust, found, identity, issued, client)
        if found.identity is not None:
            view.absent = _absent(wanted, found)
        if last is not None:
            before = self._issue(trust, subject_of(last.identity, client), granted)
            view.last_sign_in, view.changes = last.at, difference(before, issued)
            changed_at = self._trusts.records[trust_id].changed_at
            view.trust_changed_at = changed_at if changed_at > last.at else 0.0
        return view

    async def _trust(self, trust_id: str) -> Trust:
        """A disabled one, too: somebody may be about to enable it."""
        await self._trusts.load()
        parsed = self._trusts.parsed.get(trust_id)
        if parsed is None:
            raise UnknownTrust(trust_id)
        if parsed.trust is None:
            raise ActRefused(f"the trust {trust_id!r} cannot be read: {parsed.problem}")
        return parsed.trust

    async def _sign_ins(self, user: str) -> list[AuditEntry]:
        """The newest successes under a name, or of an objectGUID."""
        audit = self._store.audit
        if not _GUID.fullmatch(user):
            return await audit.entries(kind="signin", subject=user, outcome="success", limit=_RECENT)
        accounts = await audit.accounts(user)
        return await audit.last_signins(accounts[0], _RECENT) if len(accounts) == 1 else []

    async def _last(self, trust: Trust, account: AccountId | None) -> Remembered | None:
        """The newest sign-in that a session or a grant of the trust still keeps."""
        if account is None:
            return None
        now = self._clock()
        sessions = [self._read(record) for record in await self._store.sessions.of_user(account, now)]
        grants = [grant for grant in await self._store.grants.of_account(account, now) if grant.trust == trust.id]
        found = [Remembered(session.identity, session.auth_time, session.record.address) for session in sessions]
        found += [Remembered(*kept) for grant in grants if (kept := kept_identity(grant.details)) is not None]
        return max(found, key=lambda one: one.at, default=None)

    def _issue(self, trust: Trust, subject: ClaimsSubject, scopes: frozenset[str]) -> IssuedClaims:
        return issue_claims(
            trust.claims,
            subject,
            protocol=trust.protocol,
            scopes=scopes,
            allowed=frozenset(trust.oidc.scopes),
            secret=self._secret,
            trust=trust.id,
            sector=sector_of(trust) if trust.protocol == "oidc" else "",
        )

    def _view(
        self, trust: Trust, found: LookedUp, identity: Identity, issued: IssuedClaims, address: str
    ) -> ClaimsPreviewView:
        subject = subject_of(identity, address)
        refusal = check_access(trust, subject, address)
        name, problem = self._name(trust, subject, issued)
        return ClaimsPreviewView(
            trust=trust.id,
            name=trust.name,
            protocol=trust.protocol,
            user=identity.user_name,
            source="directory" if found.identity is not None else "last sign-in",
            agent=found.agent,
            state=found.state.value,
            why=REASONS.get(found.why, found.why),
            access=refusal.reason if refusal is not None else "",
            refused=issued.refused,
            subject=issued.subject,
            name_id=name,
            name_id_format=trust.saml.name_id_format if name else "",
            name_id_problem=problem,
            values=dict(issued.values),
            steps=issued.steps,
            lines=explain(issued),
            withheld=found.withheld,
        )

    def _name(self, trust: Trust, subject: ClaimsSubject, issued: IssuedClaims) -> tuple[str, str]:
        """The NameID of the trust's own format, or why there is none."""
        if trust.protocol != "saml":
            return "", ""
        try:
            name = name_id(
                trust.claims,
                subject,
                issued.subject,
                format=trust.saml.name_id_format,
                issuer=self._issuer,
                party=trust.saml.entity_id,
                fresh=_EACH_TIME,
                escape_plus=trust.switches.get("escape_plus", False),
            )
        except NameUnavailable as error:
            return "", str(error)
        return name.value, ""

    async def _record(self, trust: Trust, identity: Identity, actor: str) -> None:
        event = AuditEvent(
            time=self._clock(),
            kind="admin.claims_shown",
            actor=actor,
            subject=identity.user_name,
            account=identity.account,
            detail={"trust": trust.id},
        )
        await self._store.audit.append(event)


def _check_question(trust: Trust, scopes: frozenset[str] | None, address: str) -> None:
    """Raises ActRefused for what would be answered as if it had not been asked."""
    known = trust.oidc.scopes if trust.protocol == "oidc" else ()
    if unknown := sorted((scopes or frozenset()) - frozenset(known)):
        told = f"it has {', '.join(known)}" if known else "SAML has no scopes"
        raise ActRefused(f"the trust {trust.id!r} has no scope {unknown[0]!r}; {told}")
    try:
        ipaddress.ip_address(address or "::")
    except ValueError:
        raise ActRefused(f"{address!r} is not an IP address") from None


def _question(user: str, entries: list[AuditEntry], wanted: frozenset[str]) -> PersonQuestion:
    """Those who checked the password know the person."""
    agents = tuple(dict.fromkeys(entry.event.agent for entry in entries if entry.event.agent))
    attributes = tuple(sorted(wanted))
    account = _account(entries)
    if not _GUID.fullmatch(user):
        return PersonQuestion(user_name=user, attributes=attributes, agents=agents, max_age=0.0)
    if account is None:
        raise ActRefused(f"the audit trail knows no user with the objectGUID {user}; give the user name")
    domain = entries[0].event.subject.rpartition("@")[2]
    return PersonQuestion(account=account, domain=domain, attributes=attributes, agents=agents, max_age=0.0)


def _account(entries: list[AuditEntry]) -> AccountId | None:
    return next((entry.event.account for entry in entries if entry.event.account is not None), None)


def _absent(wanted: frozenset[str], found: LookedUp) -> tuple[str, ...]:
    """Names of attributes are equal whatever their case."""
    sent = {name.lower() for name in found.identity.attributes} if found.identity is not None else set()
    sent |= {name.lower() for name in found.withheld}
    return tuple(sorted(name for name in wanted if name.lower() not in sent))


def _unknown(user: str, found: LookedUp) -> str:
    if found.state is PersonState.GONE:
        return f"the directory has no user {user}"
    return f"nobody can say who {user} is: {REASONS.get(found.why, found.why)}"
