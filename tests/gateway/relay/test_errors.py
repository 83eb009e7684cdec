"""What the relay refuses, and how it says so: in words, on the control socket and on the agents' websocket."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import WSMsgType

from certs import Authority, MachineIdentity, Role
from gateway.app import Relay, init, serving
from gateway.protocol import MAX_FRAME, SUBPROTOCOL, AgentFacts, AgentSession, CloseCode, Trust
from gateway.protocol.events import Closed, Event, Opened
from gateway.protocol.messages import Bye, encode
from gateway.relay.administration.control import SOCKET_NAME
from gateway.relay.agents.endpoint import CONNECT_PATH
from gateway.relay.errors import EnrolmentRefused, RelayError, RenewalRefused, UnknownAgent
from gateway.store import AgentRecord
from tests.support.rooms import server_settings

TOO_BIG = 1009
"""What the websocket itself says of a message that is too large (RFC 6455 section 7.4.1)."""


class Clock:
    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Door:
    """A relay, and somebody who knocks without being an agent."""

    def __init__(self, relay: Relay, client: aiohttp.ClientSession, clock: Clock) -> None:
        self.relay, self.client, self.clock = relay, client, clock
        self.url = relay.settings.public_url + CONNECT_PATH

    def connect(self, *protocols: str) -> Any:
        return self.client.ws_connect(self.url, protocols=protocols or (SUBPROTOCOL,), autoclose=False)

    async def closed_with(self, ws: aiohttp.ClientWebSocketResponse) -> tuple[list[bytes], int | None]:
        """What the relay says until it closes, and the code."""
        frames = []
        while (message := await ws.receive(timeout=5)).type is WSMsgType.BINARY:
            frames.append(message.data)
        return frames, message.data if message.type is WSMsgType.CLOSE else None


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    settings, clock = server_settings(tmp_path, max_agents=3), Clock()
    init(settings, name="relay1", now=time.time())
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.pem")))
    async with serving(settings, clock=clock) as running, aiohttp.ClientSession(connector=connector) as client:
        yield Door(running, client, clock)


# -- in words


def test_every_refusal_is_the_relays() -> None:
    """One base for who wants to catch them all."""
    assert all(issubclass(kind, RelayError) for kind in (EnrolmentRefused, RenewalRefused, UnknownAgent))


def test_a_refused_enrolment_tells_the_way_to_another_token() -> None:
    """The reason alone goes to whoever asked; the log has the remedy."""
    refused = EnrolmentRefused("the token is used")
    assert refused.reason == "the token is used"
    assert str(refused) == "enrolment refused: the token is used. Make a new token with `isthmus relay token --name NAME`"


def test_a_refused_renewal_tells_why() -> None:
    """The agent's operator reads it."""
    assert RenewalRefused("this agent was revoked").reason == "this agent was revoked"
    assert str(RenewalRefused("this agent was revoked")) == "renewal refused: this agent was revoked"


def test_an_unknown_agent_is_named() -> None:
    """As it was typed, with what lists the known ones."""
    assert UnknownAgent("agnet1\n").name == "agnet1\n"
    assert str(UnknownAgent("agnet1\n")) == r"no agent 'agnet1\n' was enrolled here; `isthmus relay agents` lists them"


# -- on the control socket


async def ordered(relay: Relay, act: str, order: Any) -> tuple[int, Any]:
    """Status and answer of an order over the control socket."""
    connector = aiohttp.UnixConnector(str(relay.settings.state_dir / SOCKET_NAME))
    async with aiohttp.ClientSession(connector=connector) as client:
        data = order if isinstance(order, bytes) else json.dumps(order).encode()
        async with client.post(f"http://relay/{act}", data=data) as response:
            text = await response.text()
            return response.status, json.loads(text) if response.content_type == "application/json" else text


TOKEN = {"name": "agent1", "actor": "admin:test", "domains": []}
UNFIT_ORDERS: list[tuple[str, Any, str]] = [
    ("revoke", {"name": "nobody", "why": "stolen", "actor": "admin:test"}, "no agent 'nobody' was enrolled here"),
    ("create_token", {**TOKEN, "name": "no such/name"}, "machine name 'no such/name'"),
    ("create_token", {"name": "agent1"}, "actor"),
    ("create_token", b"{", "line 1"),
    ("create_token", b"\xff", "utf-8"),
]


async def test_an_order_that_cannot_be_carried_out_is_told_why(door: Door) -> None:
    """As JSON, for the command line to show; and the relay goes on."""
    for act, order, words in UNFIT_ORDERS:
        status, answer = await ordered(door.relay, act, order)
        assert status == 400
        assert words in answer["error"]
    status, view = await ordered(door.relay, "create_token", TOKEN)
    assert status == 200
    assert view["name"] == "agent1"


@pytest.mark.parametrize("order", [[], None, {**TOKEN, "name": 7}, {**TOKEN, "name": None}, {**TOKEN, "domains": None}])
async def test_an_order_of_the_wrong_shape_is_told_so(door: Door, order: Any) -> None:
    """A command line of another version may send it."""
    status, answer = await ordered(door.relay, "create_token", order)
    assert status == 400
    assert answer["error"]


# -- on the agents' websocket


async def test_without_an_upgrade_there_is_no_session(door: Door) -> None:
    """A browser that opens the address is told so."""
    async with door.client.get(door.url) as response:
        assert response.status == 400
        assert "websocket" in (await response.text()).lower()


async def test_another_subprotocol_is_refused(door: Door) -> None:
    """The relay says nothing else to it."""
    for protocol in ("isthmus.agent.v99", "chat"):
        async with door.connect(protocol) as ws:
            assert await door.closed_with(ws) == ([], 1002)
    assert door.relay.hub.links == []


