"""The relay process: puts its rooms together, serves them, and stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from gateway.keys import Keys, init, load_keys, renew_if_due
from gateway.protocol import CloseCode
from gateway.relay.administration.acts import Administration, AgentView
from gateway.relay.administration.control import SOCKET_NAME, bind_control_socket, control_app
from gateway.relay.agents.canary import CanaryKeeper
from gateway.relay.agents.dispatch import Dispatcher
from gateway.relay.agents.endpoint import Hub
from gateway.relay.agents.enrolment import Enrolment
from gateway.relay.agents.registry import Roster
from gateway.relay.credentials.admission import Admission
from gateway.relay.credentials.authenticator import RelayAuthenticator
from gateway.relay.metrics import Metrics
from gateway.relay.request import CLIENT_ADDRESS, CORRELATION_ID
from gateway.settings import (
    ServerError,
    ServerSettings,
    check_settings,
    split_address,
    tls_context,
    trusted_networks,
)
from gateway.signin import Api, DeviceCookie, FormToken, Pages, Sessions, Signer, SignInPages, client_address
from gateway.store import AuditEvent, Store, StoreError, open_store

__all__ = [
    "Relay",
    "ServerError",
    "ServerSettings",
    "check_settings",
    "init",
    "load_keys",
    "open_relay_store",
    "run",
    "serving",
    "split_address",
    "tls_context",
]

log = structlog.get_logger()

_LAST_ANSWERS = 5.0
"""Seconds that a stopping relay waits at most for HTTP answers, after its agents are drained."""

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def open_relay_store(settings: ServerSettings, secret: bytes) -> Store:
    """The store that the settings name. Raises gateway.store.StoreError."""
    url = settings.store_url or f"sqlite:///{settings.state_dir / 'relay.db'}"
    return open_store(url, audit_key=secret)


class Relay:
    """The rooms of one relay process, put together."""

    def __init__(
        self,
        settings: ServerSettings,
        keys: Keys,
        store: Store,
        clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.settings, self.store, self._clock, self._sleep = settings, store, clock, sleep
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
        self.canaries = CanaryKeeper(
            self.dispatcher,
            settings.core.canary_interval,
            self._quarantine,
            clock,
            timeout=settings.core.sign_in_timeout,
        )
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
        self._unflushed = False
        """The store refused the last `flush`."""
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
        trusted = trusted_networks(self.settings)

        @web.middleware
        async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
            """Name the request and its client, for everything that follows."""
            request[CORRELATION_ID] = correlation_id = secrets.token_hex(8)
            forwarded = request.headers.getall("X-Forwarded-For", [])
            request[CLIENT_ADDRESS] = client_address(request.remote, forwarded, trusted)
            structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
            try:
                response = await handler(request)
            except web.HTTPException as answer:
                answer.headers["X-Correlation-Id"] = correlation_id
                raise
            except Exception:
                log.exception("request.failed", path=request.path)
                text = f"Something went wrong here. If you ask for help, name this reference: {correlation_id}"
                response = web.Response(status=500, text=text)
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
        ready = False
        if not await self._store_takes_writes():
            status = "the store refuses writes"
        elif not agents:
            status = "no agent is connected"
        else:
            status, ready = "ready", True
        return web.json_response({"status": status, "agents": agents}, status=200 if ready else 503)

    async def _store_takes_writes(self) -> bool:
        """By what was last written: sign-ins, and once a minute who is connected. What was refused is tried again."""
        if self.store.audit.refusing:
            with contextlib.suppress(StoreError):
                await self.store.audit.append(AuditEvent(time=self._clock(), kind="audit.resumed", actor="relay"))
        if self._unflushed:
            await self.flush()
        return not (self.store.audit.refusing or self._unflushed)

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
        task = asyncio.create_task(self._write_alarm(record), name=f"alarm-{event}")
        self._alarms.add(task)
        task.add_done_callback(self._alarms.discard)

    async def _write_alarm(self, record: AuditEvent) -> None:
        with contextlib.suppress(StoreError):  # the trail logs it, and the alarm itself is in the log
            await self.store.audit.append(record)

    async def _quarantine(self, name: str, why: str) -> None:
        """Close first: the store may be slow, or refuse."""
        self._alarm("agent.quarantined", {"agent": name, "why": why})
        self.hub.close_agent(name, CloseCode.QUARANTINED, "quarantined")
        await self.roster.revoke(name, self._clock(), f"quarantined: {why}")

    # -- time

    async def tick(self) -> None:
        """Look after the sessions once a second, after the books once a minute. Runs until cancelled."""
        beat = 0
        while True:
            await self._sleep(1.0)
            try:
                self.hub.tick()
            except Exception:
                log.exception("tick.failed")
            beat += 1
            if beat % 60 == 0:
                await self.tidy()

    async def tidy(self) -> None:
        """Look after the books: once a minute, see `tick`. A duty that fails keeps no other one from being done."""
        for duty in (self._renew_identity, self.flush, self.roster.load, self._purge_sessions, self._note_head):
            try:
                await duty()
            except Exception:
                log.exception("housekeeping.failed", duty=duty.__name__.strip("_"))

    async def flush(self) -> None:
        """Write what the roster knows and the store does not; also at the end. Logs a store that refuses."""
        self.hub.note_seen()
        try:
            await self.roster.flush()
        except StoreError:
            log.exception("housekeeping.failed", duty="flush")
            self._unflushed = True
        else:
            self._unflushed = False

    async def _purge_sessions(self) -> None:
        await self.store.sessions.purge(self._clock())

    async def _note_head(self) -> None:
        """Whoever has this machine can rewrite the trail, but not the logs that have left it."""
        for entry in await self.store.audit.entries(limit=1):
            if entry.seq != self._noted:
                self._noted = entry.seq
                log.info("audit.head", noted=f"{entry.seq}:{entry.hash}")

    async def _renew_identity(self) -> None:
        renewed = renew_if_due(self.settings.state_dir, self._authority, self._identity, self._clock())
        if renewed is not None:
            self._identity = renewed
            self.hub.use(renewed)


@asynccontextmanager
async def serving(
    settings: ServerSettings, *, clock: Clock = time.time, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[Relay]:
    """A relay that serves for as long as the block lasts, and drains at its end. Raises ServerError, StoreError.

    clock: Unix seconds. sleep: waits between two rounds of housekeeping.
    """
    check_settings(settings)
    keys = load_keys(settings, clock())
    async with AsyncExitStack() as stack:
        _claim(stack, settings.state_dir)
        store = open_relay_store(settings, keys.secret)
        stack.push_async_callback(store.close)
        relay = Relay(settings, keys, store, clock, sleep)
        await relay.roster.load()
        patience = min(_LAST_ANSWERS, settings.core.drain_timeout)
        await _serve(stack, relay.public_app(), settings.listen, tls_context(settings), patience)
        if settings.metrics_listen:
            await _serve(stack, relay.metrics_app(), settings.metrics_listen, None, patience)
        await _serve_control(stack, relay)
        stack.push_async_callback(relay.flush)
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


def _claim(stack: AsyncExitStack, state_dir: Path) -> None:
    """One relay on a state directory. The kernel takes the lock back however the process ends. Raises ServerError."""
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


async def _serve(
    stack: AsyncExitStack, app: web.Application, address: str, tls: ssl.SSLContext | None, patience: float
) -> None:
    """patience: seconds at the end for answers that are on their way."""
    host, port = split_address(address)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=patience)
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
