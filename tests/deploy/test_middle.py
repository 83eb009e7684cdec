"""A man in the middle who ends TLS on both sides, as a company's inspecting proxy does, and what he can and cannot do."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal

import pytest

from certs import Authority, EnrolmentToken
from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from gateway.agent import Agent, AgentCoreSettings, EnrolmentFailed, enrol, make_routes
from gateway.app import Relay, init, serving
from gateway.protocol import AgentSession, CloseCode, Outcome
from gateway.protocol.events import Closed
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, agent_settings, attempt, enrolled, eventually, server_settings

ANNA = "anna@corp.example.com"
PASSWORD = "Straße-of-Messina-1783"

Direction = Literal["up", "down"]
"""`up`: agent to relay, `down`: relay to agent."""
Frames = list[bytes]
Trick = Callable[[bytes], Frames]
"""What becomes of one websocket payload."""


class Inspector:
    """Context manager: a TLS server that the agent trusts, in front of the relay; reads, and plays tricks on demand."""

    def __init__(self, port: int, certificates: Path, relay_port: int, relay_ca: Path) -> None:
        self.port, self._relay_port = port, relay_port
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server_tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self._client_tls = ssl.create_default_context(cafile=str(relay_ca))
        self.seen: dict[Direction, bytearray] = {"up": bytearray(), "down": bytearray()}
        """Every byte in clear, as far as TLS goes; websocket payloads unmasked."""
        self.frames: dict[Direction, int] = {"up": 0, "down": 0}
        self.rewrite_http: Callable[[Direction, bytes], bytes] = lambda _direction, data: data
        self._tricks: dict[Direction, list[Trick]] = {"up": [], "down": []}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def play(self, direction: Direction, trick: Trick, *, after: int = 0) -> None:
        """Play a trick on a coming frame in this direction; after: how many are let through first."""
        self._tricks[direction] = [_honest] * after + [trick]

    @property
    def played(self) -> bool:
        """Whether every trick was played."""
        return not any(self._tricks.values())

    async def __aenter__(self) -> Inspector:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._server_tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            there, back = await asyncio.open_connection("127.0.0.1", self._relay_port, ssl=self._client_tls)
            with contextlib.closing(back):
                await asyncio.gather(self._pump("up", reader, back), self._pump("down", there, writer))

    async def _pump(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            self.seen[direction] += head
            writer.write(head)
            if b"upgrade: websocket" in head.lower():
                await self._pump_frames(direction, reader, writer)
                return
            while data := await reader.read(65536):
                self.seen[direction] += data
                writer.write(self.rewrite_http(direction, data))
                await writer.drain()

    async def _pump_frames(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            first, second = await reader.readexactly(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
            key = await reader.readexactly(4) if second & 0x80 else b""
            payload = _mask(await reader.readexactly(size), key)
            self.seen[direction] += payload
            payloads = [payload]
            if first & 0x0F == 2:  # binary: the protocol's own; the others are the websocket's
                self.frames[direction] += 1
                tricks = self._tricks[direction]
                payloads = tricks.pop(0)(payload) if tricks else payloads
            for each in payloads:
                writer.write(_frame(first, each, key))
            await writer.drain()


def _frame(first: int, payload: bytes, key: bytes) -> bytes:
    masked = 0x80 if key else 0
    size = len(payload)
    if size < 126:
        head = bytes([first, masked | size])
    elif size < 65536:
        head = bytes([first, masked | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, masked | 127]) + size.to_bytes(8, "big")
    return head + key + _mask(payload, key)


def _mask(payload: bytes, key: bytes) -> bytes:
    if not key:
        return payload
    stream = (key * (len(payload) // 4 + 1))[: len(payload)]
    return bytes(a ^ b for a, b in zip(payload, stream, strict=True))


# -- tricks


def _honest(payload: bytes) -> Frames:
    return [payload]


def flip_first(payload: bytes) -> Frames:
    return [bytes([payload[0] ^ 1]) + payload[1:]]


def flip_middle(payload: bytes) -> Frames:
    middle = len(payload) // 2
    return [payload[:middle] + bytes([payload[middle] ^ 0x10]) + payload[middle + 1 :]]


def flip_last(payload: bytes) -> Frames:
    return [payload[:-1] + bytes([payload[-1] ^ 0x80])]


def repeat(payload: bytes) -> Frames:
    return [payload, payload]


def drop(_payload: bytes) -> Frames:
    return []


def cut(payload: bytes) -> Frames:
    return [payload[:-1]]


TRICKS = [flip_first, flip_middle, flip_last, repeat, drop, cut]


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: PASSWORD})


@asynccontextmanager
async def inspected(home: Path) -> AsyncIterator[tuple[Relay, Inspector, Path]]:
    """A relay whose agents all come through the inspector; and the CA file that makes them trust it."""
    settings = server_settings(home, ping_interval=0.5)
    relay_port = int(settings.listen.rpartition(":")[2])
    company = home / "company"
    write_certificates(company, dns_name="localhost", address="127.0.0.1")
    middle = Inspector(free_port(), company, relay_port, home / "tls" / "ca.pem")
    settings = replace(settings, public_url=f"https://127.0.0.1:{middle.port}")
    init(settings, name="relay1", now=time.time())
    async with serving(settings) as running, middle:
        yield running, middle, company / "ca.pem"


def written_forms(secret: str | bytes) -> Iterator[bytes]:
    """How a secret may be written."""
    raws = [secret] if isinstance(secret, bytes) else [secret.encode(), secret.encode("utf-16-le")]
    for raw in raws:
        yield raw
        yield raw.hex().encode()
        for shift in range(3):  # base64 looks different at each place of a group of three
            encoded = base64.b64encode(b"\0" * shift + raw)
            yield encoded[(0, 2, 3)[shift] : len(encoded) - 4]


async def test_the_middle_reads_no_password_and_no_name(tmp_path: Path, people: FakeDirectories) -> None:
    """Right or wrong, old or new, in either direction; not even whose it is."""
    new = "Bosporus-Crossing-660"
    async with inspected(tmp_path) as (running, middle, ca), agent(tmp_path, running, people, tls_ca_file=ca):
        outcomes = [
            (await running.authenticator.authenticate(attempt(ANNA, "not-the-password"))).outcome,
            (await running.authenticator.authenticate(attempt(ANNA, PASSWORD))).outcome,
            (await running.authenticator.change_password(attempt(ANNA, PASSWORD), new)).outcome,
            (await running.authenticator.authenticate(attempt(ANNA, new))).outcome,
        ]
        seen = {direction: bytes(data) for direction, data in middle.seen.items()}
        assert middle.frames["up"] >= 4 + 4
        assert middle.frames["down"] >= 4 + 4
    assert outcomes == [Outcome.WRONG_CREDENTIAL, Outcome.SUCCESS, Outcome.SUCCESS, Outcome.SUCCESS]
    assert b"Sec-WebSocket-Key" in seen["up"], "the inspector must have read what TLS carried"
    for secret in ("not-the-password", PASSWORD, new, ANNA, "Engineering"):
        for form in written_forms(secret):
            assert form not in seen["up"]
            assert form not in seen["down"]


async def test_the_middle_learns_nothing_of_an_enrolment_token(tmp_path: Path) -> None:
    """Neither the token nor the key made of it travels; its name alone does."""
    async with inspected(tmp_path) as (running, middle, ca):
        text = (await running.administration.create_token("agent1", "test", any_domain=True)).text
        await enrol(agent_settings(tmp_path, tls_ca_file=ca), tmp_path / "agent1", text, time.time())
        token = EnrolmentToken.parse(text)
        both = bytes(middle.seen["up"] + middle.seen["down"])
    assert token.id.encode() in both
    for secret in (token.secret, token.key, text.encode()):
        for form in written_forms(secret):
            assert form not in both


@pytest.mark.parametrize("what", ["certificate", "authority", "proof", "csr"])
async def test_the_middle_cannot_alter_an_enrolment(tmp_path: Path, what: str) -> None:
    """One changed letter in what is asked for or in what is answered, and there is no identity."""
    async with inspected(tmp_path) as (running, middle, ca):
        middle.rewrite_http = lambda _direction, data: _change_letter(data, what)
        text = (await running.administration.create_token("agent1", "test", any_domain=True)).text
        with pytest.raises(EnrolmentFailed):
            await enrol(agent_settings(tmp_path, tls_ca_file=ca), tmp_path / "agent1", text, time.time())
        assert not (tmp_path / "agent1" / "identity" / "identity.pem").exists()


async def test_the_middle_cannot_slip_in_an_authority(tmp_path: Path) -> None:
    """The authority is pinned by the token: an agent never believes another one."""
    own = Authority.create(tmp_path / "own", name="Isthmus relay relay1", now=time.time())
    slipped_in = base64.b64encode(own.certificate_der)

    async with inspected(tmp_path) as (running, middle, ca):
        middle.rewrite_http = lambda direction, data: _replace_field(data, b"authority", slipped_in)
        text = (await running.administration.create_token("agent1", "test", any_domain=True)).text
        with pytest.raises(EnrolmentFailed, match="another authority"):
            await enrol(agent_settings(tmp_path, tls_ca_file=ca), tmp_path / "agent1", text, time.time())


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("after", [0, 1])
async def test_an_altered_answer_is_never_a_success(
    tmp_path: Path, people: FakeDirectories, trick: Trick, after: int
) -> None:
    """Whatever becomes of `begun` or of the answer: the session ends, a wrong password stays wrong and costs one bind."""
    async with (
        inspected(tmp_path) as (running, middle, ca),
        agent(tmp_path, running, people, tls_ca_file=ca, connections=1, reconnect_ceiling=0.2),
    ):
        connection = running.endpoint.connections[0]
        middle.play("up", trick, after=after)
        verdict = await running.authenticator.authenticate(attempt(ANNA, "wrong"))
        await eventually(lambda: middle.played and connection.session.closed is not None)
        assert verdict.outcome is not Outcome.SUCCESS
        assert verdict.identity is None
        assert len(people.binds) <= 1
        assert connection.session.closed is not None
        assert connection.session.closed.code == CloseCode.FORGED
        assert connection not in running.endpoint.connections
        await eventually(lambda: running.endpoint.connections)
        assert (await running.authenticator.authenticate(attempt(ANNA, PASSWORD))).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("trick", TRICKS)
async def test_an_altered_request_is_never_bound(tmp_path: Path, people: FakeDirectories, trick: Trick) -> None:
    """The agent ends the session; what it did bind was the true password, and once."""
    async with (
        inspected(tmp_path) as (running, middle, ca),
        agent(tmp_path, running, people, tls_ca_file=ca, connections=1, reconnect_ceiling=0.2),
    ):
        connection = running.endpoint.connections[0]
        middle.play("down", trick)
        verdict = await running.authenticator.authenticate(attempt(ANNA, "wrong"))
        await eventually(lambda: middle.played and connection.session.closed is not None)
        assert verdict.outcome is not Outcome.SUCCESS
        assert people.binds in ([], [ANNA])
        await eventually(lambda: running.endpoint.connections and connection not in running.endpoint.connections)
        assert (await running.authenticator.authenticate(attempt(ANNA, PASSWORD))).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("trick", [flip_first, flip_middle, flip_last, cut])
@pytest.mark.parametrize("which", ["Hello", "AgentHello", "Welcome"])
async def test_an_altered_handshake_opens_no_session(
    tmp_path: Path, people: FakeDirectories, which: str, trick: Trick
) -> None:
    """Both ends prove what they have seen: one bit, and neither takes the other for a peer."""
    async with inspected(tmp_path) as (running, middle, ca):
        state = await enrolled(tmp_path, running, "agent1", tls_ca_file=ca)
        middle.play("up" if which == "AgentHello" else "down", trick, after=1 if which == "Welcome" else 0)
        closed, session = await _converse_once(agent_settings(tmp_path, tls_ca_file=ca), state, people)
        assert middle.played
        assert closed.code in {CloseCode.MALFORMED, CloseCode.VERSION, CloseCode.REFUSED, CloseCode.SEAL, CloseCode.FORGED}
        assert not session.session_id
        await eventually(lambda: not running.endpoint.connections)
        assert people.binds == []


async def _converse_once(settings: AgentCoreSettings, state: Path, people: FakeDirectories) -> tuple[Closed, AgentSession]:
    """One conversation of an agent, from connecting to its end."""
    made = Agent(settings, state, people, software="test")
    route = make_routes(settings, state)[0]
    connection = made.make_connection(route)
    closed = await asyncio.wait_for(connection.run(), 15)
    assert connection.session is not None
    return closed, connection.session


def _change_letter(data: bytes, field: str) -> bytes:
    """Change one letter of a base64 field in JSON; the size stays."""
    start = data.find(f'"{field}":'.encode())
    if start < 0:
        return data
    at = data.index(b'"', start + len(field) + 3) + 20
    return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]


def _replace_field(data: bytes, field: bytes, value: bytes) -> bytes:
    """Put another value of about the same length in place; the answer's Content-Length is kept by padding with spaces."""
    start = data.find(b'"' + field + b'":')
    if start < 0:
        return data
    begin = data.index(b'"', start + len(field) + 3) + 1
    end = data.index(b'"', begin)
    spare = end - begin - len(value)
    assert spare >= 0, "make the other authority's name shorter"
    return data[:begin] + value + b'"' + b" " * spare + data[end + 1 :]
