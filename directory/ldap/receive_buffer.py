"""What a server has sent, and nobody has taken yet."""

from __future__ import annotations

import asyncio
from typing import cast

LARGEST_UNASKED = 64 * 1024
"""Bytes that wait for nobody: from a server that was asked nothing (a notice that it hangs up is far smaller, RFC 4511
section 4.4.1), or of answers that are taken one at a time, until the socket is not read any more."""


class ReceiveBuffer(asyncio.Protocol):
    """Collects what the server says; wakes whoever waits for more.

    Where answers are taken one at a time (`streamed`), the socket is not read while nobody waits and enough is here.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.buffer = bytearray()
        self.lost: str | None = None
        """Why the connection ended, once it has."""
        self.more: asyncio.Future[None] | None = None
        self.streamed = False
        self._paused = False
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self.buffer += data
        if self.more is None and len(self.buffer) > LARGEST_UNASKED and self.transport is not None:
            self._hold_back(self.transport)
        self._wake()

    def _hold_back(self, transport: asyncio.Transport) -> None:
        if not self.streamed:
            transport.abort()
        elif not self._paused:
            self._paused = True
            transport.pause_reading()

    def resume(self) -> None:
        """Read the socket again, where that was paused."""
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.lost = f"lost: {exc}" if exc is not None else "lost: the server hung up"
        self._wake()
        if not self.closed.done():
            self.closed.set_result(None)

    def _wake(self) -> None:
        if self.more is not None and not self.more.done():
            self.more.set_result(None)
