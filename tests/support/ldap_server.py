"""An LDAP server in the test's own event loop that knows one person and does at a bind what the test wants."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from types import TracebackType

from directory.ldap import codec

SUCCESS = codec.integer(0, 0x0A) + codec.octets(b"") + codec.octets(b"")
WRONG = (
    codec.integer(49, 0x0A)
    + codec.octets(b"")
    + codec.octets(b"80090308: LdapErr: DSID-0C09044E, comment: x, data 52e, v4563")
)
DN = b"CN=Anna,DC=corp"
PASSWORD = b"right"

_BIND, _UNBIND, _SEARCH, _EXTENDED = 0x60, 0x42, 0x63, 0x77


@dataclass
class FakeLdapServer:
    """Async context manager. Answers searches at once; `at_bind` says what a bind with a user's password comes to."""

    at_bind: str = "judge"
    """`judge` the password, stay `silent`, `hang up`, or answer with `garbage`; the bind is on record in any case."""
    threshold: int = 5
    """The domain's lockoutThreshold."""
    least_characters: int | None = None
    """The domain's minPwdLength; None: it may not be read."""
    locked_at: bytes = b"0"
    """The account's lockoutTime, a FILETIME."""
    policy_error: int | None = None
    """What a password policy control says beside a right password (draft-behera section 6.2)."""
    changes: int = 0
    """Changes of password (RFC 3062); each is done."""
    binds: list[tuple[bytes, bytes]] = field(default_factory=list)
    """(DN, password) of each bind that arrived."""
    at_search: int | None = 0
    """LDAP result of each search; None: stay silent."""
    searches: int = 0
    bound: asyncio.Event = field(default_factory=asyncio.Event)
    """A bind has arrived."""
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _conversations: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def server(self) -> str:
        """For `servers`; in the clear, so the settings must allow it."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        """`host:port`, as health and verdicts call it."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> FakeLdapServer:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        if self._conversations:
            await asyncio.wait(self._conversations, timeout=5)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        self._open.add(writer)
        with contextlib.suppress(OSError):
            await self._serve(reader, writer)
        self._open.discard(writer)
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = b""
        while data := await reader.read(65536):
            received += data
            while (size := codec.message_size(received)) and len(received) >= size:
                message, received = received[:size], received[size:]
                reply = self._answer(message)
                if reply is None:
                    return
                writer.write(reply)

    def _answer(self, message: bytes) -> bytes | None:
        """What goes back; None hangs up."""
        number, tag, start, end = codec.open_message(message)
        if tag == _UNBIND:
            return None
        if tag == _SEARCH:
            self.searches += 1
            if self.at_search is None:
                return b""
            if self.at_search:
                result = codec.integer(self.at_search, 0x0A) + codec.octets(b"") + codec.octets(b"as the test wants")
                return codec.message(number, codec.tlv(codec.SEARCH_DONE, result))
            return self._found(number, message, start)
        if tag == _EXTENDED:
            self.changes += 1
            return codec.message(number, codec.tlv(codec.EXTENDED_RESPONSE, SUCCESS))
        assert tag == _BIND
        return self._bound(number, message, start, end)

    def _found(self, number: int, message: bytes, start: int) -> bytes:
        _, first, after = codec.header(message, start)
        base = message[first:after]
        _, first, after = codec.header(message, after)
        entry = b""
        if base and message[first:after] == bytes((codec.SCOPE_BASE,)) and base != DN:
            attributes = {"lockoutThreshold": str(self.threshold).encode(), "lockOutObservationWindow": b"-18000000000"}
            if self.least_characters is not None:
                attributes["minPwdLength"] = str(self.least_characters).encode()
            entry = _entry(base, **attributes)
        elif base:
            guid = b"0123456789abcdef"
            names = {"sAMAccountName": b"anna", "userPrincipalName": b"anna@corp"}
            entry = _entry(DN, objectGUID=guid, badPwdCount=b"0", lockoutTime=self.locked_at, **names)
        found = codec.message(number, entry) if entry else b""
        return found + codec.message(number, codec.tlv(codec.SEARCH_DONE, SUCCESS))

    def _bound(self, number: int, message: bytes, start: int, end: int) -> bytes | None:
        _, _, after = codec.header(message, start)  # the version
        _, first, after = codec.header(message, after)
        dn = message[first:after]
        _, first, after = codec.header(message, after)
        assert after == end
        password = message[first:after]
        self.binds.append((dn, password))
        self.bound.set()
        if self.at_bind == "silent":
            return b""
        if self.at_bind == "hang up":
            return None
        if self.at_bind == "garbage":
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        if (dn, password) != (DN, PASSWORD):
            return codec.message(number, codec.tlv(codec.BIND_RESPONSE, WRONG))
        said = b""
        if self.policy_error is not None:
            value = codec.octets(codec.tlv(0x30, codec.integer(self.policy_error, 0x81)))
            said = codec.tlv(0x30, codec.octets(codec.PASSWORD_POLICY) + value)
        return codec.message(number, codec.tlv(codec.BIND_RESPONSE, SUCCESS), said)


def _entry(dn: bytes, **attributes: bytes) -> bytes:
    parts = [
        codec.tlv(0x30, codec.octets(name.encode()) + codec.tlv(0x31, codec.octets(value)))
        for name, value in attributes.items()
    ]
    return codec.tlv(codec.ENTRY, codec.octets(dn) + codec.tlv(0x30, b"".join(parts)))
