"""One connection to one directory server: one operation at a time, every wait bounded.

A connection is owned by one task between borrowing and giving back. After any error it is closed and never used again,
so that a late answer can never be taken for the answer to a later question. Cancelling an operation leaves the connection
in the middle of it: whoever lent it closes it.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import cast

from directory.errors import (
    BaseNotFound,
    ConnectFailed,
    ConnectionBroken,
    ConnectionTimedOut,
    Malformed,
    ServerRefused,
    SettingsProblem,
)
from directory.ldap import codec, tls
from directory.ldap.codec import Entry, LdapResult
from directory.ldap.receive_buffer import ReceiveBuffer
from directory.ldap.stream import AnswerStream, StreamLimits
from findings import plain_reason

LARGEST_SEARCH = 2 * codec.LARGEST_MESSAGE
"""Bytes of all answers to one search."""
_NO_BASE = (10, 32, 34)
"""referral (AD's word for a base outside its naming contexts), noSuchObject, invalidDNSyntax."""
_SEARCH_ANSWERS = (codec.ENTRY, codec.REFERENCE, codec.SEARCH_DONE)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and whether TLS is spoken from the first byte."""

    host: str
    port: int
    secure: bool = True

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_server(text: str, *, allow_plain: bool) -> Address:
    """`host`, `host:port`, `[v6]:port`, `ldaps://…` or, where allowed, `ldap://…`; raises `SettingsProblem`."""
    scheme, mark, rest = text.strip().partition("://")
    if not mark:
        scheme, rest = "ldaps", text.strip()
    secure = scheme.lower() == "ldaps"
    if scheme.lower() not in ("ldap", "ldaps"):
        raise SettingsProblem("servers", f"{text!r} has an unknown scheme", "Use ldaps://host:port.")
    if not secure and not allow_plain:
        raise SettingsProblem(
            "servers",
            f"{text!r} would send passwords over the network unencrypted",
            "Use ldaps:// on port 636, or, in a laboratory, set `send_passwords_unencrypted_over_the_network`.",
        )
    host, port = rest.rstrip("/"), 636 if secure else 389
    before, colon, after = host.rpartition(":")
    if colon and (":" not in before or before.endswith("]")):
        if not after.isdecimal() or not 0 < int(after) < 65536:
            raise SettingsProblem("servers", f"{text!r} has no valid port", "Use ldaps://host:port.")
        host, port = before, int(after)
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise SettingsProblem("servers", f"{text!r} names no host", "Use ldaps://host:port.")
    return Address(host, port, secure)


class LdapConnection:
    """An open connection. `used_at` is `time.monotonic()` of its last use.

    `directory` is what the directory at its other end says of itself (see `naming_contexts`); read as it is signed in for
    searching.
    """

    __slots__ = (
        "_give_up",
        "_loop",
        "_number",
        "_stream",
        "_timer",
        "_transport",
        "_unread",
        "directory",
        "server",
        "used_at",
    )

    def __init__(self, server: str, transport: asyncio.Transport, stream: ReceiveBuffer) -> None:
        self.server = server
        self.used_at = time.monotonic()
        self.directory = ""
        self._transport, self._stream = transport, stream
        stream.transport = transport
        self._number = 0
        self._give_up = 0.0
        """time.monotonic() until which it is waited for more."""
        self._timer: asyncio.TimerHandle | None = None
        """Looks at that; made once in a while, since nearly every answer comes long before."""
        self._unread = select.poll()
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, address: Address, context: ssl.SSLContext, pins: tuple[str, ...], timeout: float) -> LdapConnection:  # noqa: ASYNC109
        """Connects, with TLS unless the address says otherwise; `timeout` seconds for TCP and again for TLS."""
        server, loop, stream = str(address), asyncio.get_running_loop(), ReceiveBuffer()
        try:
            async with asyncio.timeout(timeout):
                transport, _ = await loop.create_connection(lambda: stream, address.host, address.port)
        except TimeoutError as error:
            raise ConnectFailed(server, f"no connection within {timeout:g} s") from error
        except OSError as error:
            raise ConnectFailed(server, f"no connection: {plain_reason(error)}") from error
        try:
            plain = cast("socket.socket", transport.get_extra_info("socket"))
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if address.secure:
                transport = await tls.secure(transport, stream, address.host, server, context, pins, timeout)
                if stream.buffer:  # before TLS, in the clear: anybody on the way can have said it
                    raise ConnectFailed(server, "it, or somebody in between, spoke before TLS")
            return cls(server, transport, stream)
        except BaseException:
            transport.abort()
            raise

    @property
    def closed(self) -> asyncio.Future[None]:
        """Done when the connection has ended, at either side."""
        return self._stream.closed

    def certificate(self) -> bytes | None:
        """The server's certificate (DER), or None without TLS."""
        return tls.certificate_of(self._transport)

    def is_stale(self) -> bool:
        """True where the server has said something unasked, as it does when it hangs up."""
        stream = self._stream
        if stream.buffer or stream.lost is not None or self._transport.is_closing():
            return True
        return bool(self._unread.poll(0))  # the kernel may hold something that the event loop has not seen yet

    async def bind(self, name: bytes, password: bytes, timeout: float, controls: bytes = b"") -> LdapResult:  # noqa: ASYNC109
        """A simple bind. `ConnectionBroken.sent` tells whether the server may have judged the password."""
        return await self._ask(codec.bind_request(name, password), codec.BIND_RESPONSE, timeout, controls)

    async def modify(self, dn: bytes, changes: list[tuple[int, bytes, bytes]], timeout: float) -> LdapResult:  # noqa: ASYNC109
        """Modifies one object; each change is (operation, attribute, value)."""
        return await self._ask(codec.modify_request(dn, changes), codec.MODIFY_RESPONSE, timeout)

    async def change_password(
        self,
        dn: bytes,
        old: bytes | None,
        new: bytes,
        timeout: float,  # noqa: ASYNC109
        controls: bytes = b"",
    ) -> LdapResult:
        """The extended operation of RFC 3062."""
        return await self._ask(codec.password_modify_request(dn, old, new), codec.EXTENDED_RESPONSE, timeout, controls)

    async def search(
        self,
        base: bytes,
        scope: int,
        matching: bytes,
        attributes: bytes,
        *,
        limit: int,
        timeout: float,  # noqa: ASYNC109 - the server is told it too
    ) -> list[tuple[str, Entry]]:
        """Entries as (DN, attributes); hitting `limit` gives what came.

        One entry that does not exist gives none. A base to search below is from the settings: raises BaseNotFound where it
        does not exist, or is not there for this account.
        """
        request = codec.search_request(base, scope, matching, attributes, limit=limit, seconds=int(timeout) + 1)
        give_up = time.monotonic() + timeout
        self._send(request)
        found: list[tuple[str, Entry]] = []
        size = 0
        try:
            while True:
                data = await self._receive(give_up, timeout)
                size += len(data)
                if size > LARGEST_SEARCH or len(found) > limit:
                    raise codec.CodecError(
                        f"more than the {limit} entries, or {LARGEST_SEARCH} bytes, that a search may bring"
                    )
                number, tag, start, end = codec.open_message(data)
                if number != self._number or tag not in _SEARCH_ANSWERS:
                    raise codec.CodecError("an answer to something else")
                if tag == codec.ENTRY:
                    found.append(codec.read_entry(data, start, end))
                elif tag == codec.SEARCH_DONE:
                    break
            result = codec.read_result(data, start, end)
        except codec.CodecError as error:
            self.close()
            raise Malformed(self.server, str(error)) from error
        if result.code in _NO_BASE and scope != codec.SCOPE_BASE:
            raise BaseNotFound(self.server, base.decode("utf-8", "replace"), result.code, result.text)
        if result.code not in (0, 4, 32):  # success, sizeLimitExceeded, noSuchObject
            raise ServerRefused(self.server, "search", result.code, result.text)
        return found

    def stream(self, request: bytes, controls: bytes, limits: StreamLimits) -> AnswerStream:
        """Sends a search whose answers are taken one at a time. Until they have ended, nothing else may be asked.

        Raises ConnectionBroken.
        """
        self._send(request, controls)
        return AnswerStream(self, self._stream, self._number, limits)

    def close(self) -> None:
        """Hangs up; never fails."""
        self._forget_timer()
        self._transport.abort()

    def unbind(self) -> None:
        """Says good-bye, then hangs up."""
        self._forget_timer()
        if not self._transport.is_closing():
            self._transport.write(codec.message(self._number + 1, codec.UNBIND))
        self._transport.close()

    async def _ask(
        self,
        request: bytes,
        expected: int,
        timeout: float,  # noqa: ASYNC109
        controls: bytes = b"",
    ) -> LdapResult:
        self._send(request, controls)
        data = await self._receive(time.monotonic() + timeout, timeout)
        try:
            number, tag, start, end = codec.open_message(data)
            result = codec.read_result(data, start, end) if number == self._number and tag == expected else None
        except codec.CodecError as error:
            self.close()
            raise Malformed(self.server, str(error)) from error
        if number == 0:  # RFC 4511 section 4.4.1: notice of disconnection
            self.close()
            raise ConnectionBroken(self.server, "the server hung up with a notice", sent=True)
        if result is None:
            self.close()
            raise Malformed(self.server, "an answer to something else")
        return result

    def _send(self, request: bytes, controls: bytes = b"") -> None:
        if self._stream.lost is not None or self._transport.is_closing():
            raise ConnectionBroken(self.server, self._stream.lost or "closed", sent=False)
        self._number += 1
        self._transport.write(codec.message(self._number, request, controls))

    async def _receive(self, give_up: float, timeout: float) -> bytes:  # noqa: ASYNC109
        """The next whole message."""
        stream = self._stream
        buffer = stream.buffer
        while True:
            try:
                size = codec.message_size(buffer)
            except codec.CodecError as error:
                self.close()
                raise Malformed(self.server, str(error)) from error
            if size and len(buffer) >= size:
                data = bytes(buffer[:size])
                del buffer[:size]
                return data
            if stream.lost is not None:
                raise ConnectionBroken(self.server, stream.lost, sent=True)
            if not await self.more(give_up):
                self.close()
                raise ConnectionTimedOut(self.server, f"no answer within {timeout:.3g} s", sent=True, waited=timeout)

    async def more(self, give_up: float) -> bool:
        """Wait until the server has said more, or hung up; False where it stayed silent until `give_up`.

        For the receivers of answers only. give_up: time.monotonic().
        """
        more = self._stream.more = self._loop.create_future()
        left = give_up - time.monotonic()
        self._give_up = give_up
        if self._timer is None or self._timer.when() > self._loop.time() + left:
            self._set_timer(left)
        try:
            await more
        except TimeoutError:
            return False
        finally:
            self._stream.more = None
        return True

    def _set_timer(self, seconds: float) -> None:
        self._forget_timer()
        self._timer = self._loop.call_later(max(seconds, 0.0), self._look_at_the_clock)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at_the_clock(self) -> None:
        self._timer, more = None, self._stream.more
        if more is None or more.done():
            return
        left = self._give_up - time.monotonic()
        if left > 0:
            self._set_timer(left)
        else:
            more.set_exception(TimeoutError())
