"""One handshake with a relay, to learn whether it would let this agent in. The agent that runs meanwhile is not disturbed:
a probe is never asked about anybody, and is not taken for a second process under its name."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from certs import MachineIdentity, Role
from gateway.agent.connection import OPEN_TIMEOUT, explain
from gateway.agent.errors import RelayUnreachable
from gateway.agent.routes import Route
from gateway.protocol import (
    MAX_FRAME,
    PROBE,
    SUBPROTOCOL,
    AgentFacts,
    AgentSession,
    CloseCode,
    Closed,
    DomainsAllowed,
    PeerTrust,
)


class RelayVerdict(Struct, frozen=True):
    """What a relay says of this agent."""

    admitted: bool
    domains: tuple[str, ...] | None = None
    """Of one that is admitted: what it may answer for; None for whatever it claims."""
    code: int = 0
    """Of one that is not: the close code …"""
    reason: str = ""
    """… and what was said with it, by either end; for an operator."""


async def probe_relay(
    route: Route, identity: MachineIdentity, *, software: str, clock: Callable[[], float]
) -> RelayVerdict | None:
    """Shake hands once. None where the relay is of a version that cannot be asked. clock: Unix seconds.

    Raises RelayUnreachable. Cancelling closes the websocket.
    """
    facts = AgentFacts(instance=os.urandom(8).hex(), capacity=1, domains=(), software=software, capabilities=(PROBE,))
    session = AgentSession(identity, PeerTrust(identity.authority, Role.RELAY), facts, now=clock())
    try:
        async with (
            asyncio.timeout(OPEN_TIMEOUT),
            connect(
                route.url,
                ssl=route.tls,
                proxy=route.proxy,  # type: ignore[arg-type]  # the library's Literal[True] is our bool
                subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
                compression=None,
                max_size=MAX_FRAME,
                ping_interval=None,
                close_timeout=2.0,
            ) as ws,
        ):
            return await _shake_hands(ws, session, clock)
    except (OSError, WebSocketException, TimeoutError, ValueError) as error:
        raise RelayUnreachable(route.relay, explain(error, route.proxy)) from error


async def _shake_hands(ws: ClientConnection, session: AgentSession, clock: Callable[[], float]) -> RelayVerdict | None:
    while True:
        try:
            frame = await ws.recv(decode=False)
        except ConnectionClosed as error:
            return RelayVerdict(False, code=int(CloseCode.GOING_AWAY), reason=f"the connection was closed ({error})")
        for event in session.receive(frame, clock()):
            if isinstance(event, DomainsAllowed):
                return RelayVerdict(True, event.domains)
            if isinstance(event, Closed):
                return RelayVerdict(False, code=event.code, reason=event.detail or event.reason)
        if session.relay and PROBE not in session.peer_capabilities:
            return None  # before this end has proved who it is: that one would let it in and have it work
        with contextlib.suppress(ConnectionClosed):  # what it said before it hung up is still to be read
            for answer in session.frames():
                await ws.send(answer)
