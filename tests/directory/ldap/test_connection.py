"""One connection, against a server that says what the test wants."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from directory.errors import (
    BaseNotFound,
    ConnectFailed,
    ConnectionBroken,
    ConnectionTimedOut,
    Malformed,
    ServerCertificateRefused,
    ServerRefused,
    SettingsProblem,
)
from directory.ldap import codec, tls
from directory.ldap.connection import Address, LdapConnection, parse_server
from directory.settings import TlsSettings
from tests.support.relay_and_agent import eventually

SUCCESS = codec.integer(0, 0x0A) + codec.octets(b"") + codec.octets(b"")
Answer = Callable[[bytes], bytes | None]
"""What a message is answered with; nothing hangs up, None says no more."""


Connect = Callable[[Answer], Awaitable[LdapConnection]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """A connection to a server that answers each message with whatever a function makes of it; empty means: hang up."""
    conversations: list[asyncio.Task[None]] = []
    async with AsyncExitStack() as opened:

        async def connect_to(answer: Answer) -> LdapConnection:
            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                conversations.append(cast("asyncio.Task[None]", asyncio.current_task()))
                with contextlib.suppress(OSError):
                    while data := await reader.read(65536):
                        reply = answer(data)
                        if reply == b"":
                            break
                        writer.write(reply or b"")
                writer.close()

            server = await opened.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1], secure=False)
            connection = await LdapConnection.open(address, tls.make_context(TlsSettings()), (), 5)
            opened.callback(connection.close)
            return connection

        yield connect_to
    await asyncio.wait(conversations, timeout=5)


async def search(connection: LdapConnection) -> list[tuple[str, codec.Entry]]:
    """Any search."""
    return await connection.search(
        b"DC=x", codec.SCOPE_SUBTREE, codec.ANYTHING, codec.attribute_list(["cn"]), limit=3, timeout=5
    )


async def test_entries_are_collected_until_the_search_is_done(connect: Connect) -> None:
    """References to other servers are passed over: referrals are off."""
    entry = codec.message(1, codec.tlv(codec.ENTRY, codec.octets(b"CN=a") + codec.tlv(0x30, b"")))
    reference = codec.message(1, codec.tlv(codec.REFERENCE, codec.octets(b"ldap://elsewhere")))
    done = codec.message(1, codec.tlv(codec.SEARCH_DONE, SUCCESS))
    connection = await connect(lambda _: reference + entry + entry + done)
    assert [dn for dn, _ in await search(connection)] == ["CN=a", "CN=a"]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        codec.message(9, codec.tlv(codec.SEARCH_DONE, SUCCESS)),
        codec.message(1, codec.tlv(codec.MODIFY_RESPONSE, SUCCESS)),
        codec.message(1, codec.tlv(codec.SEARCH_DONE, b"\x0a")),
        codec.message(1, codec.tlv(codec.ENTRY, b"\x04\x01a")),
        b"\x30\x84\x7f\xff\xff\xff",
        b"\x30\x03\x02\x01",
    ],
)
async def test_what_is_no_answer_to_the_question_ends_the_connection(connect: Connect, reply: bytes) -> None:
    """Another number, another operation, cut short, no LDAP, gigabytes: Malformed, and the connection is closed."""
    connection = await connect(lambda _: reply + b"\x00" * 8 if len(reply) == 4 else reply)
    with pytest.raises((Malformed, ConnectionTimedOut)):
        await connection.search(b"", codec.SCOPE_BASE, codec.ANYTHING, codec.attribute_list([]), limit=1, timeout=0.2)
    with pytest.raises(ConnectionBroken):
        await connection.bind(b"a", b"b", 1)


@pytest.mark.parametrize("kind", ["too many", "too much"])
async def test_a_search_brings_no_more_than_was_asked_for(
    connect: Connect, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that goes on and on fills nobody's memory: the connection is closed."""
    monkeypatch.setattr("directory.ldap.connection.LARGEST_SEARCH", 100_000)
    attribute = codec.tlv(0x30, codec.octets(b"a") + codec.tlv(0x31, codec.octets(b"x" * 60_000)))
    entry = codec.message(
        1, codec.tlv(codec.ENTRY, codec.octets(b"CN=a") + codec.tlv(0x30, attribute * (kind == "too much")))
    )
    done = codec.message(1, codec.tlv(codec.SEARCH_DONE, SUCCESS))
    connection = await connect(lambda _: entry * (2 if kind == "too much" else 4) + done)
    with pytest.raises(Malformed, match="more than the 3 entries"):
        await search(connection)
    await asyncio.wait_for(asyncio.shield(connection.closed), 5)


