"""The relay process: puts its rooms together, serves them, and stops in order."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from certs import Authority, MachineIdentity, Role, atomic_write, private_directory, read_private, renewal_due
from gateway.protocol import CloseCode
from gateway.relay.administration import Administration, AgentView
from gateway.relay.admission import Admission, AdmissionSettings
from gateway.relay.authenticator import RelayAuthenticator
from gateway.relay.canary import CanaryKeeper
from gateway.relay.control import SOCKET_NAME, bind_control_socket, control_app
from gateway.relay.dispatch import Dispatcher
from gateway.relay.enrolment import Enrolment
from gateway.relay.hub import Hub
from gateway.relay.metrics import Metrics
from gateway.relay.request import CLIENT_ADDRESS, CORRELATION_ID
from gateway.relay.roster import Roster
from gateway.relay.settings import RelayCoreSettings
from gateway.signin import (
    Api,
    DeviceCookie,
    FormToken,
    Pages,
    Sessions,
    Signer,
    SignInPages,
    SignInSettings,
    client_address,
)
from gateway.store import AuditEvent, Store, open_store

log = structlog.get_logger()

Clock = Callable[[], float]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ServerError(Exception):
    """The relay cannot start. The text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """One relay process."""

    state_dir: Path
    """Directory (mode 0700) for keys, the database and the control socket."""
    public_url: str
    """Address that people and agents use: `https://host[:port]`."""
    listen: str = "0.0.0.0:8443"
    """Address and port to serve."""
    tls_certificate: Path | None = None
    """HTTPS certificate with its chain, PEM. Empty: plain HTTP, for a reverse proxy on this machine; then `listen` must
    be a loopback address."""
    tls_key: Path | None = None
    """Private key of the HTTPS certificate, PEM."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (`10.0.0.0/8`) of reverse proxies whose X-Forwarded-For is believed."""
    store_url: str | None = None
    """SQLAlchemy URL of the database. Empty: SQLite in `state_dir`."""
    metrics_listen: str = "127.0.0.1:9181"
    """Address for /metrics, /healthz and /readyz, apart from the public one. Empty: none."""
    core: RelayCoreSettings = field(default_factory=RelayCoreSettings)
    """Agents and dispatch."""
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    """Smart lockout and throttling."""
    signin: SignInSettings = field(default_factory=SignInSettings)
    """The sign-in page."""


def init(settings: ServerSettings, *, name: str, now: float) -> Authority:
    """Make the relay's authority, identity and secrets. Raises certs.KeyStoreError where they are there already."""
    state = private_directory(settings.state_dir)
    authority = Authority.create(state / "authority", name=f"Isthmus relay {name}", now=now)
    _issue_identity(state, authority, name, now)
    atomic_write(state / "secret.key", secrets.token_bytes(32))
    return authority


def _issue_identity(state: Path, authority: Authority, name: str, now: float) -> MachineIdentity:
    directory = state / "identity"
    csr = MachineIdentity.begin(directory, name=name)
    certificate = authority.issue(csr, name=name, role=Role.RELAY, now=now)
    return MachineIdentity.install(directory, certificate, authority.certificate_der, name=name, role=Role.RELAY, now=now)


@dataclass(frozen=True, slots=True)
class Keys:
    """What `init` made."""

    authority: Authority
    identity: MachineIdentity
    secret: bytes = field(repr=False)


def load_keys(settings: ServerSettings, now: float) -> Keys:
    """Load them; the relay's own certificate is renewed where due, by the authority beside it. Raises ServerError."""
    state = settings.state_dir
    try:
        authority = Authority.load(state / "authority")
        identity = MachineIdentity.load(state / "identity")
        secret = read_private(state / "secret.key")
    except FileNotFoundError as error:
        raise ServerError(f"{error.filename} is missing: run `isthmus relay init` first") from error
    return Keys(authority, _renew_if_due(state, authority, identity, now) or identity, secret)


def _renew_if_due(state: Path, authority: Authority, identity: MachineIdentity, now: float) -> MachineIdentity | None:
    if not renewal_due(identity.not_before, identity.not_after, now, identity.name):
        return None
    renewed = _issue_identity(state, authority, identity.name, now)
    log.info("certificate.renewed", relay=renewed.name, ends=renewed.not_after)
    return renewed


def open_relay_store(settings: ServerSettings, secret: bytes) -> Store:
    """The store that the settings name. Raises gateway.store.StoreError."""
    url = settings.store_url or f"sqlite:///{settings.state_dir / 'relay.db'}"
    return open_store(url, audit_key=secret)


