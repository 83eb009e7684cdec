"""The websocket endpoint for agents: one protocol session for each connection, and who is connected.

GET /agent/v1/connect    websocket, subprotocol isthmus.agent.v1
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection

import structlog
from aiohttp import WSMsgType, web
from cryptography import x509

from certs import Role, VerifiedPeer
from foundation.listener import ANSWER_HEADERS, ConnectionPlaces, HttpConnection
from gateway.housekeeping import Housekeeping
from gateway.protocol import (
    MAX_FRAME,
    MAX_HANDSHAKE,
    PROBE,
    SUBPROTOCOL,
    CloseCode,
    Closed,
    Event,
    IdentitySigner,
    Opened,
    PeerRefused,
    PeerRevoked,
    PeerTrust,
    RelaySession,
    RenewalRequested,
)
from gateway.relay.agents.bindings import REST
from gateway.relay.agents.connection import AgentConnection
from gateway.relay.agents.dispatch import Dispatcher
from gateway.relay.agents.registry import AgentRegistry
from gateway.relay.errors import RenewalRefused
from gateway.relay.request import CLIENT_ADDRESS
from gateway.relay.settings import RelayCoreSettings
from gateway.store import StoreError

log = structlog.get_logger()

CONNECT_PATH = "/agent/v1/connect"
_FAILED = "error at the relay"
"""What an agent is told after an exception that nobody expected: its connection ends, the others continue."""
_NO_MORE = "the relay accepts no more agent connections"
_UNPROVEN, _UNPROVEN_OF_ADDRESS = 256, 16
"""Connections that have not proved who they are, in all and of one address; an agent needs a moment for that."""
_HANDSHAKE = MAX_HANDSHAKE + 1024
"""Bytes that such a connection may send: one frame with its head. What proven ones may is 16 times as much."""
_CATCH_UP_PATIENCE = 1.0
"""Seconds that a handshake waits for the store."""
Alarm = Callable[[str, dict[str, str]], None]
"""Raises an alert for the operator: event name and fields."""


class AgentEndpoint:
    """All agent connections of this relay process.

    catch_up: has the registry know what other nodes have enrolled and revoked; may raise StoreError.
    """

    def __init__(
        self,
        settings: RelayCoreSettings,
        identity: IdentitySigner,
        authority: x509.Certificate,
        registry: AgentRegistry,
        dispatcher: Dispatcher,
        *,
        renew: Callable[[VerifiedPeer, bytes], Awaitable[bytes]],
        alarm: Alarm,
        clock: Callable[[], float],
        catch_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._settings, self.identity, self._registry = settings, identity, registry
        self._catch_up = catch_up
        self._dispatcher, self._renew, self._alarm, self._clock = dispatcher, renew, alarm, clock
        self._trust = PeerTrust(authority, Role.AGENT, self._check)
        self._open: set[AgentConnection] = set()
        self._unproven: ConnectionPlaces[HttpConnection] = ConnectionPlaces(_UNPROVEN, _UNPROVEN_OF_ADDRESS)
        self._draining = False

    @property
    def connections(self) -> list[AgentConnection]:
        """The connections that finished their handshake."""
        return self._dispatcher.connections

    @property
    def draining(self) -> bool:
        """It takes no new connections any more."""
        return self._draining

    @property
    def open(self) -> Collection[AgentConnection]:
        """All open connections, those in their handshake among them."""
        return self._open

    def add_routes(self, app: web.Application) -> None:
        """GET /agent/v1/connect, behind whatever names the client (see `gateway.relay.request`)."""
        app.router.add_get(CONNECT_PATH, self.connect)

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Let time pass on the connections; write once a minute who is there."""
        housekeeping.every_second(self.tick)
        housekeeping.every_minute("flush", self.flush)

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """One agent connection, from the upgrade to its end."""
        if "Origin" in request.headers:  # only a browser says it, for a web page
            raise web.HTTPForbidden(text="this address is for agents, not for web pages")
        if len(self.connections) >= self._settings.max_agents or self._draining:
            raise web.HTTPServiceUnavailable(text=_NO_MORE, headers={"Retry-After": "5"})
        offered = ",".join(request.headers.getall("Sec-WebSocket-Protocol", ())).split(",")
        if SUBPROTOCOL not in (protocol.strip() for protocol in offered):
            raise web.HTTPBadRequest(text=f"a websocket with the subprotocol {SUBPROTOCOL} is expected here")
        ws = web.WebSocketResponse(protocols=[SUBPROTOCOL], max_msg_size=MAX_FRAME, compress=False, autoping=True)
        ws.headers.update(ANSWER_HEADERS)
        await ws.prepare(request)
        http = request.protocol
        assert isinstance(http, HttpConnection)  # noqa: S101 - this application is served by a Listener
        for other in self._unproven.take(http, request[CLIENT_ADDRESS], asyncio.get_running_loop().time()):
            other.abort()
        http.allow(_HANDSHAKE)
        try:
            await self._serve(ws, http, request[CLIENT_ADDRESS])
        finally:
            self._unproven.leave(http)
        return ws

    async def _serve(self, ws: web.WebSocketResponse, http: HttpConnection, address: str) -> None:
        now = self._clock()
        session = RelaySession(self.identity, self._trust, now=now, ping_interval=self._settings.ping_interval)
        connection = AgentConnection(session, address=address, on_change=self._dispatcher.connection_changed)
        connection.connected_at = now
        connection.wake.set()  # the relay speaks first: its Hello is to be sent
        self._open.add(connection)
        # a task of its own: an agent that reads slowly must not keep its own answers from being read
        writer = asyncio.create_task(self._write(ws, connection, http), name=f"agent-writer-{address}")
        # and another: each frame would resume every coroutine from the connection through all middlewares down to here
        reader = asyncio.create_task(self._read(ws, connection, http), name=f"agent-reader-{address}")
        try:
            await reader
        except Exception:
            log.exception("agent.failed", agent=connection.name, address=connection.address)
            connection.close(CloseCode.GOING_AWAY, _FAILED)
        finally:
            self._remove(connection)  # first: what had not begun goes to another agent now, not after the goodbye
            connection.wake.set()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(writer, 5.0)
            await ws.close(code=_close_code(session))

    async def _read(self, ws: web.WebSocketResponse, connection: AgentConnection, http: HttpConnection) -> None:
        while connection.session.closed is None:
            message = await ws.receive()
            if message.type is WSMsgType.BINARY:
                proving = connection.opened is None
                if proving:
                    await self._read_enrolments()
                for event in connection.session.receive(message.data, self._clock()):
                    await self._take(connection, event)
                if proving and connection.opened is not None:
                    http.allow(None)
                    self._unproven.leave(http)
                connection.wake.set()
            elif message.type is WSMsgType.TEXT:
                connection.close(CloseCode.MALFORMED, "binary frames only")
            else:  # closed by the peer, lost, or larger than max_msg_size
                connection.session.close(CloseCode.GOING_AWAY, "connection ended", f"websocket code {ws.close_code}")
                return

    async def _read_enrolments(self) -> None:
        """Before a handshake is judged: another node may have issued this certificate a moment ago, and an agent that is
        refused comes back much later. Without an answer of the store the copy in memory decides."""
        if self._catch_up is None:
            return
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_CATCH_UP_PATIENCE):
                await self._catch_up()

    async def _write(self, ws: web.WebSocketResponse, connection: AgentConnection, http: HttpConnection) -> None:
        """Send what the session has to say until it is closed, then close the websocket.

        A writer that fails ends the connection immediately: what had not begun goes to another agent, instead of waiting for
        the session to be taken for silent.
        """
        try:
            await self._send(ws, connection)
        except Exception as error:
            if not isinstance(error, ConnectionError):
                log.exception("agent.failed", agent=connection.name, address=connection.address)
            connection.close(CloseCode.GOING_AWAY, _FAILED)
            http.abort()  # without a goodbye: it could not be written either
            return
        if not ws.closed:
            await ws.close(code=_close_code(connection.session))

    async def _send(self, ws: web.WebSocketResponse, connection: AgentConnection) -> None:
        """Several messages that became due together share a frame."""
        while True:
            await connection.wake.wait()
            connection.wake.clear()
            for frame in connection.session.frames():
                await ws.send_bytes(frame)
            if connection.session.closed is not None:
                return

    # -- events

    async def _take(self, connection: AgentConnection, event: Event) -> None:
        connection.take(event)
        if isinstance(event, Opened):
            self._admit(connection, event)
        elif isinstance(event, RenewalRequested):
            await self._answer_renewal(connection, event.csr)
        elif isinstance(event, Closed):
            log.info("agent.closed", agent=connection.name, code=event.code, reason=event.reason, detail=event.detail)

    def _admit(self, connection: AgentConnection, opened: Opened) -> None:
        """The handshake is done: from here on the agent may be asked, unless it only wanted to know that.

        A second live process under one name is what a stolen identity looks like.
        """
        if PROBE in opened.capabilities:
            log.info("agent.probed", agent=connection.name, address=connection.address)
            connection.session.send_allowed(self._registry.allowed(connection.name, opened.peer.serial))
            connection.close(CloseCode.NORMAL, "you would be let in")
            return
        if len(self.connections) >= self._settings.max_agents:  # others were faster since it came
            connection.close(CloseCode.GOING_AWAY, _NO_MORE)
            return
        for other in self.connections:
            if other.name == connection.name and other.opened and other.opened.instance != opened.instance:
                self._alarm(
                    "agent.cloned", {"agent": connection.name, "address": connection.address, "other": other.address}
                )
                break
        connection.open(opened, self._registry.allowed(connection.name, opened.peer.serial))
        # `*` says nothing: every agent with one directory claims it, whatever its enrolment allows
        if beyond := sorted(set(opened.domains) - {REST, *connection.domains}):
            log.warning("agent.claims_too_much", agent=connection.name, domains=beyond, allowed=connection.allowed)
        self.connections.append(connection)
        self._registry.seen(opened, self._clock(), connection.address)
        log.info("agent.connected", agent=connection.name, address=connection.address, domains=connection.domains)
        self._dispatcher.connections_changed()

    def _remove(self, connection: AgentConnection) -> None:
        self._open.discard(connection)
        if connection in self.connections:
            self.connections.remove(connection)
            self._note_seen(connection)
            closed = connection.session.close(CloseCode.GOING_AWAY, "connection given up")
            log.info(
                "agent.disconnected",
                agent=connection.name,
                address=connection.address,
                code=closed.code,
                reason=closed.reason,
                detail=closed.detail,
                by_agent=closed.by_peer,
            )
        connection.lose()
        self._dispatcher.connections_changed()

    async def _answer_renewal(self, connection: AgentConnection, csr: bytes) -> None:
        assert connection.opened is not None  # noqa: S101 - records come after the handshake
        try:
            connection.session.send_renewed(await self._renew(connection.opened.peer, csr))
        except RenewalRefused as refused:
            log.warning("agent.renewal_refused", agent=connection.name, reason=str(refused))
            connection.session.send_renewal_denied(str(refused))
        except StoreError as error:
            log.error("agent.renewal_failed", agent=connection.name, error=str(error))  # noqa: TRY400 - it says all
            connection.session.send_renewal_denied("the relay cannot write its records at present")

    def _check(self, peer: VerifiedPeer) -> None:
        """The handshake's last question. From memory: it is asked within `receive`, where nothing can be awaited."""
        status = self._registry.status(peer.name, peer.serial)
        if status == "revoked":
            raise PeerRevoked(f"certificate {peer.serial:x} of {peer.name} was revoked")
        if status == "unknown":
            raise PeerRefused(f"no agent {peer.name} with certificate {peer.serial:x} was enrolled here")

    # -- from outside

    def tick(self) -> None:
        """Let time pass on every connection; about once a second."""
        now = self._clock()
        for connection in list(self._open):
            try:
                self._tick(connection, now)
            except Exception:
                log.exception("agent.failed", agent=connection.name, address=connection.address)
                connection.close(CloseCode.GOING_AWAY, _FAILED)

    def _tick(self, connection: AgentConnection, now: float) -> None:
        for event in connection.session.tick(now):
            connection.take(event)
        if connection.opened is not None and now > connection.opened.peer.not_after:
            connection.close(CloseCode.EXPIRED, "certificate expired")
        connection.wake.set()

    async def flush(self) -> None:
        """Write who is there now, and what else the store does not know; also at the end. Logs a store that refuses."""
        for connection in self.connections:
            self._note_seen(connection)
        try:
            await self._registry.flush()
        except StoreError as error:
            log.error("housekeeping.failed", duty="flush", error=str(error))  # noqa: TRY400 - its text says all

    def _note_seen(self, connection: AgentConnection) -> None:
        if connection.opened is not None:
            self._registry.seen(connection.opened, self._clock(), connection.address)

    def use(self, identity: IdentitySigner) -> None:
        """The relay's own certificate was renewed: use it on new connections and on those that are open."""
        self.identity = identity
        for connection in self._open:
            connection.session.use(identity)

    def close_agent(self, name: str, code: CloseCode, reason: str) -> int:
        """End every live connection of an agent immediately; returns how many there were."""
        connections = [connection for connection in self.connections if connection.name == name]
        for connection in connections:
            connection.close(code, reason)
        return len(connections)

    async def quarantine(self, name: str, why: str) -> None:
        """Revoke an agent that lied. Raises StoreError where that could not be written; it is cut off all the same."""
        self._alarm("agent.quarantined", {"agent": name, "why": why})
        self.close_agent(name, CloseCode.QUARANTINED, "quarantined")  # first: the store may be slow, or refuse
        await self._registry.revoke(name, self._clock(), f"quarantined: {why}")

    async def drain(self, patience: float) -> None:
        """Take no new connection, let what is in flight finish, then say goodbye."""
        self._draining = True
        for connection in self.connections:
            connection.session.drain()
            connection.wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._dispatcher.outstanding:  # noqa: ASYNC110 - many connections, one end; polled once, at the end
                    await asyncio.sleep(0.05)
        for connection in list(self.connections):
            connection.close(CloseCode.GOING_AWAY, "relay is stopping")


def _close_code(session: RelaySession) -> int:
    """For the websocket. The peer's own code may be any number: its goodbye is answered with a plain one."""
    if session.closed is None:
        return CloseCode.GOING_AWAY
    return CloseCode.NORMAL if session.closed.by_peer else session.closed.code
