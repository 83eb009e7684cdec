"""The agents' websocket: who is let in, who is not, and what one connection can do to the others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from certs import Authority, MachineIdentity, Role
from gateway.protocol import MAX_FRAME, SUBPROTOCOL, AgentFacts, AgentSession, CloseCode, PeerTrust
from gateway.protocol.events import Closed, Event, Opened
from gateway.protocol.messages import Bye, encode
from gateway.store import AgentRecord
from tests.gateway.relay.stranger import Stranger
from tests.support.relay_and_agent import eventually

TOO_BIG = 1009
"""What the websocket itself says of a message that is too large (RFC 6455 section 7.4.1)."""


async def test_without_an_upgrade_there_is_no_session(stranger: Stranger) -> None:
    """A browser that opens the address is told so."""
    async with stranger.client.get(stranger.url) as response:
        assert response.status == 400
        assert "websocket" in (await response.text()).lower()


async def test_another_subprotocol_is_refused(stranger: Stranger) -> None:
    """Before there is a websocket that waits for anything; the relay says which one it takes."""
    for protocol in ("isthmus.agent.v99", "chat"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stranger.connect(protocol)
        assert refused.value.status == 400
    assert stranger.relay.endpoint.connections == []


STRANGE: dict[str, tuple[bytes | str, set[int]]] = {
    "empty": (b"", {CloseCode.MALFORMED}),
    "garbage": (b"\xc1" * 100, {CloseCode.MALFORMED}),
    "large": (bytes(64 * 1024), {CloseCode.MALFORMED}),
    "larger than a handshake": (bytes(64 * 1024 + 1), {CloseCode.MALFORMED}),
    "nested": (b"\x91" * 60_000, {CloseCode.MALFORMED}),
    "text": ("hello", {CloseCode.MALFORMED}),
    "bye": (encode(Bye(CloseCode.NORMAL, "never mind" * 25)), {CloseCode.NORMAL}),
}


async def test_what_is_no_handshake_ends_the_connection(stranger: Stranger) -> None:
    """With a code; nothing of it is left, and nothing of it is logged as an error of ours."""
    with structlog.testing.capture_logs() as logs:
        for kind, (frame, codes) in STRANGE.items():
            async with stranger.connect() as ws:
                await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
                _, told = await stranger.closed_with(ws)
            assert told in codes, kind
    assert stranger.relay.endpoint.connections == []
    assert {entry["log_level"] for entry in logs} <= {"info", "warning"}


@pytest.mark.parametrize("code", [70_000, -1, 2**63])
async def test_a_goodbye_with_an_impossible_code_is_a_goodbye(stranger: Stranger, code: int) -> None:
    """A stranger's number must not become an exception here."""
    async with stranger.connect() as ws:
        await ws.send_bytes(encode(Bye(code, "bye")))
        _, told = await stranger.closed_with(ws)
    assert told is not None


async def test_who_says_nothing_is_given_up(stranger: Stranger) -> None:
    """The handshake has ten seconds; then the place is free."""
    async with stranger.connect() as ws:
        await ws.receive_bytes()
        stranger.clock.ahead = 10.5
        stranger.relay.endpoint.tick()
        _, told = await stranger.closed_with(ws)
    assert told == CloseCode.SILENT


def present(stranger: Stranger, identity: MachineIdentity) -> AgentSession:
    """An agent's end of a session under this identity."""
    trust = PeerTrust(Authority.load(stranger.relay.settings.state_dir / "authority").certificate, Role.RELAY)
    facts = AgentFacts(instance="i1", capacity=4, domains=("*",), software="test")
    return AgentSession(identity, trust, facts, now=stranger.clock())


async def said_to(stranger: Stranger, session: AgentSession) -> Event:
    """What came of the handshake."""
    async with stranger.connect() as ws:
        while True:
            for event in session.receive(await ws.receive_bytes(timeout=5), stranger.clock()):
                return event
            for frame in session.frames():
                await ws.send_bytes(frame)


