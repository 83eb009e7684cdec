"""What an administrator can do, whether the relay runs or not. Every act is in the audit trail."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import BinaryIO, Protocol, Unpack

from certs import EnrolmentToken, check_name
from gateway.protocol import AccountId
from gateway.relay.administration.people import RECENT, account_of, accounts_of, guid_of
from gateway.relay.administration.session_ends import SessionEnds
from gateway.relay.administration.views import (
    API_KEY_PREFIX,
    AgentView,
    ApiKeyView,
    AuditReportView,
    AuditView,
    AuditWanted,
    BindingView,
    KeysView,
    LockoutView,
    PersonView,
    RebindingView,
    RemovalView,
    SessionsEndedView,
    TokenView,
    api_key_view,
    audit_report_view,
    audit_view,
    binding_view,
    ended_detail,
    person_view,
)
from gateway.relay.agents import FRESH, REST, AgentRegistry, fold_domain
from gateway.relay.errors import AuditReplaced, UnknownAgent
from gateway.store import (
    ApiKeyRecord,
    AuditEvent,
    AuditHeads,
    ExportEnd,
    ExportForm,
    Store,
    TokenRecord,
    TrailExport,
    check_export,
)

Live = Callable[[], dict[str, AgentView]]
"""What the running relay knows of its connections, by agent name."""


Unlock = Callable[[Sequence[str], Sequence[AccountId]], Awaitable[bool]]
"""Forgets what is counted against user names and accounts; False where nothing was."""

API_KEY_SCOPES = ("check", "change")
"""What an API key may be for: checks of a credential, changes of a password."""
API_KEY_RATE = 600.0
"""Checks and changes a minute that an API key is good for, unless said otherwise."""
API_KEY_RATE_MOST = 1_000_000
_SEPARATORS = re.compile(r"\s*([,=+])\s*")
"""Of a naming context, which agents tell in lower case and without blanks around these."""


class HeldLock(Protocol):
    """What admission tells of a lock; names are not kept there."""

    @property
    def familiar(self) -> bool:
        """For places that the person signed in from before, or for all others."""
        ...

    @property
    def until(self) -> float:
        """Unix seconds."""
        ...

    @property
    def locks(self) -> int:
        """In a row."""
        ...

    @property
    def failures(self) -> int:
        """Different wrong passwords."""
        ...

    @property
    def correlation_id(self) -> str:
        """Of the attempt that failed last."""
        ...


async def _nothing_counted(_user_names: Sequence[str], _accounts: Sequence[AccountId]) -> bool:
    return False


async def _nobody_locked() -> Sequence[HeldLock]:
    return ()


async def _nothing() -> None:
    pass


class Administration:
    """The acts. relay_url and authority_fingerprint go into tokens; the hooks reach the running relay, if there is one."""

    def __init__(
        self,
        store: Store,
        registry: AgentRegistry,
        *,
        relay_url: str,
        authority_fingerprint: str,
        token_lifetime: float,
        heads: AuditHeads,
        sessions: SessionEnds,
        clock: Callable[[], float],
        live: Live = dict,
        disconnect: Callable[[str, str], int] = lambda _name, _why: 0,
        unlock: Unlock = _nothing_counted,
        locks: Callable[[], Awaitable[Sequence[HeldLock]]] = _nobody_locked,
        forget_api_key: Callable[[str], None] = lambda _key_id: None,
        load_bindings: Callable[[], Awaitable[None]] = _nothing,
        flush_refusals: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._store, self._registry, self._clock = store, registry, clock
        self._relay_url, self._fingerprint, self._token_lifetime = relay_url, authority_fingerprint, token_lifetime
        self._live, self._disconnect, self._unlock, self._forget = live, disconnect, unlock, forget_api_key
        self._locks, self._heads, self._load_bindings, self._sessions = locks, heads, load_bindings, sessions
        self._flush_refusals = flush_refusals

    async def create_token(
        self, name: str, actor: str, domains: Sequence[str] = (), *, any_domain: bool = False
    ) -> TokenView:
        """Make an enrolment token. domains: what the agent may answer for; any_domain: whatever it claims, instead.

        Raises ValueError for a name that no machine may bear, for what is not a domain, and without either.
        """
        if bool(domains) == any_domain:
            raise ValueError("say which domains the agent may answer for, or that it may answer for any: not both")
        allowed = None if any_domain else tuple(dict.fromkeys(map(check_domain, domains)))
        now = self._clock()
        token = EnrolmentToken.create(
            name=check_name(name),
            relay_url=self._relay_url,
            authority_fingerprint=self._fingerprint,
            now=now,
            lifetime=self._token_lifetime,
            domains=allowed,
        )
        await self._store.tokens.add(
            TokenRecord(id=token.id, key=token.key, name=name, allowed=allowed, expires_at=token.expires_at)
        )
        await self._record("admin.token_created", actor, name, "any domain" if allowed is None else " ".join(allowed))
        return TokenView(name=name, text=token.text, expires_at=token.expires_at)

    async def agents(self) -> list[AgentView]:
        """Every agent, with its newest certificate."""
        newest: dict[str, AgentView] = {}
        for record in await self._store.agents.all():
            before = newest.get(record.name)
            newest[record.name] = view = AgentView(
                name=record.name,
                serial=record.serial,
                not_after=record.not_after,
                revoked_at=record.revoked_at,
                revoked_why=record.revoked_why,
                seen_at=record.seen_at,
                software=record.software,
                domains=record.domains,
                any_domain=record.allowed is None,
                address=record.address,
            )
            if before is not None and (before.seen_at or 0.0) > (view.seen_at or 0.0):  # the new one was not used yet
                view.seen_at, view.address = before.seen_at, before.address
                view.software, view.domains = before.software, before.domains
        for name, live in self._live().items():
            if name in newest:
                known = newest[name]
                live.serial, live.not_after, live.any_domain = known.serial, known.not_after, known.any_domain
                live.revoked_at, live.revoked_why, live.seen_at = known.revoked_at, known.revoked_why, self._clock()
                newest[name] = live
        for name, nodes in (await self._nodes()).items():
            if name in newest:
                newest[name].nodes = nodes
        return [newest[name] for name in sorted(newest)]

    async def _nodes(self) -> dict[str, tuple[str, ...]]:
        """Where agents are connected: here by what is known here, elsewhere by what those nodes have told lately."""
        if not self._store.shared:
            return {}
        own = self._store.node
        nodes = {name: [own] for name in self._live()}
        for found in await self._store.presence.present(self._clock() - FRESH):
            if found.node != own:
                nodes.setdefault(found.agent, []).append(found.node)
        return {name: tuple(sorted(there)) for name, there in nodes.items()}

    async def revoke(self, name: str, why: str, actor: str) -> int:
        """Revoke an agent and end its connections immediately; returns how many there were.

        Raises UnknownAgent; StoreError where it could not be written, although the running relay lets nobody in again.
        """
        if name not in self._registry.names():
            await self._registry.load()
        if name not in self._registry.names():
            raise UnknownAgent(name)
        ended = self._disconnect(name, why)  # no await before the registry knows: it cannot come back between
        await self._registry.revoke(name, self._clock(), why)
        await self._record("agent.revoked", actor, name, why)
        return ended

    async def bindings(self) -> list[BindingView]:
        """Every domain that is bound to a directory."""
        return [binding_view(binding) for binding in await self._store.bindings.all()]

    async def bind(self, domain: str, directory: str, actor: str) -> RebindingView:
        """Bind a domain to a directory, in force immediately; what it was bound to before, and whose sessions ended.

        directory: what the directory says of itself. Raises ValueError for what is not a domain; StoreFull.
        """
        domain, directory = check_domain(domain), guid_of(directory) or _SEPARATORS.sub(r"\1", directory.strip()).lower()
        before = await self._store.bindings.replace(domain, directory, by=actor, now=self._clock())
        ended = await self._enforce(before)
        await self._record(
            "admin.directory_bound",
            actor,
            domain,
            directory if before is None else f"{directory} instead of {before}",
            ended,
        )
        return RebindingView(
            domain=domain,
            directory=directory,
            before=before,
            sessions=ended.sessions,
            grants=ended.grants,
            departures=ended.departures,
        )

    async def unbind(self, domain: str, actor: str) -> RebindingView:
        """Forget which directory a domain is bound to: the next answer about its people binds it anew."""
        domain = check_domain(domain)
        before = await self._store.bindings.forget(domain)
        ended = await self._enforce(before)
        if before is not None:
            await self._record("admin.directory_unbound", actor, domain, before, ended)
        return RebindingView(
            domain=domain, before=before, sessions=ended.sessions, grants=ended.grants, departures=ended.departures
        )

    async def _enforce(self, before: str | None) -> SessionsEndedView:
        """A binding has changed. Nobody knows who spoke for the directory before: sessions of its people end, and grants."""
        await self._load_bindings()
        return SessionsEndedView() if before is None else await self._sessions.of_directory(before)

    async def unlock(self, user: str, actor: str) -> bool:
        """Forget the wrong passwords that smart lockout counted; False where it had counted none.

        user: any spelling of a user name, or the objectGUID or entryUUID of an account.
        """
        accounts = await accounts_of(self._store.audit, user)
        found = await self._unlock([user], accounts)
        # a GUID in one form, so that the entry is found when the person is removed
        await self._record("admin.unlock", actor, guid_of(user) or user, "was counted" if found else "nothing was counted")
        return found

    async def export_person(self, user: str, actor: str) -> PersonView:
        """All that is kept of a person. user: as for `pseudonymise_person`. Raises UnknownPerson, AmbiguousPerson."""
        account = await account_of(self._store.audit, user)
        await self._flush_refusals()
        now = self._clock()
        view = person_view(
            account,
            await self._store.sessions.of_user(account, now),
            await self._store.grants.of_account(account, now),
            await self._store.consents.of_account(account),
            await self._store.audit.person_entries(account),
        )
        await self._record("admin.person_exported", actor, account.object)
        return view

    async def pseudonymise_person(self, user: str, actor: str) -> RemovalView:
        """Remove what is kept of a person: sessions with the applications in them, grants, consents, and what entries of the
        trail say of the person.

        The entry about it names those entries, and nobody: which ones are of one person stays known, whose is not.
        user: a name exactly as it was typed at a sign-in that succeeded, or the objectGUID or entryUUID of the account.
        May be done again. Raises UnknownPerson, AmbiguousPerson; StoreError: then something may be left.
        """
        account = await account_of(self._store.audit, user)
        ended = await self._sessions.of_account(account)  # first: the trail tells whose they are
        consents = await self._store.consents.remove_of_account(account)
        await self._flush_refusals()  # what is counted but not written yet has names, too
        if ended.sessions or ended.grants:
            await self._record("admin.sessions_revoked", actor, "", "", ended, "removed person")
        entries = await self._store.audit.remove_person(account, self._clock(), actor)
        return RemovalView(
            sessions=ended.sessions,
            grants=ended.grants,
            consents=consents,
            departures=ended.departures,
            entries=entries,
        )

    async def locks(self) -> list[LockoutView]:
        """What smart lockout has locked now, those that last longest first. Who that is, the trail knows."""
        locks = sorted(await self._locks(), key=lambda lock: lock.until, reverse=True)
        return [await self._lockout_view(lock) for lock in locks[:RECENT]]

    async def _lockout_view(self, lock: HeldLock) -> LockoutView:
        view = LockoutView(familiar=lock.familiar, until=lock.until, locks=lock.locks, failures=lock.failures)
        if not lock.correlation_id:
            return view
        for entry in await self._store.audit.entries(correlation_id=lock.correlation_id, limit=1):
            event = entry.event
            view.user, view.address, view.time = event.subject, event.address, event.time
            accounts = [event.account] if event.account else await accounts_of(self._store.audit, event.subject)
            if len(accounts) == 1:
                view.directory, view.account = accounts[0]
        return view

    async def create_api_key(
        self,
        name: str,
        lifetime: float | None,
        actor: str,
        *,
        scopes: Sequence[str] = ("check",),
        networks: Sequence[str] = (),
        rate: float = API_KEY_RATE,
    ) -> ApiKeyView:
        """Make an API key; its secret is in the answer and nowhere else.

        scopes: `check`, `change`. networks: where it may be used from, in CIDR notation; none: anywhere. rate: checks and
        changes a minute. Raises ValueError for what is none of these, and for a blank name.
        """
        if not name.strip():
            raise ValueError("an API key needs a name: what it is for")
        now = self._clock()
        key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        record = ApiKeyRecord(
            id=key_id,
            digest=hashlib.sha256(secret.encode()).digest(),
            name=name,
            scopes=_scopes(scopes),
            networks=tuple(map(_network, networks)),
            rate=_rate(rate),
            created_at=now,
            expires_at=now + lifetime if lifetime is not None else None,
        )
        await self._store.api_keys.add(record)
        where = ", ".join(record.networks) or "anywhere"
        limits = f"{', '.join(record.scopes)}; from {where}; {record.rate:g} a minute"
        await self._record("admin.api_key_created", actor, name, f"{key_id}: {limits}")
        view = api_key_view(record)
        view.secret = f"{API_KEY_PREFIX}{key_id}_{secret}"
        return view

    async def api_keys(self) -> list[ApiKeyView]:
        """Every API key, without secrets."""
        return [api_key_view(record) for record in await self._store.api_keys.all()]

    async def revoke_api_key(self, key_id: str, actor: str) -> bool:
        """Revoke an API key, in force immediately; False where there is no such live key."""
        revoked = await self._store.api_keys.revoke(key_id, self._clock())
        self._forget(key_id)
        if revoked:
            await self._record("admin.api_key_revoked", actor, key_id)
        return revoked

    async def audit(self, **wanted: Unpack[AuditWanted]) -> list[AuditView]:
        """The trail, newest first. Raises ValueError where there is no entry `before`."""
        person = wanted.get("person", "")
        people = await self._people_of(person) if person else []
        entries = await self._store.audit.entries(
            limit=wanted.get("limit", 50),
            before=wanted.get("before") or "",
            kind=wanted.get("kind", ""),
            # a name that no directory has ever confirmed is nobody's: what was typed exactly so
            subject=person if person and not people else wanted.get("subject", ""),
            agent=wanted.get("agent", ""),
            outcome=wanted.get("outcome", ""),
            correlation_id=wanted.get("correlation_id", ""),
            since=wanted.get("since"),
            until=wanted.get("until"),
            people=people,
        )
        return [audit_view(entry) for entry in entries]

    async def _people_of(self, person: str) -> list[AccountId]:
        guid = guid_of(person)
        return await (self._store.audit.accounts(guid) if guid else self._store.audit.accounts_named(person))

    async def verify_audit(self, progress: Callable[[int, int], None] | None = None) -> AuditReportView:
        """Check the whole trail, and that it holds what its witness says. Raises AuditBroken."""
        return audit_report_view(*await self._heads.verify(progress))

    async def export_audit(
        self,
        file: BinaryIO,
        form: ExportForm,
        since: float | None,
        until: float | None,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Write the trail, or a part of it, into a file while it is checked; returns how many entries those are.

        since, until: Unix seconds. Raises AuditBroken, and what the file raises: then what is written is no export.
        """
        export = TrailExport(file, form, self._store.keyring, since, until)
        report, _ = await self._heads.verify(progress, export.take)
        export.end(report, self._clock())
        return export.entries

    async def check_export(self, file: BinaryIO) -> ExportEnd:
        """Whether an export is what a relay with these keys wrote; its last line. Raises ExportBroken."""
        return await asyncio.to_thread(check_export, file, self._store.keyring)

    async def record_export(self, file: str, what: str, actor: str) -> None:
        """The trail was exported: what it says of people is in a file now. what: how much of it."""
        await self._record("admin.audit_exported", actor, file, what)

    async def accept_audit(self, why: str, actor: str) -> int:
        """Take the trail's ends as they are now, after a backup was put back; returns how many chains that concerns.

        Raises NothingToAccept.
        """
        event = AuditEvent(time=self._clock(), kind="admin.audit_accepted", actor=actor, detail={"detail": why})
        return await self._heads.accept(event)

    async def check_noted(self, chain: int, seq: int, digest: str) -> None:
        """Whether the trail still holds the entry that was noted elsewhere: its chain, its number and its hash, hex.

        For who has no confidence in the witness on this machine. Raises AuditReplaced.
        """
        entry = await self._store.audit.entry(chain, seq)
        anchor = (await self._store.audit.anchors()).get(chain)
        if entry is None and anchor is not None and seq < anchor.seq:
            raise ValueError(f"entry {chain}-{seq} was pruned for its age: compare with a head that was noted later")
        there = entry.hash if entry is not None else anchor.hash if anchor is not None and anchor.seq == seq else ""
        if there != digest.lower():
            raise AuditReplaced(chain, seq)

    async def record_backup(self, file: str, actor: str) -> None:
        """A backup was made: all keys are in it, so that who made it, and where, is in the trail."""
        await self._record("admin.backed_up", actor, file)

    async def roll_keys(self, actor: str) -> KeysView:
        """Make new keys for all uses of the keyring. Raises KeyTooFresh where the last ones are not in use yet."""
        root = await self._store.keyring.roll()
        await self._record("admin.keys_rolled", actor, root.id)
        return KeysView(id=root.id, active_from=root.active_from)

    async def _record(
        self, kind: str, actor: str, subject: str, detail: str = "", ended: SessionsEndedView | None = None, of: str = ""
    ) -> None:
        """ended: what came of sessions by the act; of: whose they were, where the subject does not say."""
        extra = {"detail": detail} if detail else {}
        if of:
            extra["of"] = of
        if ended is not None and (ended.sessions or ended.grants):
            extra |= ended_detail(ended)
        event = AuditEvent(time=self._clock(), kind=kind, actor=actor, subject=subject, detail=extra)
        await self._store.audit.append(event)