STRANGE: dict[str, tuple[bytes | str, set[int]]] = {
    "empty": (b"", {CloseCode.MALFORMED}),
    "garbage": (b"\xc1" * 100, {CloseCode.MALFORMED}),
    "large": (bytes(MAX_FRAME), {CloseCode.MALFORMED, TOO_BIG}),
    "larger than any message": (bytes(MAX_FRAME + 1), {CloseCode.GOING_AWAY, TOO_BIG}),
    "nested": (b"\x91" * 60_000, {CloseCode.MALFORMED}),
    "text": ("hello", {CloseCode.MALFORMED}),
    "bye": (encode(Bye(CloseCode.NORMAL, "never mind" * 25)), {CloseCode.NORMAL}),
}


async def test_what_is_no_handshake_ends_the_connection(door: Door) -> None:
    """With a code; nothing of it is left, and nothing of it is logged as an error of ours."""
    with structlog.testing.capture_logs() as logs:
        for kind, (frame, codes) in STRANGE.items():
            async with door.connect() as ws:
                await (ws.send_str(frame) if isinstance(frame, str) else ws.send_bytes(frame))
                _, told = await door.closed_with(ws)
            assert told in codes, kind
    assert door.relay.hub.links == []
    assert {entry["log_level"] for entry in logs} <= {"info", "warning"}


@pytest.mark.parametrize("code", [70_000, -1, 2**63])
async def test_a_goodbye_with_an_impossible_code_is_a_goodbye(door: Door, code: int) -> None:
    """A stranger's number must not become an exception here."""
    async with door.connect() as ws:
        await ws.send_bytes(encode(Bye(code, "bye")))
        _, told = await door.closed_with(ws)
    assert told is not None


async def test_who_says_nothing_is_given_up(door: Door) -> None:
    """The handshake has ten seconds; then the place is free."""
    async with door.connect() as ws:
        await ws.receive_bytes()
        door.clock.ahead = 10.5
        door.relay.hub.tick()
        _, told = await door.closed_with(ws)
    assert told == CloseCode.SILENT


def present(door: Door, identity: MachineIdentity) -> AgentSession:
    """An agent's end of a session under this identity."""
    trust = Trust(Authority.load(door.relay.settings.state_dir / "authority").certificate, Role.RELAY)
    facts = AgentFacts(instance="i1", capacity=4, domains=("*",), software="test")
    return AgentSession(identity, trust, facts, now=door.clock())


async def said_to(door: Door, session: AgentSession) -> Event:
    """What came of the handshake."""
    async with door.connect() as ws:
        while True:
            for event in session.receive(await ws.receive_bytes(timeout=5), door.clock()):
                return event
            for frame in session.frames():
                await ws.send_bytes(frame)


@pytest.mark.parametrize("known", ["name", "serial", "neither"])
async def test_a_certificate_that_was_never_enrolled_here_is_refused(door: Door, tmp_path: Path, known: str) -> None:
    """The authority issued it (to be found in a backup, say): it must be this name's, and this very one."""
    authority, now = Authority.load(door.relay.settings.state_dir / "authority"), door.clock()

    def issue(name: str) -> MachineIdentity:
        home = tmp_path / f"{name}-{len(list(tmp_path.iterdir()))}"
        certificate = authority.issue(MachineIdentity.begin(home, name=name), name=name, role=Role.AGENT, now=now)
        return MachineIdentity.install(home, certificate, authority.certificate_der, name=name, role=Role.AGENT, now=now)

    identity = issue("agent1")
    serials = {"name": issue("agent1").serial, "serial": identity.serial, "neither": 7}
    name = "agent2" if known == "serial" else "agent1"
    if known != "neither":
        record = AgentRecord(name=name, serial=f"{serials[known]:x}", not_after=identity.not_after, issued_at=now)
        await door.relay.roster.enrol(record)
    told = await said_to(door, present(door, identity))
    assert isinstance(told, Closed)
    assert (told.code, told.by_peer) == (CloseCode.REFUSED, True)
    assert door.relay.hub.links == []
    record = AgentRecord(name="agent1", serial=f"{identity.serial:x}", not_after=identity.not_after, issued_at=now)
    if known == "neither":  # the same one, enrolled, is let in
        await door.relay.roster.enrol(record)
        assert isinstance(await said_to(door, present(door, identity)), Opened)


async def test_one_connection_that_fails_is_not_the_end_of_the_others(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes for them, and it alone is closed."""

    def fail(_now: float) -> Any:
        raise RuntimeError("a defect")

    async with door.connect() as failing, door.connect() as other:
        for ws in (failing, other):
            await ws.receive_bytes()
        first = min(door.relay.hub.open, key=lambda link: link.connected_at)
        monkeypatch.setattr(first.session, "tick", fail)
        door.relay.hub.tick()
        _, told = await door.closed_with(failing)
        assert told == CloseCode.GOING_AWAY
        door.clock.ahead = 10.5
        door.relay.hub.tick()
        _, told = await door.closed_with(other)
        assert told == CloseCode.SILENT


async def test_more_connections_than_allowed_are_turned_away(door: Door) -> None:
    """Those without a handshake count too; whoever is turned away is told when to come again."""
    async with AsyncExitStack() as held:
        for _ in range(3):
            await (await held.enter_async_context(door.connect())).receive_bytes()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await door.connect()
        assert refused.value.status == 503
        assert refused.value.headers is not None
        assert int(refused.value.headers["Retry-After"]) > 0
    async with door.connect() as ws:
        assert await ws.receive_bytes()


async def test_a_stopping_relay_takes_no_new_connection(door: Door) -> None:
    """It says so instead of letting them wait."""
    await door.relay.hub.drain(0.0)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await door.connect()
    assert refused.value.status == 503
