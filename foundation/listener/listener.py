"""Takes connections, as many as there are places, and ends those that say nothing."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import cast

import structlog
from aiohttp import web

from foundation.addresses import Network
from foundation.listener.connection import HttpConnection
from foundation.listener.headers import Handler, check_expectation, harden
from foundation.listener.places import ConnectionPlaces, NoPlace
from foundation.listener.sockets import open_sockets, unavailable

log = structlog.get_logger()

FIRST_REQUEST = 15.0
"""Seconds from a connection's begin to the end of its first request's headers, TLS handshake included."""
_GOODBYE = 2.0
"""Seconds that the other end has to answer the end of TLS."""
_PAUSE = 0.1
"""Seconds after a connection that could not be taken."""
_TELL_EVERY = 60.0
"""Seconds between two lines of the log about requests that are none."""
_KEPT_BACK = 100
"""File descriptors for the rest of the process: databases, logs, connections that go out."""


class Listener:
    """Serves an aiohttp application, plain or over TLS.

    of_address: connections of one address at once (see `ConnectionPlaces`); never more than half of those in all, which
    follow from the limit of file descriptors. shared: networks of proxies. before: what sees requests before the
    application. patience: seconds at the end for answers that are on their way.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        of_address: int,
        shared: Sequence[Network] = (),
        tls: ssl.SSLContext | None = None,
        before: Callable[[Handler], Handler] = lambda handle: handle,
        patience: float = 1.0,
    ) -> None:
        descriptors = _descriptors()
        total = max(descriptors - _KEPT_BACK, descriptors // 2)
        self.places: ConnectionPlaces[HttpConnection] = ConnectionPlaces(total, min(of_address, total // 2), shared)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=patience)
        self._tls, self._before = tls, before
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._handshakes: dict[HttpConnection, asyncio.Task[None]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._told, self._untold = -_TELL_EVERY, 0

    async def start(self, host: str, port: int) -> None:
        """Listen on every address of a host; "" is every address of this machine. Raises AddressUnavailable."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise unavailable(host, port, error) from error
        self._sockets = open_sockets(host, port, dict.fromkeys((family, address) for family, _, _, _, address in found))
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # noqa: S101 - it was set up
        server.request_handler = self._noting(self._before(server.request_handler))  # type: ignore[assignment]
        for listening in self._sockets:
            name = f"listener-{listening.getsockname()[1]}"
            self._tasks.add(asyncio.create_task(self._accept(listening, server), name=name))
        self._sweep = loop.call_later(1.0, self._sweep_again)

    def use_tls(self, tls: ssl.SSLContext) -> None:
        """Serve connections to come with another certificate; those that are there keep theirs."""
        self._tls = tls

    async def close(self) -> None:
        """Take no more connections, finish what is under way, end all."""
        if self._sweep is not None:
            self._sweep.cancel()
        for task in (*self._tasks, *self._handshakes.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._handshakes.values(), return_exceptions=True)
        for listening in self._sockets:
            listening.close()
        await self._runner.cleanup()

    # -- connections

    async def _accept(self, listening: socket.socket, server: web.Server) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # it went away again, or descriptors have run out
                log.warning("listener.not_accepted", error=error.strerror)
                await asyncio.sleep(_PAUSE)
                continue
            connection = HttpConnection(self, server, loop)
            try:
                gone = self.places.take(connection, address[0], loop.time())
            except NoPlace:
                accepted.close()
            else:
                task = asyncio.create_task(self._greet(connection, accepted), name=f"handshake-{address[0]}")
                task.add_done_callback(functools.partial(self._greeted, connection, accepted))
                self._handshakes[connection] = task
                for other in gone:
                    self._end(other)
            await asyncio.sleep(0)  # a flood would have this loop go round without the others' turn

    async def _greet(self, connection: HttpConnection, accepted: socket.socket) -> None:
        """The TLS handshake, where there is one. A connection that does not get through it leaves nothing."""
        connection.greeted = True
        timeouts = {"ssl_handshake_timeout": FIRST_REQUEST, "ssl_shutdown_timeout": _GOODBYE} if self._tls else {}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted, ssl=self._tls, **timeouts)
        except OSError:  # ssl.SSLError and TimeoutError among them: it was lost before it was one
            self.left(connection)
        except asyncio.CancelledError:
            self.left(connection)
            raise

    def _greeted(self, connection: HttpConnection, accepted: socket.socket, _task: asyncio.Task[None]) -> None:
        del self._handshakes[connection]
        if not connection.greeted:  # sent away before its task had its first turn: nobody else has the socket
            accepted.close()

    def _end(self, connection: HttpConnection) -> None:
        """Whoever lost their place, or says nothing: without a goodbye."""
        task = self._handshakes.get(connection)
        if task is not None and not task.done():
            task.cancel()
        else:
            connection.abort()

    def left(self, connection: HttpConnection) -> None:
        """Its place is free."""
        self.places.leave(connection)

    def sweep(self, now: float) -> None:
        """End whoever has not sent a first request in time; the others are ended by aiohttp after `KEEP_ALIVE`.

        now: seconds of the event loop's clock.
        """
        for connection in self.places.waiting_since(now - FIRST_REQUEST):
            if not connection.asked:
                self.places.leave(connection)
                self._end(connection)

    def _sweep_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = loop.call_later(1.0, self._sweep_again)
        self.sweep(loop.time())

    # -- requests

    def _noting(self, handle: Handler) -> Handler:
        """Whoever is being answered cannot be sent away; every answer says what all of them do."""
        places, clock = self.places, asyncio.get_running_loop().time

        async def noting(request: web.Request) -> web.StreamResponse:
            connection = cast(HttpConnection, request.protocol)  # all are: made in `_accept`
            connection.asked = True
            places.work(connection)
            try:
                check_expectation(request)
                response = await handle(request)
            except web.HTTPException as answer:
                harden(answer)
                raise
            finally:
                places.wait(connection, clock())
            harden(response)
            return response

        return noting

    def malformed(self, connection: HttpConnection, error: Exception) -> None:
        """Note a request that was none; told once a minute, for a flood must not fill the disk."""
        now = asyncio.get_running_loop().time()
        self._untold += 1
        if now - self._told >= _TELL_EVERY:
            address = connection.peername[0] if connection.peername else ""
            log.warning("request.malformed", address=address, kind=type(error).__name__, requests=self._untold)
            self._told, self._untold = now, 0


def _descriptors() -> int:
    """How many files and connections this process may have open."""
    if sys.platform == "win32":
        return 2048
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