@pytest.mark.parametrize("known", ["name", "serial", "neither"])
async def test_a_certificate_that_was_never_enrolled_here_is_refused(stranger: Stranger, tmp_path: Path, known: str) -> None:
    """The authority issued it (to be found in a backup, say): it must be this name's, and this very one."""
    authority, now = Authority.load(stranger.relay.settings.state_dir / "authority"), stranger.clock()

    def issue(name: str) -> MachineIdentity:
        home = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        certificate = authority.issue(MachineIdentity.begin(home, name=name), name=name, role=Role.AGENT, now=now)
        return MachineIdentity.install(home, certificate, authority.certificate_der, name=name, role=Role.AGENT, now=now)

    identity = issue("agent1")
    serials = {"name": issue("agent1").serial, "serial": identity.serial, "neither": 7}
    name = "agent2" if known == "serial" else "agent1"
    if known != "neither":
        record = AgentRecord(name=name, serial=f"{serials[known]:x}", not_after=identity.not_after, issued_at=now)
        await stranger.relay.registry.enrol(record, stranger.relay.store.unit())
    told = await said_to(stranger, present(stranger, identity))
    assert isinstance(told, Closed)
    assert (told.code, told.by_peer) == (CloseCode.REFUSED, True)
    assert stranger.relay.endpoint.connections == []
    record = AgentRecord(name="agent1", serial=f"{identity.serial:x}", not_after=identity.not_after, issued_at=now)
    if known == "neither":  # the same one, enrolled, is let in
        await stranger.relay.registry.enrol(record, stranger.relay.store.unit())
        assert isinstance(await said_to(stranger, present(stranger, identity)), Opened)


async def enrolled(stranger: Stranger, home: Path, lifetime: float = 86400.0) -> MachineIdentity:
    """An agent's certificate that this relay has issued; seconds from now."""
    authority, now = Authority.load(stranger.relay.settings.state_dir / "authority"), stranger.clock()
    request = MachineIdentity.begin(home, name="agent1")
    certificate = authority.issue(request, name="agent1", role=Role.AGENT, now=now, lifetime=lifetime)
    identity = MachineIdentity.install(home, certificate, authority.certificate_der, name="agent1", role=Role.AGENT, now=now)
    record = AgentRecord(name="agent1", serial=f"{identity.serial:x}", not_after=identity.not_after, issued_at=now)
    await stranger.relay.registry.enrol(record, stranger.relay.store.unit())
    return identity


async def test_a_revoked_certificate_is_refused(stranger: Stranger, tmp_path: Path) -> None:
    """Revocation holds for the next handshake, and says so."""
    identity = await enrolled(stranger, tmp_path / "agent1")
    assert isinstance(await said_to(stranger, present(stranger, identity)), Opened)
    await stranger.relay.registry.revoke("agent1", stranger.clock(), "lost")
    told = await said_to(stranger, present(stranger, identity))
    assert isinstance(told, Closed)
    assert (told.code, told.by_peer) == (CloseCode.REVOKED, True)


async def test_a_certificate_that_ends_ends_its_connection(stranger: Stranger, tmp_path: Path) -> None:
    """An agent that did not renew is not asked for longer than its certificate lasts."""
    session = present(stranger, await enrolled(stranger, tmp_path / "agent1", 5.0))
    async with stranger.connect() as ws:
        while not stranger.relay.endpoint.connections:
            session.receive(await ws.receive_bytes(timeout=5), stranger.clock())
            for frame in session.frames():
                await ws.send_bytes(frame)
        (connection,) = stranger.relay.endpoint.connections
        assert connection.opened is not None
        stranger.clock.ahead = connection.opened.peer.not_after - stranger.clock() + 1.0
        stranger.relay.endpoint.tick()
        _, told = await stranger.closed_with(ws)
    assert told == CloseCode.EXPIRED


