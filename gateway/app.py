"""The relay process: puts its packages together, serves them, and stops in order."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from foundation.listener import AddressUnavailable, Handler, Listener, own_host
from foundation.process_metrics import register_process
from gateway.alarms import Alarms
from gateway.certificate import CertificateGauges, ServedCertificate, tls_context
from gateway.diagnosis import Diagnosis
from gateway.federation import (
    AccountSweep,
    Federation,
    IssuedSearch,
    SessionActs,
    SessionEnding,
    TrustActs,
    TrustFolder,
    TrustRegistry,
    inspection_orders,
    key_orders,
    logo_orders,
    metadata_orders,
    session_orders,
    trial_orders,
    trust_orders,
)
from gateway.housekeeping import Housekeeping, Sleep
from gateway.issuance import HttpsRenewal
from gateway.keys import IdentityRenewal, RelayKeys, init, load_keys
from gateway.protocol import CloseCode
from gateway.readiness import Readiness
from gateway.relay import (
    SOCKET_NAME,
    Administration,
    AgentEndpoint,
    AgentGauges,
    AgentRegistry,
    CanaryKeeper,
    DirectoryBindings,
    Dispatcher,
    Enrolment,
    Lockouts,
    LookUpMetrics,
    OrderHandler,
    PresenceReporter,
    RefusalGauges,
    Refusals,
    RelayAuthenticator,
    RelayLookUps,
    SignInMetrics,
    bind_control_socket,
    control_app,
    identify_requests,
    live_views,
)
from gateway.settings import (
    ServerError,
    ServerSettings,
    check_settings,
    trusted_networks,
)
from gateway.signin import (
    AUTHENTICATE_PATH,
    AccountChecks,
    Api,
    BadBranding,
    CookieSigner,
    DeviceCookie,
    FormToken,
    Pages,
    Seal,
    Sessions,
    SignInPages,
    Steps,
    unnamed_warning,
)
from gateway.store import (
    WITNESS_NAME,
    AuditHeads,
    AuditSettings,
    Purge,
    Retention,
    Store,
    StoreUnavailable,
    check_store,
    database_file,
    open_store,
)
from settings import split_address

__all__ = [
    "RELOADED",
    "Relay",
    "ServerError",
    "ServerSettings",
    "check_relay_store",
    "check_settings",
    "claim_state_dir",
    "init",
    "load_keys",
    "open_relay_store",
    "serving",
    "store_file",
    "tls_context",
]

log = structlog.get_logger()

_LAST_ANSWERS = 5.0
"""Seconds that a stopping relay waits at most for HTTP answers, after its agents are drained."""

_MONITORS = 64
"""Connections of one address to `metrics_listen`."""

RELOADED = ("tls_certificate", "tls_key", "signin", "admission")
"""Settings that `Relay.reload` takes, tables as a whole; all others need a restart."""

Clock = Callable[[], float]


def open_relay_store(settings: ServerSettings, keys: RelayKeys, clock: Clock = time.time) -> Store:
    """The store that the settings name. clock: Unix seconds. Raises gateway.store.StoreError."""
    witness = settings.state_dir / WITNESS_NAME
    return open_store(_store_url(settings), secret=keys.secret, node=keys.identity.name, clock=clock, witness=witness)


def store_file(settings: ServerSettings) -> Path | None:
    """The file of the database that the settings name; None where that is PostgreSQL's."""
    return database_file(_store_url(settings))


def _store_url(settings: ServerSettings) -> str:
    return settings.store_url or f"sqlite:///{settings.state_dir / 'relay.db'}"


def check_relay_store(settings: ServerSettings) -> str:
    """See that it could be opened; nothing is made or changed. Blocks. Returns what messages call it: without a password.

    Raises gateway.store.StoreError.
    """
    return check_store(_store_url(settings))


