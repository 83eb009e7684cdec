"""One connection to one directory server: blocking, one operation at a time, every wait bounded.

A link is owned by one thread between borrowing and giving back. After any error it is closed and never used again, so
that a late answer can never be taken for the answer to a later question.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from dataclasses import dataclass

from directory import tls, wire
from directory.errors import ConnectFailed, LinkBroken, LinkTimedOut, Malformed, ServerRefused, SettingsProblem
from directory.wire import Entry, Result

_SEARCH_ANSWERS = (wire.ENTRY, wire.REFERENCE, wire.SEARCH_DONE)


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


class Link:
    """An open connection. `used_at` is `time.monotonic()` of its last use; `fresh` until its first answer."""

    __slots__ = ("_buffer", "_number", "_poll", "_socket", "fresh", "server", "used_at")

    def __init__(self, server: str, connected: socket.socket) -> None:
        self.server = server
        self.used_at = time.monotonic()
        self.fresh = True
        self._socket = connected
        self._buffer = bytearray()
        self._number = 0
        self._poll = select.poll()
        self._poll.register(connected.fileno(), select.POLLIN)

    @classmethod
    def open(cls, address: Address, context: ssl.SSLContext, pins: tuple[str, ...], timeout: float) -> Link:
        """Connects, with TLS unless the address says otherwise; `timeout` seconds for TCP and again for TLS."""
        server = str(address)
        try:
            plain = socket.create_connection((address.host, address.port), timeout=timeout)
        except TimeoutError as error:
            raise ConnectFailed(server, f"no connection within {timeout:g} s") from error
        except OSError as error:
            raise ConnectFailed(server, f"no connection: {error.strerror or error}") from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if not address.secure:
                return cls(server, plain)
            return cls(server, tls.secure(plain, address.host, server, context, pins))
        except BaseException:
            plain.close()
            raise

    def certificate(self) -> bytes | None:
        """The server's certificate (DER), or None without TLS."""
        return self._socket.getpeercert(binary_form=True) if isinstance(self._socket, ssl.SSLSocket) else None

    def is_stale(self) -> bool:
        """True where the server has said something unasked, as it does when it hangs up."""
        return bool(self._buffer) or bool(self._poll.poll(0))

    def bind(self, name: bytes, password: bytes, timeout: float, controls: bytes = b"") -> Result:
        """A simple bind. `LinkBroken.sent` tells whether the server may have judged the password."""
        data = self._ask(wire.bind_request(name, password), wire.BIND_RESPONSE, timeout, controls)
        return self._result(data)

    def modify(self, dn: bytes, changes: list[tuple[int, bytes, bytes]], timeout: float) -> Result:
        """Modifies one object; each change is (operation, attribute, value)."""
        data = self._ask(wire.modify_request(dn, changes), wire.MODIFY_RESPONSE, timeout)
        return self._result(data)

    def change_password(self, dn: bytes, old: bytes | None, new: bytes, timeout: float) -> Result:
        """The extended operation of RFC 3062."""
        data = self._ask(wire.password_modify_request(dn, old, new), wire.EXTENDED_RESPONSE, timeout)
        return self._result(data)

    def search(
        self, base: bytes, scope: int, matching: bytes, attributes: bytes, *, limit: int, timeout: float
    ) -> list[tuple[str, Entry]]:
        """Entries as (DN, attributes). A base that does not exist gives none; hitting `limit` gives what came."""
        request = wire.search_request(base, scope, matching, attributes, limit=limit, seconds=int(timeout) + 1)
        give_up = time.monotonic() + timeout
        self._send(request, timeout)
        found: list[tuple[str, Entry]] = []
        try:
            while True:
                data = self._receive(give_up, timeout)
                number, tag, start, end = wire.open_message(data)
                if number != self._number or tag not in _SEARCH_ANSWERS:
                    raise wire.WireError("an answer to something else")
                if tag == wire.ENTRY:
                    found.append(wire.read_entry(data, start, end))
                elif tag == wire.SEARCH_DONE:
                    break
            result = wire.read_result(data, start, end)
        except (wire.WireError, IndexError) as error:
            self.close()
            raise Malformed(self.server, str(error)) from error
        if result.code not in (0, 4, 32):  # success, sizeLimitExceeded, noSuchObject
            raise ServerRefused(self.server, "search", result.code, result.text)
        return found

    def close(self) -> None:
        """Hangs up; never fails."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def unbind(self) -> None:
        """Says good-bye, then hangs up."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(0.2)
            self._socket.sendall(wire.message(self._number + 1, wire.UNBIND))
        self.close()

    def _ask(self, request: bytes, expected: int, timeout: float, controls: bytes = b"") -> bytes:
        self._send(request, timeout, controls)
        data = self._receive(time.monotonic() + timeout, timeout)
        try:
            number, tag, _, _ = wire.open_message(data)
        except wire.WireError as error:
            self.close()
            raise Malformed(self.server, str(error)) from error
        if number == 0:  # RFC 4511 section 4.4.1: notice of disconnection
            self.close()
            raise LinkBroken(self.server, "the server hung up with a notice", sent=True)
        if number != self._number or tag != expected:
            self.close()
            raise Malformed(self.server, "an answer to something else")
        return data

    def _result(self, data: bytes) -> Result:
        try:
            _, _, start, end = wire.open_message(data)
            return wire.read_result(data, start, end)
        except wire.WireError as error:
            self.close()
            raise Malformed(self.server, str(error)) from error

    def _send(self, request: bytes, timeout: float, controls: bytes = b"") -> None:
        self._number += 1
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(wire.message(self._number, request, controls))
        except OSError as error:
            self.close()
            kind = LinkTimedOut if isinstance(error, TimeoutError) else LinkBroken
            raise kind(self.server, f"sending failed: {error}", sent=True) from error

    def _receive(self, give_up: float, timeout: float) -> bytes:
        """The next whole message."""
        buffer = self._buffer
        try:
            while True:
                size = wire.message_size(buffer)
                if size and len(buffer) >= size:
                    data = bytes(buffer[:size])
                    del buffer[:size]
                    self.fresh = False
                    return data
                chunk = self._socket.recv(65536)
                if not chunk:
                    raise ConnectionResetError("the server hung up")
                buffer += chunk
                if len(chunk) == 65536:  # a long answer: the whole of it has to be here in time
                    left = give_up - time.monotonic()
                    if left <= 0:
                        raise TimeoutError
                    self._socket.settimeout(left)
        except wire.WireError as error:
            self.close()
            raise Malformed(self.server, str(error)) from error
        except TimeoutError as error:
            self.close()
            raise LinkTimedOut(self.server, f"no answer within {timeout:.3g} s", sent=True, waited=timeout) from error
        except OSError as error:
            self.close()
            raise LinkBroken(self.server, f"lost: {error}", sent=True) from error
