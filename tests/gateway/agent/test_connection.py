"""What an agent writes to a relay that reads slowly, or is gone: no bind before its `begun` is with the kernel."""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

import directory
from demo.throwaway_tls import write_certificates
from gateway.agent import RelayConnection, Route, Validator
from gateway.agent.connection import watch_unsent
from gateway.protocol import (
    SUBPROTOCOL,
    AgentSession,
    AnswerBody,
    CloseCode,
    Closed,
    Event,
    RequestId,
    RequestReceived,
    VerifyRequest,
)
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import eventually

ANNA = "anna@corp.example.com"
BEGUN = b"begun"
FILLER = bytes(16 * 1024)
Tls = tuple[ssl.SSLContext, ssl.SSLContext] | None
"""Contexts of server and client."""


@dataclass
class PlainSession:
    """An AgentSession without cryptography: each frame of the relay is a request, each of the agent a word."""

    patience: float = 60.0
    """Seconds until a request's deadline."""
    outbox: list[bytes] = field(default_factory=list)
    begun: list[RequestId] = field(default_factory=list)
    closed: Closed | None = None
    session_id: str = "one"
    in_flight: int = 0
    refused: list[str] = field(default_factory=list)
    silent: bool = False
    ends: bool = False
    """Closed as soon as a `begun` was written."""

    def receive(self, frame: bytes, now: float) -> list[Event]:
        body = VerifyRequest(reply_key=bytes(32), user_name=frame.decode(), password="right")
        return [RequestReceived(("relay1", 1), now + self.patience, body)]

    def tick(self, now: float) -> list[Event]:
        return [self.close(CloseCode.SILENT, "nothing heard for too long")] if self.silent and self.closed is None else []

    def frames(self) -> list[bytes]:
        frames, self.outbox = self.outbox, []
        return frames

    def begin(self, request_id: RequestId, now: float) -> bool:
        if self.closed is not None:
            return False
        self.begun.append(request_id)
        self.outbox.append(BEGUN)
        if self.ends:
            asyncio.get_running_loop().call_soon(self.close, CloseCode.GOING_AWAY, "bye")
        return True

    def answer(self, request_id: RequestId, body: AnswerBody, account: object = None) -> None:
        self.outbox.append(b"answer")

    def refuse(self, request_id: RequestId, reason: str) -> None:
        self.refused.append(reason)
        self.outbox.append(b"refused")

    def close(self, code: CloseCode, reason: str, detail: str = "") -> Closed:
        self.closed = self.closed or Closed(int(code), reason, by_peer=False, detail=detail)
        return self.closed


@dataclass
class HookedDirectories(FakeDirectories):
    """Does something right before `begun` is asked for, and right after."""

    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], None] = lambda: None

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: Callable[[], Awaitable[None]] | None = None
    ) -> directory.CheckResult:
        async def hooked() -> None:
            assert before_bind is not None
            if self.before is not None:
                await self.before()
            await before_bind()
            self.after()

        return await super().verify(credential, deadline=deadline, before_bind=hooked)