async def test_a_search_that_hits_its_limit_gives_what_came(connect: Connect) -> None:
    """Section 4.5.1.4: exactly as many, then sizeLimitExceeded."""
    entry = codec.message(1, codec.tlv(codec.ENTRY, codec.octets(b"CN=a") + codec.tlv(0x30, b"")))
    content = codec.integer(4, 0x0A) + codec.octets(b"") + codec.octets(b"")
    connection = await connect(lambda _: entry * 3 + codec.message(1, codec.tlv(codec.SEARCH_DONE, content)))
    assert len(await search(connection)) == 3


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("secure", [False, True])
def test_what_is_poured_into_an_idle_connection_ends_it(tmp_path: Path, loop: str, secure: bool) -> None:
    """Nobody has asked anything: all of it would be kept."""
    write_certificates(tmp_path, dns_name="dc1.example.com", address="127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def pour(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with contextlib.suppress(OSError), context.wrap_socket(accepted, server_side=True) if secure else accepted as poured:
            poured.settimeout(5)
            for _ in range(800):
                poured.sendall(b"\x30" * 65536)

    async def stay_idle(address: Address) -> int:
        trust = tls.make_context(TlsSettings(ca_file=tmp_path / "ca.pem"))
        connection = await LdapConnection.open(address, trust, (), 5)
        await asyncio.wait_for(connection.closed, 10)
        assert connection.is_stale()
        return len(connection._stream.buffer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=pour, args=(listener,), daemon=True)
        thread.start()
        address = Address("127.0.0.1", listener.getsockname()[1], secure)
        kept = (uvloop.run if loop == "uvloop" else asyncio.run)(stay_idle(address))
        thread.join(10)
    assert kept < 4 * 1024 * 1024


async def test_what_was_said_before_tls_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the clear anybody on the way can have said it: that a password is right, for instance."""
    write_certificates(tmp_path, dns_name="dc1.example.com", address="127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    right = codec.message(1, codec.tlv(codec.BIND_RESPONSE, SUCCESS))

    def serve(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        with contextlib.suppress(OSError), accepted:
            accepted.sendall(right)
            with context.wrap_socket(accepted, server_side=True) as secured:
                secured.recv(1000)

    loop = asyncio.get_running_loop()
    connect = loop.create_connection

    async def connect_slowly(make: Callable[[], Any], host: str, port: int) -> tuple[Any, Any]:
        """As where the answer was there before the connection was taken over."""
        transport, stream = await connect(make, host, port)
        await eventually(lambda: bool(stream.buffer))
        return transport, stream

    monkeypatch.setattr(loop, "create_connection", connect_slowly)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        address = Address("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(ConnectFailed, match="spoke before TLS"):
            await open_connection(address, TlsSettings(ca_file=tmp_path / "ca.pem"))
        await asyncio.to_thread(thread.join, 5)


async def test_a_refused_search_is_an_error_of_the_server(connect: Connect) -> None:
    """With its code and its text."""
    refusal = codec.integer(50, 0x0A) + codec.octets(b"") + codec.octets(b"insufficient rights")
    connection = await connect(lambda _: codec.message(1, codec.tlv(codec.SEARCH_DONE, refusal)))
    with pytest.raises(ServerRefused, match="LDAP result 50, insufficient rights"):
        await search(connection)


@pytest.mark.parametrize(("code", "one_entry_is_nothing"), [(10, False), (32, True), (34, False)])
async def test_a_base_that_is_not_there_is_an_error_below_it_alone(
    connect: Connect, code: int, one_entry_is_nothing: bool
) -> None:
    """Otherwise everybody would be nobody; one entry may well have been deleted."""
    refusal = codec.integer(code, 0x0A) + codec.octets(b"") + codec.octets(b"RefErr")
    done = codec.tlv(codec.SEARCH_DONE, refusal)
    connection = await connect(lambda request: codec.message(codec.open_message(request)[0], done))
    with pytest.raises(BaseNotFound, match=rf"nothing at 'DC=x' .*LDAP result {code}, RefErr.*`base_dn`"):
        await search(connection)
    one = connection.search(b"DC=x", codec.SCOPE_BASE, codec.ANYTHING, codec.attribute_list([]), limit=1, timeout=5)
    if one_entry_is_nothing:
        assert await one == []
    else:
        with pytest.raises(ServerRefused, match=f"LDAP result {code}"):
            await one


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (codec.message(0, codec.tlv(codec.EXTENDED_RESPONSE, SUCCESS)), ConnectionBroken),
        (codec.message(2, codec.tlv(codec.BIND_RESPONSE, SUCCESS)), Malformed),
        (codec.message(1, codec.tlv(codec.MODIFY_RESPONSE, SUCCESS)), Malformed),
        (codec.message(1, codec.tlv(codec.BIND_RESPONSE, b"\x0a\x01")), Malformed),
        (b"\x30\x02\x04\x00", Malformed),
        (b"", ConnectionBroken),
    ],
)
async def test_a_bind_is_never_taken_for_answered_by_anything_else(
    connect: Connect, reply: bytes, expected: type[Exception]
) -> None:
    """A notice of disconnection, another message's number, another operation, a hang-up: the password may be out."""
    connection = await connect(lambda _: reply)
    with pytest.raises(expected) as caught:
        await connection.bind(b"a", b"secret-word", 5)
    assert caught.value.sent  # type: ignore[attr-defined]
    assert "secret-word" not in str(caught.value)


async def test_silence_costs_one_timeout(connect: Connect) -> None:
    """And says how long it was."""
    connection = await connect(lambda _: None)
    with pytest.raises(ConnectionTimedOut, match=r"0\.05 s") as caught:
        await connection.bind(b"a", b"b", 0.05)
    assert caught.value.waited == 0.05


async def test_a_server_that_spoke_unasked_is_stale(connect: Connect) -> None:
    """As one that hung up is."""
    connection = await connect(lambda _: codec.message(1, codec.tlv(codec.BIND_RESPONSE, SUCCESS)) * 2)
    assert not connection.is_stale()
    assert (await connection.bind(b"a", b"b", 5)).code == 0
    assert connection.is_stale()
    connection.unbind()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("dc1.example.com", Address("dc1.example.com", 636)),
        ("dc1:3269", Address("dc1", 3269)),
        ("ldaps://dc1:636/", Address("dc1", 636)),
        ("[::1]:700", Address("::1", 700)),
        ("::1", Address("::1", 636)),
        ("LDAPS://dc1", Address("dc1", 636)),
    ],
)
def test_servers_are_read(text: str, address: Address) -> None:
    """With and without scheme and port, IPv6 too."""
    assert parse_server(text, allow_plain=False) == address


