"""Administrative acts wherever the relay is: through the control socket of the running one, else on its store.

For whoever does not run inside the relay: commands, timers, another program on this machine.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, BinaryIO, TypeVar, Unpack

import msgspec

from findings import Finding
from foundation.actors import this_actor
from foundation.procedures import Plan, decode, encode
from gateway.app import open_relay_store
from gateway.federation import (
    ROLLOVER_STATES,
    ClaimsPreviewView,
    EvidenceView,
    IssuedSearch,
    KeyActs,
    Logos,
    LogoView,
    MetadataView,
    PutLogo,
    Ring,
    RingView,
    SessionActs,
    SessionEnding,
    SessionListView,
    SessionSelection,
    TrialActs,
    TrialAddressView,
    TrustActs,
    TrustChangeView,
    TrustRegistry,
    TrustView,
    UnreachedApplications,
    file_problems,
    key_context,
    put_logo,
)
from gateway.keys import RelayKeys, load_keys
from gateway.relay import (
    ANSWER_TIMEOUT,
    API_KEY_RATE,
    SOCKET_NAME,
    Administration,
    AgentRegistry,
    AgentView,
    ApiKeyView,
    AuditReportView,
    AuditView,
    AuditWanted,
    BindingView,
    KeysView,
    Lockouts,
    LockoutView,
    NodeHealthView,
    NotPermitted,
    PersonView,
    RebindingView,
    RelayAbsent,
    RemovalView,
    SessionsEndedView,
    SignInView,
    TokenView,
    ask_relay,
)
from gateway.settings import ServerSettings
from gateway.signin import Sessions
from gateway.store import AuditHeads, ExportEnd, ExportForm, Store, StoreError

T = TypeVar("T")

_TELLING = 900.0
"""Seconds in which a relay has told applications of the end of all its sessions, or given them up."""


class Administrator:
    """The acts of `Administration`. Whoever runs this process stands in the audit trail (`foundation.actors`).

    without_relay: called before an act that is done on the store because no relay runs. before_store: called before the
    store's files are opened; root can become their owner there, and has spoken to the running relay as root.

    Every act raises RelayError (RelayUnresponsive where nobody knows what came of it, NotPermitted), StoreError,
    CertsError, ServerError or ValueError; the text is for the administrator.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        without_relay: Callable[[], None] = lambda: None,
        before_store: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings, self._without_relay, self._before_store = settings, without_relay, before_store
        self._actor = f"admin:{this_actor()}"
        """Of what is done on the store; a running relay sees for itself who asks."""
        self.reached_relay = False
        """Whether the last act was the running relay's; otherwise it was done on the store."""

    async def create_token(self, name: str, domains: Sequence[str] = (), *, any_domain: bool = False) -> TokenView:
        """An enrolment token. domains: what the agent may answer for; any_domain: whatever it claims, instead."""
        return await self._do(
            "create_token",
            TokenView,
            lambda acts: acts.create_token(name, self._actor, domains, any_domain=any_domain),
            name=name,
            domains=domains,
            any_domain=any_domain,
        )

    async def bindings(self) -> list[BindingView]:
        """Every domain that is bound to a directory."""
        return await self._do("bindings", list[BindingView], lambda acts: acts.bindings())

    async def bind(self, domain: str, directory: str) -> RebindingView:
        """Bind a domain to a directory; what it was bound to before. directory: what it says of itself."""
        return await self._do(
            "bind",
            RebindingView,
            lambda acts: acts.bind(domain, directory, self._actor),
            domain=domain,
            directory=directory,
        )

    async def unbind(self, domain: str) -> RebindingView:
        """Forget which directory a domain is bound to."""
        return await self._do("unbind", RebindingView, lambda acts: acts.unbind(domain, self._actor), domain=domain)

    async def agents(self) -> list[AgentView]:
        """Every agent; live figures where the relay runs."""
        return await self._do("agents", list[AgentView], lambda acts: acts.agents())

    async def revoke(self, name: str, why: str) -> int:
        """Revoke an agent; live connections that ended."""
        return await self._do("revoke", int, lambda acts: acts.revoke(name, why, self._actor), name=name, why=why)

    async def unlock(self, user: str) -> bool:
        """Forget what smart lockout counted. user: any spelling, or a GUID."""
        return await self._do("unlock", bool, lambda acts: acts.unlock(user, self._actor), user=user)

    async def export_person(self, user: str) -> PersonView:
        """All that is kept of a person. user: a name exactly as it was recorded, or a GUID."""
        return await self._do("export_person", PersonView, lambda acts: acts.export_person(user, self._actor), user=user)

    async def pseudonymise_person(self, user: str) -> RemovalView:
        """Remove what is kept of a person, and have the trail name the entries. user: see `export_person`."""
        return await self._do(
            "pseudonymise_person", RemovalView, lambda acts: acts.pseudonymise_person(user, self._actor), user=user
        )

    async def locks(self) -> list[LockoutView]:
        """Who is locked out now."""
        return await self._do("locks", list[LockoutView], lambda acts: acts.locks())

    async def create_api_key(
        self,
        name: str,
        lifetime: float | None,
        *,
        scopes: Sequence[str] = ("check",),
        networks: Sequence[str] = (),
        rate: float = API_KEY_RATE,
    ) -> ApiKeyView:
        """An API key. lifetime: seconds; None: without end. The others: see `Administration.create_api_key`."""
        limits: dict[str, Any] = {"scopes": list(scopes), "networks": list(networks), "rate": rate}
        return await self._do(
            "create_api_key",
            ApiKeyView,
            lambda acts: acts.create_api_key(name, lifetime, self._actor, **limits),
            name=name,
            lifetime=lifetime,
            **limits,
        )

    async def api_keys(self) -> list[ApiKeyView]:
        """Every API key, without secrets."""
        return await self._do("api_keys", list[ApiKeyView], lambda acts: acts.api_keys())

    async def revoke_api_key(self, key_id: str) -> bool:
        """Revoke an API key; False where there is no such live key."""
        return await self._do("revoke_api_key", bool, lambda acts: acts.revoke_api_key(key_id, self._actor), key_id=key_id)

    async def audit(self, **wanted: Unpack[AuditWanted]) -> list[AuditView]:
        """The audit trail, newest first."""
        return await self._do("audit", list[AuditView], lambda acts: acts.audit(**wanted), **wanted)

    async def record_backup(self, file: str) -> None:
        """Have the trail say that a backup was made. file: where it is."""
        await self._do("record_backup", type(None), lambda acts: acts.record_backup(file, self._actor), file=file)

    async def roll_keys(self) -> KeysView:
        """New keys for whatever relay nodes sign for each other."""
        return await self._do("roll_keys", KeysView, lambda acts: acts.roll_keys(self._actor))

    async def verify_audit(
        self, progress: Callable[[int, int], None] | None = None, *, noted: tuple[int, int, str] | None = None
    ) -> AuditReportView:
        """Check the audit trail. Always on the store: the check must not depend on whom it checks.

        noted: chain, number and hash of an entry that the log once had as head. Raises also AuditBroken, AuditReplaced.
        """

        async def check(acts: Administration) -> AuditReportView:
            report = await acts.verify_audit(progress)
            if noted is not None:
                await acts.check_noted(*noted)
            return report

        return await self._on_store(check)

    async def export_audit(
        self,
        file: BinaryIO,
        form: ExportForm,
        *,
        since: float | None = None,
        until: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Write the audit trail into a file while it is checked, on the store; how many entries. since, until: Unix seconds.

        Raises also AuditBroken, and what the file raises.
        """
        return await self._on_store(lambda acts: acts.export_audit(file, form, since, until, progress))

    async def record_export(self, file: str, what: str) -> None:
        """Have the trail say that it was exported. file: where to; what: how much of it."""
        await self._do(
            "record_export", type(None), lambda acts: acts.record_export(file, what, self._actor), file=file, what=what
        )

    async def check_export(self, file: BinaryIO) -> ExportEnd:
        """Check an export with this relay's keys; its last line. Raises also ExportBroken."""
        return await self._on_store(lambda acts: acts.check_export(file))

    async def accept_audit(self, why: str) -> int:
        """Take the audit trail's ends as they are now, after a backup was put back; of how many chains that is.

        Raises also NothingToAccept.
        """
        return await self._do("accept_audit", int, lambda acts: acts.accept_audit(why, self._actor), why=why)

    async def health(self) -> NodeHealthView:
        """How the running relay is. Raises also RelayAbsent."""
        return await self._ask("health", NodeHealthView)

    async def sign_in(self, user: str, password: str) -> SignInView:
        """Sign a user in through the running relay, an agent and the directory. Raises also RelayAbsent."""
        return await self._ask("sign_in", SignInView, user=user, password=password)

    async def trusts(self) -> list[TrustView]:
        """Every trust, without documents."""
        return await self._do_trust("trusts", list[TrustView], lambda acts: acts.trusts())

    async def trust_files(self) -> dict[str, str]:
        """Why files of `trusts_dir` are not in force, by name; the folder itself as the empty name."""

        async def look() -> dict[str, str]:
            folder = self._settings.federation.trusts_dir
            return await asyncio.to_thread(file_problems, folder) if folder is not None else {}

        return await self._order("trust_files", dict[str, str], look)

    async def trust(self, trust: str) -> TrustView:
        """One trust, by its id, with its document."""
        return await self._do_trust("trust", TrustView, lambda acts: acts.trust(trust), trust=trust)

    async def plan_trust(self, document: str, where: str) -> TrustChangeView:
        """What putting a document in place would do. where: the file that problems are told of."""
        return await self._do_trust(
            "plan_trust", TrustChangeView, lambda acts: acts.plan(document, where), document=document, where=where
        )

    async def put_trust(self, document: str, where: str, version: int) -> TrustChangeView:
        """Add a trust (version: 0), or change the version of one that somebody has seen."""
        return await self._do_trust(
            "put_trust",
            TrustChangeView,
            lambda acts: acts.put(document, where, version, self._actor),
            document=document,
            where=where,
            version=version,
        )

    async def remove_trust(self, trust: str) -> TrustView:
        """Forget a trust; as it was."""
        return await self._do_trust("remove_trust", TrustView, lambda acts: acts.remove(trust, self._actor), trust=trust)

    async def put_logo(self, trust: str, content: bytes, source: str) -> LogoView:
        """Show that logo for an application; empty: none. source: where it came from."""
        order = PutLogo(trust=trust, content=base64.b64encode(content).decode(), source=source)

        def work(store: Store, _keys: RelayKeys, _heads: AuditHeads) -> Awaitable[LogoView]:
            return put_logo(Logos(store, time.time), order, self._actor)

        return await self._order(
            "put_logo",
            LogoView,
            lambda: self._with_store(work),
            trust=order.trust,
            content=order.content,
            source=order.source,
        )

    async def refresh_trust(self, trust: str) -> MetadataView:
        """Have the running relay fetch a SAML trust's metadata now. Raises also RelayAbsent."""
        return await self._ask("refresh_trust", MetadataView, trust=trust)

    async def _do_trust(self, act: str, answer: type[T], on_store: Callable[[TrustActs], Awaitable[T]], **order: Any) -> T:
        def work(store: Store, _keys: RelayKeys, _heads: AuditHeads) -> Awaitable[T]:
            with_files = self._settings.federation.trusts_dir is not None
            return on_store(TrustActs(store, TrustRegistry(store.trusts), time.time, with_files=with_files))

        return await self._order(act, answer, lambda: self._with_store(work), **order)

    async def show_claims(
        self, trust: str, user: str, *, scopes: Sequence[str] | None = None, address: str = ""
    ) -> ClaimsPreviewView:
        """What an application would be told of a user; the running relay asks the agents. Raises also RelayAbsent.

        scopes: OpenID Connect; None: all that the trust may have. address: of the client, for conditions on it.
        """
        return await self._ask(
            "show_claims", ClaimsPreviewView, trust=trust, user=user, scopes=scopes and list(scopes), address=address
        )

    async def test_trust(self, trust: str) -> list[Finding]:
        """What of a trust can be seen to be wrong; the running relay looks. Raises also RelayAbsent."""
        return await self._ask("test_trust", list[Finding], trust=trust)

    async def find_issued(
        self, data: bytes, *, since: float | None = None, until: float | None = None
    ) -> list[EvidenceView]:
        """Whether what is in a file was issued here. since, until: Unix seconds."""

        def work(store: Store, _keys: RelayKeys, _heads: AuditHeads) -> Awaitable[list[EvidenceView]]:
            return IssuedSearch(store, issuer=self._settings.public_url.rstrip("/")).find(data, since, until)

        return await self._order(
            "find_issued",
            list[EvidenceView],
            lambda: self._with_store(work),
            data=base64.b64encode(data).decode(),
            since=since,
            until=until,
        )

    async def signing_keys(self) -> list[RingView]:
        """Every ring of signing keys, and what waits for whom."""
        return await self._do_keys("signing_keys", list[RingView], lambda acts: acts.rings())

    async def plan_signing_keys(self, ring: Ring, *, emergency: bool = False) -> Plan[Any]:
        """What replacing the keys of a ring would do. Raises also PlanUnusable for one of a relay of another release."""
        text = await self._do_keys(
            "plan_signing_keys",
            str,
            lambda acts: acts.plan(ring, self._actor, emergency=emergency),
            ring=ring,
            emergency=emergency,
        )
        return decode(text.encode(), ROLLOVER_STATES, "what the relay plans")

    async def replace_signing_keys(self, ring: Ring, *, emergency: bool = False, saved: Plan[Any] | None = None) -> RingView:
        """Start replacing the keys of a ring; the relay continues it. saved: as somebody has reviewed it."""
        plan = encode(saved).decode() if saved is not None else ""
        return await self._do_keys(
            "replace_signing_keys",
            RingView,
            lambda acts: acts.replace(ring, self._actor, emergency=emergency, plan=plan),
            ring=ring,
            emergency=emergency,
            plan=plan,
        )

    async def roll_back_signing_keys(self, ring: Ring, to: str) -> RingView:
        """Undo the replacement that is in progress. to: `published` or `start`."""
        return await self._do_keys(
            "roll_back_signing_keys", RingView, lambda acts: acts.roll_back(ring, to, self._actor), ring=ring, to=to
        )

    async def acknowledge_signing_keys(self, ring: Ring, trust: str) -> RingView:
        """An application knows the new keys of a ring. trust: its id."""
        return await self._do_keys(
            "acknowledge_signing_keys",
            RingView,
            lambda acts: acts.acknowledge(ring, trust, self._actor),
            ring=ring,
            trust=trust,
        )

    async def try_signing_key(self, key: str, trust: str) -> TrialAddressView:
        """An address that starts a trial of a key with one trust, in the browser in which it is opened."""

        def work(store: Store, _keys: RelayKeys, _heads: AuditHeads) -> Awaitable[TrialAddressView]:
            acts = TrialActs(store, TrustRegistry(store.trusts), self._settings.public_url, time.time)
            return acts.try_key(key, trust, self._actor)

        return await self._order("try_signing_key", TrialAddressView, lambda: self._with_store(work), key=key, trust=trust)

    async def sessions(self, selection: SessionSelection, limit: int = 100) -> SessionListView:
        """Sessions that are meant; up to `limit` in full."""
        return await self._do_sessions(
            "sessions",
            SessionListView,
            lambda acts: acts.sessions(selection, limit),
            limit=limit,
            **msgspec.structs.asdict(selection),
        )

    async def revoke_sessions(self, selection: SessionSelection, *, everybody: bool = False) -> SessionsEndedView:
        """End sessions, and all that hangs on them. everybody: all there are; then `selection` names nothing."""
        return await self._do_sessions(
            "revoke_sessions",
            SessionsEndedView,
            lambda acts: acts.revoke(selection, self._actor, everybody=everybody),
            patience=_TELLING,
            everybody=everybody,
            **msgspec.structs.asdict(selection),
        )

    async def _do_sessions(
        self, act: str, answer: type[T], on_store: Callable[[SessionActs], Awaitable[T]], **order: Any
    ) -> T:
        def work(store: Store, _keys: RelayKeys, _heads: AuditHeads) -> Awaitable[T]:
            sessions = self._sessions(store)
            return on_store(SessionActs(store, sessions, self._ending(store, sessions), time.time))

        return await self._order(act, answer, lambda: self._with_store(work), **order)

    def _sessions(self, store: Store) -> Sessions:
        dependents = UnreachedApplications(store.participants, store.grants)
        return Sessions(self._settings.signin, store.sessions, time.time, dependents)

    def _ending(self, store: Store, sessions: Sessions) -> SessionEnding:
        return SessionEnding(store, sessions, UnreachedApplications(store.participants, store.grants))

    async def _do_keys(self, act: str, answer: type[T], on_store: Callable[[KeyActs], Awaitable[T]], **order: Any) -> T:
        def work(store: Store, _keys: RelayKeys, _heads: AuditHeads) -> Awaitable[T]:
            settings = self._settings
            return on_store(KeyActs(key_context(settings.federation, store, settings.public_url, time.time)))

        return await self._order(act, answer, lambda: self._with_store(work), **order)

    async def _ask(self, act: str, answer: type[T], **order: Any) -> T:
        """What only the running relay can do."""
        return msgspec.json.decode(await ask_relay(self._settings.state_dir / SOCKET_NAME, act, order), type=answer)

    async def _do(self, act: str, answer: type[T], on_store: Callable[[Administration], Awaitable[T]], **order: Any) -> T:
        return await self._order(act, answer, lambda: self._on_store(on_store), **order)

    async def _order(
        self,
        act: str,
        answer: type[T],
        otherwise: Callable[[], Awaitable[T]],
        patience: float = ANSWER_TIMEOUT,
        **order: Any,
    ) -> T:
        """Have the running relay do it. otherwise: does it where none runs. patience: seconds for the relay's answer."""
        try:
            reply = await ask_relay(self._settings.state_dir / SOCKET_NAME, act, order, patience)
        except RelayAbsent:
            self.reached_relay = False
            self._without_relay()
            return await otherwise()
        self.reached_relay = True
        return msgspec.json.decode(reply, type=answer)

    async def _on_store(self, work: Callable[[Administration], Awaitable[T]]) -> T:
        settings = self._settings

        def administer(store: Store, keys: RelayKeys, heads: AuditHeads) -> Awaitable[T]:
            lockouts = Lockouts(settings.admission, store, time.time, alone=False)
            acts = Administration(
                store,
                AgentRegistry(store.agents),
                relay_url=settings.public_url.rstrip("/"),
                authority_fingerprint=keys.authority.fingerprint,
                token_lifetime=settings.core.token_lifetime,
                heads=heads,
                sessions=self._ending(store, self._sessions(store)),
                clock=time.time,
                unlock=lockouts.unlock,
                locks=lockouts.locked,
            )
            return work(acts)

        return await self._with_store(administer)

    async def _with_store(self, work: Callable[[Store, RelayKeys, AuditHeads], Awaitable[T]]) -> T:
        settings = self._settings
        self._before_store()
        try:
            keys = load_keys(settings, time.time())
            store = open_relay_store(settings, keys)
        except Exception as error:
            if isinstance(error, PermissionError) or isinstance(error.__cause__, PermissionError):
                raise NotPermitted(settings.state_dir) from error
            raise
        try:
            heads = AuditHeads(store.audit, settings.state_dir, store.node)
            result = await work(store, keys, heads)
            with contextlib.suppress(StoreError):  # the act is done; the next start of the relay tells
                await heads.note_own()
            return result
        finally:
            await store.close()
