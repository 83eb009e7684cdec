"""One handshake that only asks whether an agent would be let in."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from certs import MachineIdentity
from demo.throwaway_tls import write_certificates
from gateway.agent import RelayUnreachable, RelayVerdict, Route, make_routes, probe_relay, tls_context
from gateway.app import Relay
from gateway.protocol import SUBPROTOCOL, CloseCode, PeerTrust, RelaySession
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, agent_settings, enrolled, relay


async def asked(home: Path, state: Path) -> RelayVerdict | None:
    """What the relay says of the agent in `state`."""
    (route,) = make_routes(agent_settings(home), state)
    return await probe_relay(route, MachineIdentity.load(state / "identity"), software="test", clock=time.time)


async def test_a_probe_learns_what_the_agent_may_do_and_disturbs_nobody(tmp_path: Path) -> None:
    """The agent that runs meanwhile is not taken for a clone, and the probe is never one of the relay's agents."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1", ("corp.example.com", "CORP"))
        async with agent(tmp_path, running, FakeDirectories({}), state_dir=state):
            before = list(running.endpoint.connections)
            assert await asked(tmp_path, state) == RelayVerdict(True, ("corp.example.com", "corp"))
            assert running.endpoint.connections == before
            assert await kinds(running, "alert.agent.cloned") == []
        anything = await enrolled(tmp_path, running, "agent2")
        assert await asked(tmp_path, anything) == RelayVerdict(True, None)
        await running.administration.revoke("agent1", "lost", "admin:test")
        verdict = await asked(tmp_path, state)
    assert verdict is not None
    assert (verdict.admitted, verdict.code) == (False, CloseCode.REVOKED)
    with pytest.raises(RelayUnreachable, match="connection refused"):
        await asked(tmp_path, state)


async def kinds(running: Relay, kind: str) -> list[object]:
    """Entries of this kind in the trail."""
    return list(await running.administration.audit(limit=50, before=None, kind=kind, subject=""))


async def test_an_older_relay_is_not_shown_who_asks(tmp_path: Path) -> None:
    """It would let the agent in and have it work."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        identity = running.endpoint.identity
    write_certificates(tmp_path / "old", dns_name="localhost", address="127.0.0.1")
    (route,) = make_routes(agent_settings(tmp_path), state)
    heard: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def older(ws: ServerConnection) -> None:
        trust = PeerTrust(MachineIdentity.load(state / "identity").authority, role="agent")  # type: ignore[arg-type]
        for frame in RelaySession(identity, trust, now=time.time(), capabilities=("report",)).frames():
            await ws.send(frame)
        heard.set_result([message async for message in ws] != [])

    tls = _server_tls(tmp_path / "old")
    subprotocol = Subprotocol(SUBPROTOCOL)
    async with serve(older, "127.0.0.1", 0, ssl=tls, subprotocols=[subprotocol]) as server:
        port = server.sockets[0].getsockname()[1]
        settings = agent_settings(tmp_path, tls_ca_file=tmp_path / "old" / "ca.pem")
        there = Route(f"https://127.0.0.1:{port}", tls_context(settings), route.proxy)
        found = await probe_relay(there, MachineIdentity.load(state / "identity"), software="test", clock=time.time)
        assert (found, await heard) == (None, False)


def _server_tls(home: Path) -> object:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    return context
