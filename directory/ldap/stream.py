"""The answers to one search, taken one at a time: a directory of any size passes through a buffer of bounded size.

While the reader is busy with an answer, at most `receive_buffer.LARGEST_UNASKED` bytes and one read of the socket wait here;
then the socket is not read, its window fills, and the server has to wait. Only a single message may take more: as much as
the reader allows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from directory.errors import ConnectionBroken, ConnectionTimedOut, Malformed
from directory.ldap import codec
from directory.ldap.codec import LdapResult

if TYPE_CHECKING:
    from directory.ldap.connection import LdapConnection
    from directory.ldap.receive_buffer import ReceiveBuffer

_TAGS = frozenset({codec.ENTRY, codec.REFERENCE, codec.INTERMEDIATE_RESPONSE, codec.SEARCH_DONE})


class SearchAnswer(NamedTuple):
    """One message of the server: the tag of its operation, where that lies in `data`, and the controls after it."""

    tag: int
    data: bytes
    start: int
    end: int

    def controls(self) -> dict[bytes, bytes]:
        """OID -> value. Raises CodecError."""
        return codec.read_controls(self.data, self.end)


class StreamLimits(NamedTuple):
    """How much and how long a reader waits for."""

    largest_message: int
    """Bytes of one answer."""
    silence: float
    """Seconds without a byte, while the reader waits for one."""
    give_up: float
    """time.monotonic() until which it is waited at all."""


class AnswerStream:
    """From `LdapConnection.stream`. Whoever stops before `done` is set closes the connection, which abandons the search."""

    __slots__ = ("_connection", "_limits", "_number", "_received", "done", "done_controls")

    def __init__(self, connection: LdapConnection, received: ReceiveBuffer, number: int, limits: StreamLimits) -> None:
        self._connection, self._received, self._number, self._limits = connection, received, number, limits
        self.done: LdapResult | None = None
        """SearchResultDone, once it came, …"""
        self.done_controls: dict[bytes, bytes] = {}
        """… and its controls."""
        received.streamed = True

    async def next(self) -> SearchAnswer | None:
        """The next answer; None when the search is done.

        Raises ConnectionBroken, ConnectionTimedOut, Malformed; then, and where it is cancelled, the connection is closed
        or has to be.
        """
        if self.done is not None:
            return None
        try:
            data = self._take() or await self._receive()
            number, tag, start, end = codec.open_message(data)
            if number == 0:  # RFC 4511 section 4.4.1: notice of disconnection
                raise ConnectionBroken(self._connection.server, "the server hung up with a notice", sent=True)
            if number != self._number or tag not in _TAGS:
                raise codec.CodecError("an answer to something else")
            if tag != codec.SEARCH_DONE:
                return SearchAnswer(tag, data, start, end)
            result = codec.read_result(data, start, end)
            self.done_controls = codec.read_controls(data, end)
        except codec.CodecError as error:
            self._connection.close()
            raise Malformed(self._connection.server, str(error)) from error
        except ConnectionBroken:
            self._connection.close()
            raise
        self.done = result
        self._received.streamed = False
        self._received.resume()
        return None

    def _take(self) -> bytes:
        """The first message of the buffer; nothing where it is not whole yet."""
        buffer = self._received.buffer
        size = codec.message_size(buffer, self._limits.largest_message)
        if not size or len(buffer) < size:
            return b""
        with memoryview(buffer) as view:  # a slice of the buffer itself would be one more copy
            data = bytes(view[:size])
        del buffer[:size]
        return data

    async def _receive(self) -> bytes:
        received, limits = self._received, self._limits
        while True:
            if received.lost is not None:
                raise ConnectionBroken(self._connection.server, received.lost, sent=True)
            received.resume()
            now = time.monotonic()
            give_up = min(now + limits.silence, limits.give_up)
            if not await self._connection.more(give_up):
                waited, server = max(give_up - now, 0.0), self._connection.server
                raise ConnectionTimedOut(server, f"no answer within {waited:.3g} s", sent=True, waited=waited)
            data = self._take()
            if data:
                return data
