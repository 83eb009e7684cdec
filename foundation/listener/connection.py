"""One HTTP connection: aiohttp's, with what it may send bounded, and answers to what is no request that quote nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from foundation.listener.headers import harden

if TYPE_CHECKING:
    from foundation.listener.listener import Listener

log = structlog.get_logger()

KEEP_ALIVE = 75.0
"""Seconds that a connection waits for its next request; longer than the 60 of usual proxies, so that they end it first."""


class HttpConnection(web.RequestHandler):
    """A connection of a listener."""

    __slots__ = ("_allowance", "_listener", "asked", "greeted")

    def __init__(self, listener: Listener, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=KEEP_ALIVE,
            access_log=None,  # type: ignore[arg-type]  # the way to have none
            auto_decompress=False,  # nobody sends us anything that small bytes should become large from
        )
        self._listener = listener
        self._allowance: int | None = None
        self.greeted = False
        """The event loop has its socket."""
        self.asked = False
        """It has sent a whole request."""

    def allow(self, size: int | None) -> None:
        """Let it send so many bytes more, then end it; None: as many as it likes."""
        self._allowance = size

    def data_received(self, data: bytes) -> None:
        """Take what came; called by the event loop."""
        if self._allowance is not None:
            self._allowance -= len(data)
            if self._allowance < 0:
                self.abort()
                return
        super().data_received(data)

    def abort(self) -> None:
        """End it without a goodbye, which a peer that reads nothing would never take."""
        if self.transport is not None:
            self.transport.abort()  # not to be told by its type: uvloop's is no asyncio.WriteTransport

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give its place back; called by the event loop."""
        self._listener.left(self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no request. aiohttp itself would quote the offending line, in its log and to whoever sent it."""
        if isinstance(exc, HttpProcessingError):
            self._listener.malformed(self, exc)
            response: web.StreamResponse = web.Response(
                status=400, text="this is not an HTTP request that is understood here"
            )
            response.force_close()
        else:
            response = super().handle_error(request, status, exc, message)
        harden(response)
        return response
