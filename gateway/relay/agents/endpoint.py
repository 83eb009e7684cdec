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
from gateway.protocol import (
    MAX_FRAME,
    SUBPROTOCOL,
    CloseCode,
    PeerRefused,
    PeerRevoked,
    RelaySession,
    Signer,
    Trust,
)
from gateway.protocol.events import Closed, Event, Opened, RenewalRequested
from gateway.relay.agents.connection import Link
from gateway.relay.agents.dispatch import Dispatcher
from gateway.relay.agents.registry import Roster
from gateway.relay.errors import RenewalRefused
from gateway.relay.request import CLIENT_ADDRESS
from gateway.relay.settings import RelayCoreSettings
from gateway.store import StoreError

log = structlog.get_logger()

CONNECT_PATH = "/agent/v1/connect"
_FAILED = "error at the relay"
"""What an agent is told after an exception that nobody expected: its connection ends, the others go on."""
Alarm = Callable[[str, dict[str, str]], None]
"""Raises an alert for the operator: event name and fields."""


class Hub:
    """All agent connections of this relay process."""

    def __init__(
        self,
        settings: RelayCoreSettings,
        identity: Signer,
        authority: x509.Certificate,
        roster: Roster,
        dispatcher: Dispatcher,
        *,
        renew: Callable[[VerifiedPeer, bytes], Awaitable[bytes]],
        alarm: Alarm,
        clock: Callable[[], float],
    ) -> None:
        self._settings, self.identity, self._roster = settings, identity, roster
        self._dispatcher, self._renew, self._alarm, self._clock = dispatcher, renew, alarm, clock
        self._trust = Trust(authority, Role.AGENT, self._check)
        self._open: set[Link] = set()
        self._draining = False

    @property
    def links(self) -> list[Link]:
        """The connections that finished their handshake."""
        return self._dispatcher.links

    @property
    def open(self) -> Collection[Link]:
        """All open connections, those in their handshake among them."""
        return self._open

    def add_routes(self, app: web.Application) -> None:
        """Serve the endpoint."""
        app.router.add_get(CONNECT_PATH, self.connect)

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """One agent connection, from the upgrade to its end."""
        if len(self._open) >= self._settings.max_agents or self._draining:
            raise web.HTTPServiceUnavailable(text="no more agent connections are taken here", headers={"Retry-After": "5"})
        ws = web.WebSocketResponse(protocols=[SUBPROTOCOL], max_msg_size=MAX_FRAME, compress=False, autoping=True)
        await ws.prepare(request)
        if ws.ws_protocol != SUBPROTOCOL:
            await ws.close(code=1002, message=f"subprotocol {SUBPROTOCOL} expected".encode())
            return ws
        await self._serve(ws, request[CLIENT_ADDRESS])
        return ws

    async def _serve(self, ws: web.WebSocketResponse, address: str) -> None:
        now = self._clock()
        session = RelaySession(self.identity, self._trust, now=now, ping_interval=self._settings.ping_interval)
        link = Link(session, address=address, on_change=self._dispatcher.link_changed)
        link.connected_at = now
        link.wake.set()
        self._open.add(link)
        writer = asyncio.create_task(self._write(ws, link), name=f"agent-writer-{address}")
        try:
            await self._read(ws, link)
        except Exception:
            log.exception("agent.failed", agent=link.name, address=link.address)
            link.close(CloseCode.GOING_AWAY, _FAILED)
        finally:
            self._remove(link)
            link.wake.set()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(writer, 5.0)
            await ws.close(code=_close_code(session))

    async def _read(self, ws: web.WebSocketResponse, link: Link) -> None:
        while link.session.closed is None:
            message = await ws.receive()
            if message.type is WSMsgType.BINARY:
                for event in link.session.receive(message.data, self._clock()):
                    await self._take(link, event)
                link.wake.set()
            elif message.type is WSMsgType.TEXT:
                link.close(CloseCode.MALFORMED, "binary frames only")
            else:  # closed by the peer, lost, or larger than max_msg_size
                link.session.close(CloseCode.GOING_AWAY, "connection ended", f"websocket code {ws.close_code}")
                return

    async def _write(self, ws: web.WebSocketResponse, link: Link) -> None:
        """Send what the session has to say until it is closed, then close the websocket."""
        try:
            with contextlib.suppress(ConnectionError):
                await self._send(ws, link)
        except Exception:
            log.exception("agent.failed", agent=link.name, address=link.address)
            link.close(CloseCode.GOING_AWAY, _FAILED)
        if not ws.closed:
            await ws.close(code=_close_code(link.session))

    async def _send(self, ws: web.WebSocketResponse, link: Link) -> None:
        """Several messages that became due together share a frame."""
        while True:
            await link.wake.wait()
            link.wake.clear()
            for frame in link.session.frames():
                await ws.send_bytes(frame)
            if link.session.closed is not None:
                return

    # -- events

    async def _take(self, link: Link, event: Event) -> None:
        link.take(event)
        if isinstance(event, Opened):
            self._admit(link, event)
        elif isinstance(event, RenewalRequested):
            await self._answer_renewal(link, event.csr)
        elif isinstance(event, Closed):
            log.info("agent.closed", agent=link.name, code=event.code, reason=event.reason, detail=event.detail)

    def _admit(self, link: Link, opened: Opened) -> None:
        """A second live process under one name is what a stolen identity looks like."""
        for other in self.links:
            if other.name == link.name and other.opened and other.opened.instance != opened.instance:
                self._alarm("agent.cloned", {"agent": link.name, "address": link.address, "other": other.address})
                break
        link.opened = opened
        link.allowed = self._roster.allowed(link.name, opened.peer.serial)
        if beyond := sorted(set(opened.domains) - set(link.domains)):
            log.warning("agent.claims_too_much", agent=link.name, domains=beyond, allowed=link.allowed)
        self.links.append(link)
        self._roster.seen(opened, self._clock(), link.address)
        log.info("agent.connected", agent=link.name, address=link.address, domains=link.domains)
        self._dispatcher.links_changed()

    def _remove(self, link: Link) -> None:
        self._open.discard(link)
        if link in self.links:
            self.links.remove(link)
            self._note_seen(link)
            closed = link.session.close(CloseCode.GOING_AWAY, "connection given up")
            log.info(
                "agent.disconnected",
                agent=link.name,
                address=link.address,
                code=closed.code,
                reason=closed.reason,
                detail=closed.detail,
                by_agent=closed.by_peer,
            )
        link.lose()
        self._dispatcher.links_changed()

    async def _answer_renewal(self, link: Link, csr: bytes) -> None:
        assert link.opened is not None  # noqa: S101 - records come after the handshake
        try:
            link.session.send_renewed(await self._renew(link.opened.peer, csr))
        except RenewalRefused as refused:
            log.warning("agent.renewal_refused", agent=link.name, reason=str(refused))
            link.session.send_renewal_refused(str(refused))
        except StoreError as error:
            log.error("agent.renewal_failed", agent=link.name, error=str(error))  # noqa: TRY400 - it says all
            link.session.send_renewal_refused("the relay cannot write its records at present")

    def _check(self, peer: VerifiedPeer) -> None:
        status = self._roster.status(peer.name, peer.serial)
        if status == "revoked":
            raise PeerRevoked(f"certificate {peer.serial:x} of {peer.name} was revoked")
        if status == "unknown":
            raise PeerRefused(f"no agent {peer.name} with certificate {peer.serial:x} was enrolled here")

    # -- from outside

    def tick(self) -> None:
        """Let time pass on every connection; about once a second."""
        now = self._clock()
        for link in list(self._open):
            try:
                self._tick(link, now)
            except Exception:
                log.exception("agent.failed", agent=link.name, address=link.address)
                link.close(CloseCode.GOING_AWAY, _FAILED)

    def _tick(self, link: Link, now: float) -> None:
        for event in link.session.tick(now):
            link.take(event)
        if link.opened is not None and now > link.opened.peer.not_after:
            link.close(CloseCode.EXPIRED, "certificate expired")
        link.wake.set()

    def note_seen(self) -> None:
        """Tell the roster who is there now."""
        for link in self.links:
            self._note_seen(link)

    def _note_seen(self, link: Link) -> None:
        if link.opened is not None:
            self._roster.seen(link.opened, self._clock(), link.address)

    def use(self, identity: Signer) -> None:
        """The relay's own certificate was renewed: use it on new connections and on those that are open."""
        self.identity = identity
        for link in self._open:
            link.session.use(identity)

    def close_agent(self, name: str, code: CloseCode, reason: str) -> int:
        """End every live connection of an agent at once; returns how many there were."""
        links = [link for link in self.links if link.name == name]
        for link in links:
            link.close(code, reason)
        return len(links)

    async def drain(self, patience: float) -> None:
        """Take no new connection, let what is in flight finish, then say goodbye."""
        self._draining = True
        for link in self.links:
            link.session.drain()
            link.wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._dispatcher.outstanding:  # noqa: ASYNC110 - many links, one end; polled once, at the end
                    await asyncio.sleep(0.05)
        for link in list(self.links):
            link.close(CloseCode.GOING_AWAY, "relay is stopping")


def _close_code(session: RelaySession) -> int:
    """For the websocket. The peer's own code may be any number: its goodbye is answered with a plain one."""
    if session.closed is None:
        return CloseCode.GOING_AWAY
    return CloseCode.NORMAL if session.closed.by_peer else session.closed.code
