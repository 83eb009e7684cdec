"""A domain controller in the test's own event loop that limits what it sends, as Windows does and Samba does not.

1,000 rows of a search without pages, and of a page; 1,500 values of an attribute; DirSync in parts. It refuses what Windows
refuses, and does to each message what the test wants.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

from directory.changes import controls
from directory.ldap import codec

ROOT = "DC=corp"
NTDS = "CN=NTDS Settings,CN=DC1"
LARGEST_PAGE, LARGEST_RANGE = 1000, 1500
_UNBIND, _SEARCH = 0x42, 0x63

Attributes = dict[str, list[bytes]]


class HangUpNow(Exception):
    """Raised by `spoil`: the connection ends here."""


@dataclass
class FakeDirectory:
    """Async context manager."""

    objects: dict[bytes, tuple[str, Attributes]] = field(default_factory=dict)
    """objectGUID -> (DN, attributes); what a full reading brings."""
    changes: list[tuple[str, Attributes]] = field(default_factory=list)
    """What DirSync brings, in order; its cookie is how many of them were sent."""
    part: int = 2
    """Of `changes` in one answer of DirSync."""
    invocation_id: bytes = b"invocation-id-01"
    usn: int = 100
    spoil: Callable[[int, bytes], bytes] = lambda number, message: message
    """What becomes of the nth message of a search of a subtree; an empty one stays away, and so does all after it."""
    result: int = 0
    """LDAP result of such a search."""
    cookie_result: int = 0
    """The same where it has a cookie."""
    plain_first: bool = True
    """Whether the name of an attribute stands before its first range, or after it."""
    answers: Callable[[], list[tuple[bytes, bytes]]] | None = None
    """(operation, controls) of each answer to such a search, where that is what the test is about."""
    entry_uuid: bytes = b"4e3e1f1f-5073-4899-825c-c6e6ca83eb62"
    """Of the root."""
    sid: bytes = bytes.fromhex("010400000000000515000000010000000200000003000000")
    """Of the root, S-1-5-21-1-2-3; empty: it may not be read."""
    root_entry: Attributes = field(default_factory=dict)
    """What the server says of itself, beside what a reading needs."""
    at_range: Callable[[], None] = lambda: None
    """Called before each range of values."""
    requests: list[dict[bytes, bytes]] = field(default_factory=list)
    """Controls of each such search, by OID."""
    written: int = 0
    """Bytes of messages that were given to the socket."""
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    tls: ssl.SSLContext | None = None
    port: int = 0
    _server: asyncio.Server | None = None
    _conversations: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def server(self) -> str:
        """For `servers`; without `tls` in the clear, so the settings must allow it."""
        return f"{'ldaps' if self.tls else 'ldap'}://127.0.0.1:{self.port}"

    def add(self, dn: str, **attributes: bytes | list[bytes]) -> bytes:
        """One more object; its objectGUID."""
        guid = uuid.uuid5(uuid.NAMESPACE_X500, dn).bytes_le
        values = {name: value if isinstance(value, list) else [value] for name, value in attributes.items()}
        self.objects[guid] = (dn, {"objectGUID": [guid], "uSNChanged": [b"%d" % self.usn], **values})
        return guid

    async def __aenter__(self) -> FakeDirectory:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self.open:
            writer.transport.abort()
        if self._conversations:
            await asyncio.wait(self._conversations, timeout=5)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        self.open.add(writer)
        with contextlib.suppress(OSError, HangUpNow):
            async for message in _messages(reader):
                number, tag, start, end = codec.open_message(message)
                if tag == _UNBIND:
                    break
                assert tag == _SEARCH
                await self._answer(writer, number, _Search(message, start, end))
        self.open.discard(writer)
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, number: int, search: _Search) -> None:
        if search.scope == codec.SCOPE_BASE:
            found = self._look_up(search)
            writer.write(codec.message(number, entry(*found)) if found is not None else b"")
            writer.write(codec.message(number, done(0 if found is not None else 32)))
            return
        self.requests.append(search.controls)
        for count, (operation, said) in enumerate(self._answers(search)):
            message = self.spoil(count, codec.message(number, operation, said))
            if not message:
                return
            writer.write(message)
            self.written += len(message)
            await writer.drain()

    def _answers(self, search: _Search) -> Iterator[tuple[bytes, bytes]]:
        if self.answers is not None:
            return iter(self.answers())
        if controls.DIRSYNC in search.controls:
            return self._dirsync(search)
        if controls.NOTIFICATION in search.controls:
            return iter((entry(dn, attributes), b"") for dn, attributes in self.changes)
        return self._rows(search)

    def _rows(self, search: _Search) -> Iterator[tuple[bytes, bytes]]:
        if self.result:
            yield done(self.result), b""
            return
        value = search.controls.get(controls.PAGED_RESULTS)
        size, first = LARGEST_PAGE, 0
        if value is not None:
            (_, wanted), (_, cookie) = codec.read_elements(value)
            size, first = min(int.from_bytes(wanted, "big"), LARGEST_PAGE), int(cookie or b"0")
        rows = list(itertools.islice(self._matching(search), first, first + size))
        for dn, attributes in rows:
            yield entry(dn, self._limited(attributes)), b""
        rest = first + len(rows) < len(list(self._matching(search)))
        if value is None:
            yield done(4 if rest else 0), b""
            return
        cookie = b"%d" % (first + len(rows)) if rest else b""
        yield done(), control(controls.PAGED_RESULTS, codec.integer(0) + codec.octets(cookie))

    def _matching(self, search: _Search) -> Iterator[tuple[str, Attributes]]:
        """Of a filter, it knows those that ask for objects by objectGUID."""
        by_key = b"objectGUID" in search.matching
        return (found for guid, found in self.objects.items() if not by_key or guid in search.matching)

    def _limited(self, attributes: Attributes) -> Attributes:
        """As Windows sends what is too much: the first range, and the plain name without a value."""
        sent: Attributes = {}
        for name, values in attributes.items():
            if len(values) > LARGEST_RANGE:
                part = {f"{name};range=0-{LARGEST_RANGE - 1}": values[:LARGEST_RANGE]}
                sent |= {name: [], **part} if self.plain_first else {**part, name: []}
            else:
                sent[name] = values
        return sent

    def _dirsync(self, search: _Search) -> Iterator[tuple[bytes, bytes]]:
        (_, flags), _, (_, cookie) = codec.read_elements(search.controls[controls.DIRSYNC])
        problem = self.result or (self.cookie_result if cookie else 0) or (2 if len(flags) > 4 else 0)
        if search.base != ROOT:
            problem = 50
        if problem:
            yield done(problem), b""
            return
        first = int(cookie or b"0")
        for dn, attributes in self.changes[first : first + self.part]:
            yield entry(dn, attributes), b""
        last = min(first + self.part, len(self.changes))
        value = codec.integer(last < len(self.changes)) + codec.integer(0) + codec.octets(b"%d" % last)
        yield done(), control(controls.DIRSYNC, value)

    def _look_up(self, search: _Search) -> tuple[str, Attributes] | None:
        if not search.base:
            return "", {"dsServiceName": [NTDS.encode()], "highestCommittedUSN": [b"%d" % self.usn], **self.root_entry}
        if search.base == NTDS:
            return NTDS, {"invocationId": [self.invocation_id]} if self.invocation_id else {}
        if search.base == ROOT:
            sid = {"objectSid": [self.sid]} if self.sid else {}
            return ROOT, {"objectGUID": [b"guid-of-a-domain"], "entryUUID": [self.entry_uuid], **sid}
        guid = uuid.UUID(search.base.removeprefix("<GUID=").removesuffix(">")).bytes_le
        self.at_range()
        if guid not in self.objects:
            return None
        dn, attributes = self.objects[guid]
        return dn, dict(self._part(name, attributes) for name in search.attributes)

    def _part(self, name: str, attributes: Attributes) -> tuple[str, list[bytes]]:
        plain, mark, wanted = name.partition(";range=")
        values = next(values for known, values in attributes.items() if known.lower() == plain.lower())
        if not mark:
            return name, values
        first = int(wanted.partition("-")[0])
        part = values[first : first + LARGEST_RANGE]
        last = "*" if first + len(part) >= len(values) else str(first + len(part) - 1)
        return f"{plain};range={first}-{last}", part


class _Search:
    """What a request asks for."""

    def __init__(self, message: bytes, start: int, end: int) -> None:
        parts = codec.read_elements(codec.tlv(0x30, message[start:end]))
        self.base = parts[0][1].decode()
        self.scope = parts[1][1][0]
        self.matching = parts[6][1]
        self.attributes = [name.decode() for _, name in codec.read_elements(codec.tlv(0x30, parts[7][1]))]
        self.controls = codec.read_controls(message, end)


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    received = b""
    while data := await reader.read(65536):
        received += data
        while (size := codec.message_size(received)) and len(received) >= size:
            message, received = received[:size], received[size:]
            yield message


def entry(dn: str, attributes: Attributes) -> bytes:
    """SearchResultEntry."""
    parts = [
        codec.tlv(0x30, codec.octets(name.encode()) + codec.tlv(0x31, b"".join(map(codec.octets, values))))
        for name, values in attributes.items()
    ]
    return codec.tlv(codec.ENTRY, codec.octets(dn.encode()) + codec.tlv(0x30, b"".join(parts)))


def done(code: int = 0, text: bytes = b"as the test wants") -> bytes:
    """SearchResultDone."""
    return codec.tlv(codec.SEARCH_DONE, codec.tlv(0x0A, code.to_bytes(2, "big")) + codec.octets(b"") + codec.octets(text))


def control(oid: bytes, content: bytes) -> bytes:
    """A control of a response; `content` of the SEQUENCE that is its value."""
    return codec.control(oid, value=codec.tlv(0x30, content))