@pytest.mark.parametrize("text", ["ldap://dc1", "http://dc1", "dc1:", "dc1:0", "dc1:99999", "dc1:x", "", "ldaps://"])
def test_servers_that_cannot_be(text: str) -> None:
    """Plain 389 is refused unless the setting with the frightening name allows it."""
    with pytest.raises(SettingsProblem, match="servers"):
        parse_server(text, allow_plain=False)
    assert parse_server("ldap://dc1", allow_plain=True) == Address("dc1", 389, secure=False)


async def test_nobody_listens() -> None:
    """It is told which server."""
    port = free_port()
    with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}"):
        await LdapConnection.open(Address("127.0.0.1", port), tls.make_context(TlsSettings()), (), 1)


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[Address]:
    """A server that shakes hands and no more."""
    write_certificates(tmp_path, dns_name="dc1.example.com", address="127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), plain, context.wrap_socket(plain, server_side=True) as secured:
                secured.recv(1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield Address("127.0.0.1", listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def fingerprint(home: Path) -> str:
    """Of the server's certificate."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((home / "cert.pem").read_text())).hexdigest()


async def open_connection(address: Address, settings: TlsSettings) -> LdapConnection:
    """With these settings."""
    pins = tuple(map(tls.normalise_fingerprint, settings.pinned_sha256))
    return await LdapConnection.open(address, tls.make_context(settings), pins, 5)


async def test_the_right_authority_is_believed(tls_server: Address, tmp_path: Path) -> None:
    """And its certificate can be looked at."""
    connection = await open_connection(tls_server, TlsSettings(ca_file=tmp_path / "ca.pem"))
    assert connection.certificate()
    connection.close()


async def test_a_wrong_authority_is_not(tls_server: Address, tmp_path: Path) -> None:
    """Neither the system's store nor another CA file."""
    write_certificates(tmp_path / "other", dns_name="dc1.example.com", address="127.0.0.1")
    for settings in (TlsSettings(), TlsSettings(ca_file=tmp_path / "other" / "ca.pem")):
        with pytest.raises(ServerCertificateRefused, match="not trusted"):
            await open_connection(tls_server, settings)


async def test_a_wrong_name_is_not(tls_server: Address, tmp_path: Path) -> None:
    """The certificate names 127.0.0.1 and dc1.example.com only."""
    with pytest.raises(ServerCertificateRefused, match="not trusted"):
        await open_connection(Address("localhost", tls_server.port), TlsSettings(ca_file=tmp_path / "ca.pem"))


async def test_a_pin_alone_replaces_the_authority_and_beside_one_both_must_hold(tls_server: Address, tmp_path: Path) -> None:
    """With colons or without."""
    right = fingerprint(tmp_path)
    spaced = ":".join(right[at : at + 2] for at in range(0, 64, 2)).upper()
    (await open_connection(tls_server, TlsSettings(pinned_sha256=(spaced,)))).close()
    (await open_connection(tls_server, TlsSettings(pinned_sha256=("0" * 64, right), ca_file=tmp_path / "ca.pem"))).close()
    for settings in (
        TlsSettings(pinned_sha256=("0" * 64,)),
        TlsSettings(pinned_sha256=("0" * 64,), ca_file=tmp_path / "ca.pem"),
        TlsSettings(pinned_sha256=(right,), ca_file=_other_authority(tmp_path)),
    ):
        with pytest.raises(ServerCertificateRefused):
            await open_connection(tls_server, settings)


def _other_authority(home: Path) -> Path:
    write_certificates(home / "third", dns_name="dc1.example.com", address="127.0.0.1")
    return home / "third" / "ca.pem"


def test_tls_settings_that_cannot_be(tmp_path: Path) -> None:
    """Named with their key."""
    with pytest.raises(SettingsProblem, match=r"tls\.pinned_sha256"):
        tls.normalise_fingerprint("abc")
    with pytest.raises(SettingsProblem, match=r"tls\.ca_file"):
        tls.make_context(TlsSettings(ca_file=tmp_path / "absent.pem"))


async def test_a_server_that_speaks_no_tls_or_nothing() -> None:
    """Failed within the timeout, not refused for its certificate."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address("127.0.0.1", silent.getsockname()[1])
        with pytest.raises(ConnectFailed, match="no TLS handshake in time"):
            await LdapConnection.open(address, tls.make_context(TlsSettings()), (), 0.05)