def _scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    if not scopes or not set(scopes) <= set(API_KEY_SCOPES):
        raise ValueError(
            f"an API key is for {' or '.join(API_KEY_SCOPES)}, or both, not for {', '.join(scopes) or 'nothing'}"
        )
    return tuple(scope for scope in API_KEY_SCOPES if scope in scopes)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError:
        try:
            whole = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            expected = "neither an address (192.0.2.7) nor a network (10.1.0.0/16, 2001:db8::/32)"
            raise ValueError(f"{text!r} is {expected}") from None
        raise ValueError(f"{text!r} is not a network: give {whole} for all of it, or the address alone") from None


def _rate(rate: float) -> float:
    if not 1 <= rate <= API_KEY_RATE_MOST:
        raise ValueError(f"the rate of an API key is 1 to {API_KEY_RATE_MOST} a minute, not {rate:g}")
    return rate


def check_domain(text: str) -> str:
    """A domain as agents claim it: UPN suffix or NetBIOS name, lower case, or `*`. Raises ValueError for what is none."""
    domain = fold_domain(text)
    if domain == REST or (domain.isprintable() and re.fullmatch(r"[^\s@\\/*,;:\"'<>|]{1,253}", domain)):
        return domain
    raise ValueError(f"{text!r} is not a domain: give a UPN suffix (corp.example.com), a NetBIOS name (CORP) or *")