class Relay:
    """One relay process: its packages, and what each of them registers."""

    def __init__(
        self,
        settings: ServerSettings,
        keys: RelayKeys,
        store: Store,
        clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.settings, self.store = settings, store
        self.certificate: ServedCertificate | None = None
        self.metrics = CollectorRegistry()
        register_process(self.metrics)
        self._signin_metrics = SignInMetrics(self.metrics)
        self.alarms = Alarms(store.audit, self.metrics, clock)
        self.refusals = Refusals(store.audit, clock, per_address=settings.admission.address_rate)
        self.metrics.register(RefusalGauges(self.refusals))
        self.heads = AuditHeads(store.audit, settings.state_dir, store.node, self.alarms.raise_alarm)
        self.housekeeping = Housekeeping(sleep, expected=(StoreUnavailable,))
        self._make_agents(keys, clock)
        self._make_credentials(clock)
        self._make_trusts(clock)
        lifetime = settings.federation.unchecked_lifetime
        self.checks = AccountChecks(self.lookups, store.audit, clock, lifetime=lifetime, attributes=self.trusts.attributes)
        self.federation = Federation(
            settings.federation,
            store,
            self.trusts,
            checks=self.checks,
            authenticator=self.authenticator,
            rates=self.admission,
            alarm=self.alarms.raise_alarm,
            public_url=settings.public_url,
            secret=keys.secret,
            trust_files=self.trust_files,
            clock=clock,
            sleep=sleep,
        )
        self.metrics.register(self.federation.metrics)
        self.metrics.register(self.federation.key_gauges)
        self._make_signin(clock)
        self._make_administration(keys, clock)
        self._identify = identify_requests(trusted_networks(settings))
        self.readiness = Readiness(self.endpoint, self.dispatcher, self.registry, store, clock, self._https_end)
        self.diagnosis = Diagnosis(self.readiness, self.authenticator, store, self.federation.key_findings)
        self._watch()
        self._add_jobs(keys, clock, sleep)

    def _https_end(self) -> float | None:
        """When the HTTPS certificate that is served ends, Unix seconds; None where none is."""
        return self.certificate.ends if self.certificate is not None else None

    def _make_agents(self, keys: RelayKeys, clock: Clock) -> None:
        core = self.settings.core
        self.bindings = DirectoryBindings(self.store, clock, self.alarms.raise_alarm)
        self.dispatcher = Dispatcher(core, self.bindings, clock)
        self.metrics.register(AgentGauges(self.dispatcher))
        self.metrics.register(CertificateGauges(self._https_end, keys.authority.certificate.not_valid_after_utc.timestamp()))
        self.lookups = RelayLookUps(self.dispatcher, LookUpMetrics(self.metrics), clock)
        self.registry = AgentRegistry(self.store.agents)
        self.enrolment = Enrolment(
            core,
            keys.authority,
            self.store,
            self.registry,
            self.refusals,
            clock,
            throttle=lambda address, now: self.admission.enrol(address, now),
        )
        self.endpoint = AgentEndpoint(
            core,
            keys.identity,
            keys.authority.certificate,
            self.registry,
            self.dispatcher,
            renew=self.enrolment.renew,
            alarm=self.alarms.raise_alarm,
            clock=clock,
            catch_up=self.store.generations.look if self.store.shared else None,
        )
        self.presence = PresenceReporter(
            self.store.node, self.store.presence, self.dispatcher, clock, shared=self.store.shared
        )
        self.canaries = CanaryKeeper(
            self.dispatcher, core.canary_interval, self.endpoint.quarantine, clock, timeout=core.sign_in_timeout
        )

    def _make_credentials(self, clock: Clock) -> None:
        self.lockouts = Lockouts(self.settings.admission, self.store, clock, alone=not self.store.shared)
        self.admission = self.lockouts.admission
        self.authenticator = RelayAuthenticator(
            self.admission,
            self.dispatcher,
            self.store.audit,
            self._signin_metrics,
            self.refusals,
            digest=self.lockouts.digest,
            timeout=self.settings.core.sign_in_timeout,
            clock=clock,
        )

    def _make_signin(self, clock: Clock) -> None:
        settings = self.settings.signin
        form_token = self._form_token = FormToken(CookieSigner(self.store.keyring, "forms"))
        self.api = Api(settings, self.authenticator, self.store.api_keys, clock)
        self.sessions = Sessions(settings, self.store.sessions, clock, self.federation.participants, self.checks)
        self._rendering = Pages(settings, form_token)
        self._device = DeviceCookie(CookieSigner(self.store.keyring, "devices"), settings.device_lifetime, clock)
        self.pages = SignInPages(
            settings,
            self._rendering,
            self.sessions,
            self.authenticator,
            self.store.audit,
            form_token,
            self._device,
            Steps(Seal(self.store.keyring, "steps", clock), Seal(self.store.keyring, "typed", clock)),
            origin=self.settings.public_url.rstrip("/"),
            applications=self.federation.applications,
            of_person=self.federation.of_person,
        )

    def _make_trusts(self, clock: Clock) -> None:
        self.trusts = TrustRegistry(self.store.trusts)
        self.trust_acts = TrustActs(
            self.store, self.trusts, clock, with_files=self.settings.federation.trusts_dir is not None
        )
        folder = self.settings.federation.trusts_dir
        self.trust_files = TrustFolder(folder, self.store, self.trusts, clock) if folder is not None else None

    def _make_administration(self, keys: RelayKeys, clock: Clock) -> None:
        ending = SessionEnding(self.store, self.sessions, self.federation.participants)
        self.session_acts = SessionActs(self.store, self.sessions, ending, clock)
        self.administration = Administration(
            self.store,
            self.registry,
            relay_url=self.settings.public_url.rstrip("/"),
            authority_fingerprint=keys.authority.fingerprint,
            token_lifetime=self.settings.core.token_lifetime,
            heads=self.heads,
            sessions=ending,
            clock=clock,
            live=lambda: live_views(self.endpoint.connections),
            disconnect=lambda name, why: self.endpoint.close_agent(name, CloseCode.REVOKED, f"revoked: {why}"),
            unlock=self.lockouts.unlock,
            locks=self.lockouts.locked,
            forget_api_key=self.api.forget,
            load_bindings=self.bindings.load,
            flush_refusals=self.refusals.flush,
        )

    def federation_orders(self) -> Mapping[str, OrderHandler]:
        """Acts on applications, as the control socket takes them."""
        preview = self.federation.preview(self.lookups, self.sessions.read)
        issued = IssuedSearch(self.store, issuer=self.federation.issuer)
        return {
            **trust_orders(self.trust_acts, self.trust_files),
            **key_orders(self.federation.key_acts),
            **trial_orders(self.federation.trial_acts),
            **metadata_orders(self.federation.metadata),
            **logo_orders(self.federation.logos),
            **inspection_orders(preview, issued, self.federation.trust_walk()),
            **session_orders(self.session_acts),
        }

    async def reload(self, settings: ServerSettings) -> tuple[str, ...]:
        """Take what of new settings can be taken while it serves; the keys of that. Raises Unfit, and takes nothing then.

        Files that they name are read anew, even where the settings have not changed.
        """
        with_tls = settings.tls_certificate is not None and self.settings.tls_certificate is not None
        tls = await asyncio.to_thread(tls_context, settings) if with_tls else None
        try:
            rendering = await asyncio.to_thread(Pages, settings.signin, self._form_token)
        except BadBranding as error:
            raise error.under("server", "signin") from error
        if tls is not None and self.certificate is not None:
            self.certificate.serve(settings, tls)
        self._rendering.become(rendering)
        for part in (self.pages, self.sessions, self.api):
            part.use(settings.signin)
        self._device.use(settings.signin.device_lifetime)
        self.lockouts.use(settings.admission)
        self.refusals.use(per_address=settings.admission.address_rate)
        return RELOADED if with_tls else tuple(key for key in RELOADED if not key.startswith("tls_"))

    def _watch(self) -> None:
        """What other nodes change is read anew here."""
        self.store.generations.watch("agents", self._agents_changed)
        self.store.generations.watch("domains", self.presence.load)
        self.store.generations.watch("bindings", self.bindings.load)
        self.store.generations.watch("api_keys", self.api.forget_all)
        self.store.generations.watch("trusts", self.federation.load)

    async def _agents_changed(self) -> None:
        """Another node has enrolled or revoked an agent: who is revoked has to leave this node too."""
        await self.registry.load()
        for connection in list(self.endpoint.connections):
            opened = connection.opened
            if opened is not None and self.registry.status(opened.peer.name, opened.peer.serial) == "revoked":
                self.endpoint.close_agent(connection.name, CloseCode.REVOKED, "revoked")
        await self.presence.load()  # what a revoked one claimed does not count

    def _add_jobs(self, keys: RelayKeys, clock: Clock, sleep: Sleep) -> None:
        """In the order of a minute's round: what is known here is written before what others wrote is read."""
        IdentityRenewal(self.settings.state_dir, keys, self.endpoint.use, clock).add_jobs(self.housekeeping)
        HttpsRenewal(self.settings, self.alarms.raise_alarm, clock).add_jobs(self.housekeeping, sleep)
        self.endpoint.add_jobs(self.housekeeping)
        self.registry.add_jobs(self.housekeeping)
        self.store.generations.add_jobs(self.housekeeping, sleep)
        if self.trust_files is not None:
            self.trust_files.add_jobs(self.housekeeping, sleep)
        self.federation.add_jobs(self.housekeeping, sleep)
        federation = self.settings.federation
        AccountSweep(
            self.store,
            self.sessions,
            self.federation.grant_checks,
            clock,
            lifetime=federation.unchecked_lifetime,
            per_minute=federation.checks_per_minute,
        ).add_jobs(self.housekeeping, sleep)
        self.presence.add_jobs(self.housekeeping, sleep)
        self.readiness.add_jobs(self.housekeeping, sleep)
        self.lockouts.add_jobs(self.housekeeping)
        self.refusals.add_jobs(self.housekeeping)
        Purge(self.store, clock).add_jobs(self.housekeeping)
        self.heads.add_jobs(self.housekeeping)
        self.canaries.add_jobs(self.housekeeping)

    def public_app(self) -> web.Application:
        """What people, back ends and agents reach."""
        app = web.Application(
            client_max_size=64 * 1024, middlewares=[self._identify, self.federation.refusal_records(self.refusals)]
        )
        for part in (self.pages, self.api, self.enrolment, self.endpoint):
            part.add_routes(app)
        self.federation.add_routes(app, self.pages)
        self.readiness.add_public_routes(app)
        return app

    def past_the_app(self, handle: Handler) -> Handler:
        """The same server, but checks of a credential by the API skip the application's routes and middlewares.

        Of what those do such a request needs its identification only. Whoever spells the address otherwise, or waits for a
        word before sending the body, is left to the application.
        """
        identify, authenticate = self._identify, self.api.authenticate

        async def first(request: web.Request) -> web.StreamResponse:
            known = request.method == "POST" and request.rel_url.raw_path == AUTHENTICATE_PATH
            if known and "Expect" not in request.headers:
                return await identify(request, authenticate)
            return await handle(request)

        return first

    def public_listener(self, tls: ssl.SSLContext | None) -> Listener:
        """Serves what people, back ends and agents reach. tls: None behind a proxy on this machine."""
        settings = self.settings
        listener = Listener(
            self.public_app(),
            of_address=settings.connections_per_address,
            shared=trusted_networks(settings),
            tls=tls,
            before=self.past_the_app,
            patience=min(_LAST_ANSWERS, settings.core.drain_timeout),
        )
        self.certificate = ServedCertificate(settings, listener.use_tls, self.alarms.raise_alarm)
        self.certificate.add_jobs(self.housekeeping)
        return listener

    def metrics_listener(self) -> Listener:
        """Serves what the operator's monitoring reaches."""
        settings = self.settings
        app = web.Application(
            middlewares=[
                own_host(split_address(settings.metrics_listen)[0], *settings.metrics_hosts, setting="metrics_hosts")
            ]
        )
        self.readiness.add_routes(app)
        app.router.add_get("/metrics", self._show_metrics)
        return Listener(app, of_address=_MONITORS)

    def metrics_text(self) -> bytes:
        """What `/metrics` answers: Prometheus' text format."""
        return generate_latest(self.metrics)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics_text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


@asynccontextmanager
async def serving(
    settings: ServerSettings,
    *,
    audit: AuditSettings | None = None,
    clock: Clock = time.time,
    sleep: Sleep = asyncio.sleep,
) -> AsyncIterator[Relay]:
    """A relay that serves for as long as the block lasts, and drains at its end. Raises ServerError, StoreError.

    audit: how long the trail is kept; permanently unless given. clock: Unix seconds. sleep: waits between two rounds of
    housekeeping.
    """
    check_settings(settings)
    keys = load_keys(settings, clock())
    # what is entered first ends last: agents drain, jobs end, who was here is written, then sockets and store close
    async with AsyncExitStack() as stack:
        claim_state_dir(stack, settings.state_dir)
        store = open_relay_store(settings, keys, clock)
        stack.push_async_callback(store.close)
        relay = Relay(settings, keys, store, clock, sleep)
        Retention(store, audit or AuditSettings(), clock, relay.alarms.raise_alarm).add_jobs(relay.housekeeping)
        stack.push_async_callback(relay.heads.end)
        await relay.heads.begin()
        await relay.registry.load()
        await relay.presence.load()
        await relay.bindings.load()
        await relay.federation.load()
        await relay.lockouts.restore()
        await relay.readiness.measure()
        stack.push_async_callback(_flush, relay.refusals)
        await _serve(stack, relay.public_listener(tls_context(settings)), "listen", settings.listen)
        if settings.metrics_listen:
            await _serve(stack, relay.metrics_listener(), "metrics_listen", settings.metrics_listen)
        await _serve_control(stack, relay)
        stack.push_async_callback(relay.endpoint.flush)
        stack.push_async_callback(relay.presence.leave)
        await stack.enter_async_context(relay.housekeeping.running())
        if warning := unnamed_warning(settings.signin):
            log.warning("page.unnamed", problem=warning)
        log.info("relay.started", url=settings.public_url, listen=settings.listen)
        try:
            yield relay
        finally:
            log.info("relay.draining", outstanding=relay.dispatcher.outstanding)
            await relay.endpoint.drain(settings.core.drain_timeout)


async def _flush(refusals: Refusals) -> None:
    try:
        await refusals.flush()
    except StoreUnavailable as error:
        log.error("relay.refusals_not_recorded", error=str(error))  # noqa: TRY400 - it says all


def claim_state_dir(stack: AsyncExitStack | ExitStack, state_dir: Path) -> None:
    """One relay on a state directory, or one restore, for as long as the stack lasts. Raises ServerError.

    The kernel takes the lock back however the process ends.
    """
    import fcntl  # Windows, where agents run but no relay does, has none

    path = state_dir / "relay.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        stack.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ServerError(f"{path} is locked: another relay runs on this state_dir") from error
    except OSError as error:
        raise ServerError(f"cannot lock {path}: {error.strerror}") from error


async def _serve(stack: AsyncExitStack, listener: Listener, setting: str, address: str) -> None:
    stack.push_async_callback(listener.close)
    try:
        await listener.start(*split_address(address))
    except AddressUnavailable as error:
        raise ServerError(f"server.{setting}: {error}") from error


async def _serve_control(stack: AsyncExitStack, relay: Relay) -> None:
    app = control_app(relay.administration, relay.diagnosis, relay.federation_orders())
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    path = relay.settings.state_dir / SOCKET_NAME
    try:
        listener = bind_control_socket(path)
    except OSError as error:
        raise ServerError(f"cannot make the control socket {path}: {error}") from error
    stack.callback(path.unlink, missing_ok=True)
    await web.SockSite(runner, listener).start()