async def test_one_connection_that_fails_is_not_the_end_of_the_others(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time passes for them, and it alone is closed."""

    def fail(_now: float) -> Any:
        raise RuntimeError("a defect")

    async with stranger.connect() as failing, stranger.connect() as other:
        for ws in (failing, other):
            await ws.receive_bytes()
        first = min(stranger.relay.endpoint.open, key=lambda connection: connection.connected_at)
        monkeypatch.setattr(first.session, "tick", fail)
        stranger.relay.endpoint.tick()
        _, told = await stranger.closed_with(failing)
        assert told == CloseCode.GOING_AWAY
        stranger.clock.ahead = 10.5
        stranger.relay.endpoint.tick()
        _, told = await stranger.closed_with(other)
        assert told == CloseCode.SILENT


async def test_more_agents_than_allowed_are_turned_away(stranger: Stranger, tmp_path: Path) -> None:
    """Whoever is turned away is told when to come again. Strangers take no agent's place."""
    identity = await enrolled(stranger, tmp_path / "agent1")
    async with AsyncExitStack() as held:
        for _ in range(5):
            await (await held.enter_async_context(stranger.connect())).receive_bytes()
        for _ in range(2):
            await introduced(stranger, identity, await held.enter_async_context(stranger.connect()))
        late = await held.enter_async_context(stranger.connect())
        await introduced(stranger, identity, await held.enter_async_context(stranger.connect()))
        assert len(stranger.relay.endpoint.connections) == 3
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stranger.connect()
        assert refused.value.status == 503
        assert refused.value.headers is not None
        assert int(refused.value.headers["Retry-After"]) > 0
        await introduced(stranger, identity, late)
        assert (await stranger.closed_with(late))[1] == CloseCode.GOING_AWAY
        assert len(stranger.relay.endpoint.connections) == 3
    async with stranger.connect() as ws:
        assert await ws.receive_bytes()


async def introduced(stranger: Stranger, identity: MachineIdentity, ws: aiohttp.ClientWebSocketResponse) -> None:
    """Make an agent's handshake, as far as the relay says something to it."""
    session = present(stranger, identity)
    session.receive(await ws.receive_bytes(timeout=5), stranger.clock())
    for frame in session.frames():
        await ws.send_bytes(frame)
    session.receive(await ws.receive_bytes(timeout=5), stranger.clock())


async def test_a_web_page_gets_no_websocket(stranger: Stranger) -> None:
    """A browser says where its page is from; an agent has no page."""
    for origin in ("https://evil.example", "null", stranger.relay.settings.public_url):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stranger.client.ws_connect(stranger.url, protocols=(SUBPROTOCOL,), origin=origin)
        assert refused.value.status == 403
    assert not stranger.relay.endpoint.open


async def test_strangers_hold_little_and_give_way(stranger: Stranger, tmp_path: Path) -> None:
    """At most 64 KiB and a little of each, at most 16 of an address, the oldest first; a proven one stays, and may send
    what it likes."""
    identity = await enrolled(stranger, tmp_path / "agent1")
    connector = aiohttp.TCPConnector(ssl=stranger.client.connector._ssl, limit=0)  # type: ignore[union-attr]
    async with AsyncExitStack() as held:
        client = await held.enter_async_context(aiohttp.ClientSession(connector=connector))
        agent = await held.enter_async_context(stranger.connect())
        await introduced(stranger, identity, agent)
        strangers = []
        for _ in range(40):
            ws = await held.enter_async_context(client.ws_connect(stranger.url, protocols=(SUBPROTOCOL,)))
            await ws.receive_bytes()
            strangers.append(ws)
        await eventually(lambda: len(stranger.relay.endpoint.open) == 1 + 16)
        assert [(await ws.receive(timeout=5)).type for ws in strangers[:24]] == [aiohttp.WSMsgType.CLOSED] * 24
        for ws in strangers[24:]:
            transport = ws.get_extra_info("sslcontext") and ws._conn.transport  # type: ignore[union-attr]
            assert transport is not None
            transport.write(b"\x82\xff" + (1_000_000).to_bytes(8, "big") + bytes(4) + bytes(60_000))  # a frame's begin
        await asyncio.sleep(0)
        assert len(stranger.relay.endpoint.open) == 17
        for ws in strangers[24:]:
            ws._conn.transport.write(bytes(10_000))  # type: ignore[union-attr]
        await eventually(lambda: len(stranger.relay.endpoint.open) == 1)
        assert len(stranger.relay.endpoint.connections) == 1
        await agent.send_bytes(bytes(MAX_FRAME - 100))  # no record, but read to its end
        assert (await stranger.closed_with(agent))[1] in {CloseCode.FORGED, CloseCode.MALFORMED}


async def test_a_stopping_relay_takes_no_new_connection(stranger: Stranger) -> None:
    """It says so instead of letting them wait."""
    await stranger.relay.endpoint.drain(0.0)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await stranger.connect()
    assert refused.value.status == 503