class SlowRelay:
    """A websocket server that reads only when it is told to. `heard`: what it has read."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.ws: ServerConnection | None = None
        self.closing: asyncio.Task[None] | None = None
        self.fillers = 0
        self.pause_after = 0
        """It stops reading after so many of them."""

    async def serve(self, ws: ServerConnection) -> None:
        self.ws = ws
        async for frame in ws:
            assert isinstance(frame, bytes)
            if frame != FILLER:
                self.heard.append(frame)
                continue
            self.fillers += 1
            if self.fillers == self.pause_after:
                self.transport.pause_reading()

    @property
    def transport(self) -> asyncio.Transport:
        assert self.ws is not None
        return self.ws.transport

    async def ask(self) -> None:
        assert self.ws is not None
        await self.ws.send(ANNA.encode())

    async def reset(self) -> None:
        """The connection has just been broken off: nobody at the other end can have noticed."""
        plain = self.transport.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        await asyncio.sleep(0)

    async def close(self) -> None:
        """Its close frame has just gone out: it reads nothing any more."""
        assert self.ws is not None
        self.closing = asyncio.create_task(self.ws.close())
        await asyncio.sleep(0)


@dataclass
class Stand:
    relay: SlowRelay
    session: PlainSession
    people: FakeDirectories
    connection: RelayConnection
    task: asyncio.Task[Closed]

    def fill(self) -> None:
        """More to say than the kernel takes while the relay does not read."""
        self.relay.transport.pause_reading()
        self.session.outbox += [FILLER] * 1024

    async def ask(self, first: str) -> None:
        """Have a credential checked, which begins while something waits to be written, or together with that."""
        self.fill()
        if first == "waiting":
            self.connection.poke()
            await eventually(lambda: not self.session.outbox)
        await self.relay.ask()
        await eventually(lambda: self.session.begun)


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Tls:
    """Contexts of server and client."""
    if request.param == "plain":
        return None
    write_certificates(tmp_path, dns_name="localhost", address="127.0.0.1")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return server, ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))


@asynccontextmanager
async def stand(
    tls: Tls, session: PlainSession | None = None, people: FakeDirectories | None = None
) -> AsyncIterator[Stand]:
    """An agent's connection to a relay."""
    relay, session, people = SlowRelay(), session or PlainSession(), people or FakeDirectories({ANNA: "right"})
    server_tls, client_tls = tls or (None, None)

    def make_session(_now: float) -> AgentSession:
        return session  # type: ignore[return-value]  # of the same interface

    async with serve(
        relay.serve,
        "127.0.0.1",
        0,
        ssl=server_tls,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        compression=None,
        max_queue=None,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        scheme = "https" if tls else "ws"
        route = Route(f"{scheme}://127.0.0.1:{port}", client_tls, None)  # type: ignore[arg-type]
        made = RelayConnection(route, make_session, Validator(people), time.time, lambda *_: None, time.time)
        task = asyncio.create_task(made.run())
        try:
            await eventually(lambda: relay.ws is not None and made.session is not None)
            yield Stand(relay, session, people, made, task)
        finally:
            session.close(CloseCode.GOING_AWAY, "end of the test")
            made.poke()
            relay.transport.abort()
            await asyncio.gather(task, return_exceptions=True)


async def rounds(number: int = 50) -> None:
    """Let the loop turn."""
    for _ in range(number):
        await asyncio.sleep(0)


begins = pytest.mark.parametrize("first", ["waiting", "together"])


@begins
async def test_nothing_is_bound_before_its_begun_is_with_the_kernel(tls: Tls, first: str) -> None:
    """The relay reads nothing for a while."""
    async with stand(tls) as agent:
        await agent.ask(first)
        await rounds()
        assert agent.people.binds == []
        agent.relay.transport.resume_reading()
        await eventually(lambda: agent.people.binds == [ANNA])
        await eventually(lambda: agent.relay.heard == [BEGUN, b"answer"])


async def halfway(agent: Stand, frames: list[bytes]) -> None:
    """The task is in the middle of writing these: the relay stopped reading after what was written before."""
    agent.relay.pause_after = 1024
    agent.fill()
    agent.connection.poke()
    await eventually(lambda: not agent.session.outbox)
    agent.session.outbox += frames
    agent.connection.poke()
    agent.relay.transport.resume_reading()
    await eventually(lambda: agent.relay.fillers >= 1024 and not agent.session.outbox)


async def test_a_begin_does_not_pass_for_what_was_written_before_it(tls: Tls) -> None:
    """It is asked for while the task is in the middle of older frames."""
    people = HookedDirectories({ANNA: "right"})
    async with stand(tls, people=people) as agent:
        unsaid: list[bool] = []
        people.after = lambda: unsaid.append(BEGUN in agent.session.outbox)
        await halfway(agent, [FILLER] * 1024)
        await agent.relay.ask()
        await eventually(lambda: agent.session.begun)
        await rounds()
        assert people.binds == []
        agent.relay.transport.resume_reading()
        await eventually(lambda: unsaid)
        assert unsaid == [False]


async def test_frames_keep_their_order(tls: Tls) -> None:
    """Each has a number under its seal; nothing is written past the task."""
    numbered = [number.to_bytes(4, "big") * 4096 for number in range(1, 1025)]
    async with stand(tls) as agent:
        await halfway(agent, numbered)
        agent.session.outbox.append(b"last")
        agent.connection.poke()
        await rounds()
        agent.relay.transport.resume_reading()
        await eventually(lambda: len(agent.relay.heard) == 1025)
        assert agent.relay.heard == [*numbered, b"last"]


async def test_a_goodbye_ends_the_connection(tls: Tls) -> None:
    """With the session's code, without waiting for the relay."""
    async with stand(tls) as agent:
        agent.connection.close("stopped")
        await eventually(agent.task.done)
        assert agent.relay.ws is not None
        assert agent.relay.ws.close_code == CloseCode.GOING_AWAY


@begins
async def test_what_waits_is_refused_at_its_deadline(tls: Tls, first: str) -> None:
    """The relay has given it up by then, and may have asked another agent."""
    async with stand(tls, PlainSession(patience=0.1)) as agent:
        await agent.ask(first)
        await eventually(lambda: agent.session.refused == ["late"])
        agent.relay.transport.resume_reading()
        await eventually(lambda: BEGUN in agent.relay.heard)
        await rounds()
        assert agent.people.binds == []


@begins
async def test_what_waits_is_refused_when_the_connection_ends(tls: Tls, first: str) -> None:
    """Nobody will hear that it began."""
    async with stand(tls) as agent:
        await agent.ask(first)
        agent.relay.transport.abort()
        await eventually(lambda: agent.session.refused == ["late"])
        await eventually(agent.task.done)
        assert agent.people.binds == []


@pytest.mark.parametrize("end", ["reset", "close"])
async def test_nothing_is_bound_where_its_begun_could_not_be_written(tls: Tls, end: str) -> None:
    """A transport raises nothing then, and has nothing left to write: as if all were with the kernel."""
    people = HookedDirectories({ANNA: "right"})
    with structlog.testing.capture_logs() as logs:
        async with stand(tls, people=people) as agent:
            people.before = getattr(agent.relay, end)
            await agent.relay.ask()
            await eventually(lambda: agent.session.refused == ["late"])
            await eventually(agent.task.done)
            assert agent.session.begun
            assert people.binds == []
    assert [entry for entry in logs if entry["event"] == "relay.failed"] == []  # no defect


async def test_nothing_is_bound_for_a_session_that_has_ended(tls: Tls) -> None:
    """No answer would be taken."""
    async with stand(tls, PlainSession(ends=True)) as agent:
        await agent.relay.ask()
        await eventually(lambda: agent.session.refused == ["late"])
        assert agent.session.begun
        assert agent.people.binds == []


async def test_a_relay_that_neither_reads_nor_answers_is_left(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The goodbye stands behind what it does not read."""
    monkeypatch.setattr("gateway.agent.connection.TICK", 0.01)
    monkeypatch.setattr("gateway.agent.connection.GOODBYE", 0.05)
    async with stand(tls) as agent:
        agent.fill()
        agent.connection.poke()
        await eventually(lambda: not agent.session.outbox)
        agent.session.silent = True
        await eventually(agent.task.done)


async def test_what_a_transport_below_tls_holds_back_counts(tls: Tls) -> None:
    """TLS's own says that it has nothing."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[asyncio.Transport] = loop.create_future()

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.pause_reading()
            arrived.set_result(transport)

    server_tls, client_tls = tls or (None, None)
    server = await loop.create_server(Silent, "127.0.0.1", 0, ssl=server_tls)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port, ssl=client_tls)
    try:
        await arrived
        unsent = watch_unsent(transport)
        assert not unsent()
        kernel = select.poll()
        kernel.register(transport.get_extra_info("socket").fileno(), select.POLLOUT)
        while kernel.poll(0):
            transport.write(bytes(4096))
        assert tls is None or not transport.get_write_buffer_size()
        assert unsent()
    finally:
        transport.abort()
        (await arrived).abort()
        server.close()
        await rounds()