class Relay:
    """The rooms of one relay process, put together."""

    def __init__(self, settings: ServerSettings, keys: Keys, store: Store, clock: Clock = time.time) -> None:
        self.settings, self.store, self._clock = settings, store, clock
        self._authority, self._identity = keys.authority, keys.identity
        self.metrics = Metrics()
        self.dispatcher = Dispatcher(settings.core, clock)
        self.metrics.watch(self.dispatcher)
        self.admission = Admission(settings.admission)
        self.roster = Roster(store.agents)
        self.enrolment = Enrolment(settings.core, keys.authority, store.tokens, self.roster, store.audit, clock)
        self.hub = Hub(
            settings.core,
            keys.identity,
            keys.authority.certificate,
            self.roster,
            self.dispatcher,
            renew=self.enrolment.renew,
            alarm=self._alarm,
            clock=clock,
        )
        self.authenticator = RelayAuthenticator(
            self.admission, self.dispatcher, store.audit, self.metrics, timeout=settings.core.sign_in_timeout, clock=clock
        )
        self.canaries = CanaryKeeper(self.dispatcher, settings.core.canary_interval, self._quarantine, clock)
        self.api = Api(settings.signin, self.authenticator, store.api_keys, clock)
        signer = Signer(keys.secret)
        form_token = FormToken(signer)
        self.pages = SignInPages(
            settings.signin,
            Pages(settings.signin, form_token),
            Sessions(settings.signin, store.sessions, clock),
            self.authenticator,
            store.audit,
            form_token,
            DeviceCookie(signer),
            origin=settings.public_url.rstrip("/"),
        )
        self.administration = Administration(
            store,
            self.roster,
            relay_url=settings.public_url.rstrip("/"),
            authority_fingerprint=keys.authority.fingerprint,
            token_lifetime=settings.core.token_lifetime,
            clock=clock,
            live=self._live,
            disconnect=lambda name, why: self.hub.close_agent(name, CloseCode.REVOKED, f"revoked: {why}"),
            unlock=self.admission.unlock,
            forget_api_key=self.api.forget,
        )
        self._noted = 0
        self._alarms: set[asyncio.Task[None]] = set()

    # -- applications

    def public_app(self) -> web.Application:
        """What people, back ends and agents reach."""
        app = web.Application(client_max_size=64 * 1024, middlewares=[self._identify()])
        self.pages.add_routes(app)
        self.api.add_routes(app)
        self.enrolment.add_routes(app)
        self.hub.add_routes(app)
        app.router.add_get("/healthz", self._healthz)
        return app

    def metrics_app(self) -> web.Application:
        """What the operator's monitoring reaches."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        return app

    def _identify(self) -> Middleware:
        trusted = [ipaddress.ip_network(network, strict=False) for network in self.settings.trusted_proxies]

        @web.middleware
        async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
            """Name the request and its client, for everything that follows."""
            request[CORRELATION_ID] = correlation_id = secrets.token_hex(8)
            forwarded = request.headers.getall("X-Forwarded-For", [])
            request[CLIENT_ADDRESS] = client_address(request.remote, forwarded, trusted)
            structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
            try:
                response = await handler(request)
            finally:
                structlog.contextvars.unbind_contextvars("correlation_id")
            if not response.prepared:
                response.headers["X-Correlation-Id"] = correlation_id
            return response

        return identify

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        agents = sorted({link.name for link in self.hub.links if link.usable})
        body = {"status": "ready" if agents else "no agent is connected", "agents": agents}
        return web.json_response(body, status=200 if agents else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    # -- what the rooms tell each other

    def _live(self) -> dict[str, AgentView]:
        views: dict[str, AgentView] = {}
        for link in self.hub.links:
            opened = link.opened
            if opened is None:
                continue
            view = views.setdefault(link.name, AgentView(name=link.name, serial="", not_after=0.0))
            view.connections += 1
            view.outstanding += link.outstanding
            view.latency_ms = max(view.latency_ms, link.latency * 1000)
            view.clock_skew = link.clock_skew
            view.software, view.domains, view.address = opened.software, link.domains, link.address
            view.directories = link.status
        return views

    def _alarm(self, event: str, fields: dict[str, str]) -> None:
        log.critical(event, **fields)
        self.metrics.alerts.labels(event).inc()
        record = AuditEvent(
            time=self._clock(), kind=f"alert.{event}", actor="relay", subject=fields.get("agent", ""), detail=fields
        )
        task = asyncio.create_task(self.store.audit.append(record), name=f"alarm-{event}")
        self._alarms.add(task)
        task.add_done_callback(self._alarms.discard)

    async def _quarantine(self, name: str, why: str) -> None:
        self._alarm("agent.quarantined", {"agent": name, "why": why})
        await self.roster.revoke(name, self._clock(), f"quarantined: {why}")
        self.hub.close_agent(name, CloseCode.QUARANTINED, "quarantined")

    # -- time

    async def tick(self) -> None:
        """Look after the sessions once a second, after the books once a minute. Runs until cancelled."""
        beat = 0
        while True:
            await asyncio.sleep(1.0)
            self.hub.tick()
            beat += 1
            if beat % 60 == 0:
                await self.tidy()

    async def tidy(self) -> None:
        """Look after the books: once a minute, see `tick`."""
        try:
            await self.roster.flush()
            await self.roster.load()
            await self.store.sessions.purge(self._clock())
            self._renew_identity()
            await self._note_head()
        except Exception:
            log.exception("housekeeping.failed")

    async def _note_head(self) -> None:
        """Whoever has this machine can rewrite the trail, but not the logs that have left it."""
        for entry in await self.store.audit.entries(limit=1):
            if entry.seq != self._noted:
                self._noted = entry.seq
                log.info("audit.head", noted=f"{entry.seq}:{entry.hash}")

    def _renew_identity(self) -> None:
        renewed = _renew_if_due(self.settings.state_dir, self._authority, self._identity, self._clock())
        if renewed is not None:
            self._identity = renewed
            self.hub.use(renewed)


@asynccontextmanager
async def serving(settings: ServerSettings, *, clock: Clock = time.time) -> AsyncIterator[Relay]:
    """A relay that serves for as long as the block lasts, and drains at its end. Raises ServerError, StoreError."""
    check_settings(settings)
    keys = load_keys(settings, clock())
    store = open_relay_store(settings, keys.secret)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        relay = Relay(settings, keys, store, clock)
        await relay.roster.load()
        await _serve(stack, relay.public_app(), settings.listen, tls_context(settings))
        if settings.metrics_listen:
            await _serve(stack, relay.metrics_app(), settings.metrics_listen, None)
        await _serve_control(stack, relay)
        stack.push_async_callback(relay.roster.flush)
        for work, name in ((relay.tick(), "relay-ticker"), (relay.canaries.run(), "canaries")):
            task = asyncio.create_task(work, name=name)
            stack.push_async_callback(_end, task)
        log.info("relay.started", url=settings.public_url, listen=settings.listen)
        try:
            yield relay
        finally:
            log.info("relay.draining", outstanding=relay.dispatcher.outstanding)
            await relay.hub.drain(settings.core.drain_timeout)


async def run(settings: ServerSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain and end."""
    async with serving(settings):
        await stop.wait()
    log.info("relay.stopped")


