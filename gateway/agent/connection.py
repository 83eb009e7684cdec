"""One outbound connection to one relay: the websocket shell around an AgentSession.

reader ──► session ──► a task for each request ──► validator ──► session ──► _speak
                                 begun ◄── before_bind waits until the frame is with the kernel

What the session has to say is written once in a round of the event loop, in one piece, by `_speak`. As long as the kernel
does not take it (the relay reads slowly), and at the end, a task writes instead: it can wait.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.protocol import State

import directory
from findings import plain_reason
from gateway.agent.errors import RelayUnreachable
from gateway.agent.lookups import GivenBack
from gateway.agent.routes import Route
from gateway.agent.validator import Checked, Validator
from gateway.protocol import (
    MAX_FRAME,
    SUBPROTOCOL,
    AgentSession,
    CloseCode,
    Closed,
    Event,
    Ignored,
    LookUpRequest,
    Measured,
    Opened,
    RenewalAnswered,
    RequestId,
    RequestReceived,
)

log = structlog.get_logger()

OPEN_TIMEOUT = 10.0
"""Seconds for TCP, proxy, TLS and the websocket handshake together."""
TICK = 1.0
"""Seconds between looks at the clock."""
GOODBYE = 5.0
"""Seconds that a session which has ended may still take to tell the relay so."""


class RelayConnection:
    """Runs once, from connecting to the end; the agent makes a new one each time.

    clock: of the session, Unix seconds; it must neither jump nor stop while the connection lasts. The session measures how
    far it is from the relay's, and reads the relay's deadlines accordingly.
    """

    def __init__(
        self,
        route: Route,
        make_session: Callable[[float], AgentSession],
        validator: Validator,
        directory_clock: Callable[[], float],
        on_event: Callable[[RelayConnection, Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._route, self._validator, self._on_event = route, validator, on_event
        self._clock, self._directory_clock = clock, directory_clock
        self._make_session = make_session
        self._session: AgentSession | None = None
        self._ws: ClientConnection | None = None
        self._unsent: Callable[[], bool] = lambda: False
        """Whether something that was written may not be with the kernel yet."""
        self._speaking: asyncio.Handle | None = None
        """`_speak` is due in this round of the loop."""
        self._wake = asyncio.Event()
        """The task that writes is to look."""
        self._waits = False
        """It has taken frames that are not with the kernel yet: nothing may be written past it."""
        self._begins: list[_Begin] = []
        """Checks that may bind once the `begun` frames are on their way."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False
        self._loop = asyncio.get_running_loop()

    @property
    def session(self) -> AgentSession | None:
        """The conversation, once the websocket is up."""
        return self._session

    @property
    def relay(self) -> str:
        """The relay's address."""
        return self._route.relay

    async def run(self) -> Closed:
        """Connect and converse to the end. Raises RelayUnreachable. Cancelling closes the websocket."""
        try:
            async with connect(
                self._route.url,
                ssl=self._route.tls,
                proxy=self._route.proxy,  # type: ignore[arg-type]  # the library's Literal[True] is our bool
                subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
                compression=None,
                max_size=MAX_FRAME,
                ping_interval=None,
                open_timeout=OPEN_TIMEOUT,
                close_timeout=2.0,
            ) as ws:
                return await self._converse(ws)
        except (OSError, WebSocketException, TimeoutError, ValueError) as error:
            raise RelayUnreachable(self.relay, explain(error, self._route.proxy)) from error

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._session.in_flight if self._session is not None else 0

    def poke(self) -> None:
        """Have what the session has to say sent."""
        if self._speaking is None:
            self._speaking = self._loop.call_soon(self._speak)

    def drain(self) -> None:
        """Tell the relay that nothing new is taken here; what is in flight is finished."""
        if self._session is not None:
            self._session.drain()
            self.poke()

    def close(self, reason: str) -> None:
        """Say goodbye."""
        if self._session is not None:
            self._session.close(CloseCode.GOING_AWAY, reason)
            self.poke()

    async def _converse(self, ws: ClientConnection) -> Closed:
        session = self._session = self._make_session(self._clock())
        self._ws, self._unsent = ws, watch_unsent(ws.transport)
        helpers = [
            asyncio.create_task(self._write(ws, session), name=f"agent-writer {self.relay}"),
            asyncio.create_task(self._tick(ws, session), name=f"agent-ticker {self.relay}"),
        ]
        try:
            await self._read(ws, session)
        finally:
            self._wake.set()
            await asyncio.wait(helpers[:1], timeout=2.0)
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._release_begins()
        assert session.closed is not None  # noqa: S101 - the reader ends with it
        return session.closed

    async def _read(self, ws: ClientConnection, session: AgentSession) -> None:
        while session.closed is None:
            try:
                frame = await ws.recv(decode=False)
            except ConnectionClosed:
                session.close(CloseCode.GOING_AWAY, "connection lost")  # else the writer would wait for words to send
                return
            for event in session.receive(frame, self._clock()):
                self._take(event, session)
            self.poke()

    def _speak(self) -> None:
        """Write what the session has to say, or have the task do it where that may take a while."""
        self._speaking = None
        ws, session = self._ws, self._session
        if ws is None or session is None or self._waits or session.closed is not None or ws.state is not State.OPEN:
            self._have_it_written()
            return
        try:
            for frame in session.frames():  # as `ws.send` does it, without what it does in case it has to wait
                ws.protocol.send_binary(frame)
            ws.send_data()
        except Exception as error:  # noqa: BLE001 - it is logged there
            self._fail(ws, session, error)
            return
        if self._unsent():
            self._have_it_written()
            return
        begins, self._begins = self._begins, []
        _answer(begins, allowed=True)

    def _have_it_written(self) -> None:
        """By the task, which can wait."""
        for begin in self._begins:
            begin.give_up_at_its_deadline()
        self._wake.set()

    async def _write(self, ws: ClientConnection, session: AgentSession) -> None:
        """Send what the session has to say where that takes a while, until it is closed."""
        try:
            await self._send(ws, session)
        except Exception as error:  # noqa: BLE001 - it is logged there
            self._fail(ws, session, error)

    def _fail(self, ws: ClientConnection, session: AgentSession, error: Exception) -> None:
        """Who cannot write ends the connection immediately: what is in flight goes to another agent, instead of waiting for
        words that cannot come."""
        if not isinstance(error, ConnectionClosed):
            log.error("relay.failed", relay=self.relay, exc_info=error)
        session.close(CloseCode.GOING_AWAY, "connection lost", f"writing failed: {type(error).__name__}")
        self._release_begins()
        ws.transport.abort()

    async def _send(self, ws: ClientConnection, session: AgentSession) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._waits = True
            # Taken before the frames: one that asks while they are sent has its own frame in the next round only
            begins, self._begins = self._begins, []
            try:
                for frame in session.frames():
                    await ws.send(frame)
                await self._flushed(session)
            except BaseException:
                _answer(begins, allowed=False)
                raise
            _answer(begins, allowed=session.closed is None)
            self._waits = False
            if session.closed is not None:
                await ws.close(code=session.closed.code if not session.closed.by_peer else 1000)
                return

    async def _flushed(self, session: AgentSession) -> None:
        """Wait until what was sent is with the kernel, so that it goes out even if this process is killed."""
        pause = 0.0
        while self._unsent() and session.closed is None:
            await asyncio.sleep(pause)  # transports have no event for it
            pause = min(pause * 2 or 0.001, 0.05)

    async def _tick(self, ws: ClientConnection, session: AgentSession) -> None:
        while session.closed is None:
            await asyncio.sleep(TICK)
            for event in session.tick(self._clock()):
                self._take(event, session)
            self.poke()
        await asyncio.sleep(GOODBYE)
        ws.transport.abort()  # a relay that reads nothing keeps the writer, and so the goodbye, waiting

    # -- events and requests

    def _take(self, event: Event, session: AgentSession) -> None:
        if isinstance(event, RequestReceived):
            task = self._loop.create_task(self._check(event, session), name="request {} {}".format(*event.id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        if isinstance(event, Opened):
            log.info("relay.connected", relay=self.relay, session=event.session)
        elif isinstance(event, Measured) and abs(event.clock_skew) > 60:
            log.warning("clock.skewed", relay=self.relay, seconds=round(event.clock_skew, 1))
        elif isinstance(event, Closed):
            log.info("relay.closed", relay=self.relay, code=event.code, reason=event.reason, detail=event.detail)
        elif isinstance(event, Ignored):
            log.warning("relay.ignored", relay=self.relay, detail=event.detail)
        if isinstance(event, (Opened, RenewalAnswered, Closed)):
            self._on_event(self, event)

    async def _check(self, event: RequestReceived, session: AgentSession) -> None:
        deadline = self._directory_clock() + (event.deadline - self._clock())
        checked: Checked | GivenBack | None
        if isinstance(event.body, LookUpRequest):
            checked = await self._validator.look_up(event.body, deadline)
        else:
            checked = await self._validator.check(event.body, deadline, lambda: self._before_bind(event.id, deadline))
        if checked is None:
            session.refuse(event.id, "late")
        elif isinstance(checked, GivenBack):
            session.refuse(event.id, checked.reason)
        else:
            session.answer(event.id, checked.body, checked.account)
        self.poke()

    # -- begun

    async def _before_bind(self, request_id: RequestId, deadline: float) -> None:
        """Tell the relay, and return only when it has been told. Raises directory.Abandoned where nothing may be bound."""
        if self._ended or self._session is None or not self._session.begin(request_id, self._clock()):
            raise directory.Abandoned
        begin = _Begin(self._loop, deadline - self._directory_clock())
        self._begins.append(begin)
        self.poke()
        # a round of the loop later: transports keep to themselves until then that writing failed
        if not await begin.allowed or self._is_lost():
            raise directory.Abandoned

    def _is_lost(self) -> bool:
        """Whether the conversation ended, so that what was written last may not have gone out."""
        ws, session = self._ws, self._session
        if ws is None or session is None or session.closed is not None:
            return True
        return ws.state is not State.OPEN or ws.transport.is_closing()

    def _release_begins(self) -> None:
        self._ended = True
        begins, self._begins = self._begins, []
        _answer(begins, allowed=False)


class _Begin:
    """A check that waits until its `begun` is on its way. patience: seconds until its deadline."""

    __slots__ = ("_loop", "_patience", "_timed", "allowed")

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self._loop, self._patience, self._timed = loop, patience, False
        self.allowed: asyncio.Future[bool] = loop.create_future()

    def answer(self, *, allowed: bool) -> None:
        """It may bind, or must not."""
        if not self.allowed.done():
            self.allowed.set_result(allowed)

    def give_up_at_its_deadline(self) -> None:
        """Only where it has to wait: nearly all are answered in the same round of the loop, and a timer costs more."""
        if self._timed:
            return
        self._timed = True
        timer = self._loop.call_later(max(self._patience, 0.0), lambda: self.answer(allowed=False))
        self.allowed.add_done_callback(lambda _: timer.cancel())


def _answer(begins: list[_Begin], *, allowed: bool) -> None:
    for begin in begins:
        begin.answer(allowed=allowed)


def watch_unsent(transport: asyncio.Transport) -> Callable[[], bool]:
    """A look at whether something that was written may not be with the kernel yet.

    A TLS transport counts only what it has not encrypted yet, not what the one below it holds back. That one does so only
    while the kernel takes nothing.
    """
    descriptor = transport.get_extra_info("socket").fileno()
    if not hasattr(select, "poll") or descriptor < 0:  # Windows; a connection that has ended
        return lambda: bool(transport.get_write_buffer_size())
    writable = select.poll()
    writable.register(descriptor, select.POLLOUT)
    return lambda: bool(transport.get_write_buffer_size()) or not writable.poll(0)


def explain(error: BaseException, proxy: str | bool | None = None) -> str:
    """Why there is no conversation, for a person to read. proxy: as in a Route."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its HTTPS certificate is not accepted ({error.verify_message}); "
            "if a proxy inspects TLS here or the relay has a certificate of your own CA, set tls_ca_file"
        )
    if isinstance(error, TimeoutError):
        return f"no answer within {OPEN_TIMEOUT:g} s"
    if isinstance(error, ConnectionError) and isinstance(proxy, str):  # it is the proxy that was connected to
        parts = urlsplit(proxy)
        return f"no connection to the proxy {parts.hostname}:{parts.port} ({plain_reason(error)})"
    return plain_reason(error)