def check_settings(settings: ServerSettings) -> None:
    """Refuse settings that would be unsafe. Raises ServerError."""
    if not settings.public_url.startswith("https://"):
        raise ServerError(f"public_url {settings.public_url!r}: must be https://…, passwords go there")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise ServerError("tls_certificate and tls_key go together")
    host, _ = split_address(settings.listen)
    if settings.tls_certificate is None and not _is_loopback(host):
        raise ServerError(
            f"listen {settings.listen!r} without tls_certificate: plain HTTP is served on loopback only, behind a proxy"
        )


def split_address(address: str) -> tuple[str, int]:
    """`host:port` to its parts; IPv6 in brackets. Raises ServerError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ServerError(f"{address!r}: expected host:port")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """For HTTPS: TLS 1.2 or later. None behind a proxy. Raises ServerError."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ServerError(f"{settings.tls_certificate}, {settings.tls_key}: cannot be used for HTTPS ({error})") from error
    return context


async def _serve(stack: AsyncExitStack, app: web.Application, address: str, tls: ssl.SSLContext | None) -> None:
    host, port = split_address(address)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=5.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls, backlog=1024, reuse_port=False).start()
    except OSError as error:
        raise ServerError(f"cannot listen on {address}: {error.strerror}; is another server there?") from error


async def _serve_control(stack: AsyncExitStack, relay: Relay) -> None:
    runner = web.AppRunner(control_app(relay.administration), access_log=None, handle_signals=False)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    path = relay.settings.state_dir / SOCKET_NAME
    try:
        listener = bind_control_socket(path)
    except OSError as error:
        raise ServerError(f"cannot make the control socket {path}: {error}") from error
    stack.callback(path.unlink, missing_ok=True)
    await web.SockSite(runner, listener).start()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
