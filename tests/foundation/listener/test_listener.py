"""A listener on loopback, and those who keep it busy."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp import web

from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from foundation.listener import AddressUnavailable, HttpConnection, Listener, own_host
from foundation.listener.headers import is_own_host
from foundation.listener.listener import FIRST_REQUEST
from gateway.app import ServerSettings, tls_context
from settings import SecretFile

HELLO = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def _hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


@asynccontextmanager
async def listening(tls: Any = None, **options: Any) -> AsyncIterator[tuple[Listener, Connect]]:
    """A listener, and how to connect to it."""
    app = web.Application(middlewares=options.pop("middlewares", ()))
    app.router.add_get("/", _hello)
    listener, port = Listener(app, tls=tls, **{"of_address": 10, **options}), free_port()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(listener.close)
        await listener.start("127.0.0.1", port)

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            return reader, writer

        yield listener, connect


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Empty where the connection was ended."""
    try:
        async with asyncio.timeout(5):
            writer.write(HELLO)
            await reader.readuntil(b"\r\n\r\n")
            return await reader.readexactly(5)
    except (OSError, asyncio.IncompleteReadError):
        return b""


def _tls(home: Path) -> Any:
    write_certificates(home, dns_name="localhost", address="127.0.0.1")
    key = SecretFile(str(home / "key.pem"))
    settings = ServerSettings(state_dir=home, public_url="", tls_certificate=home / "cert.pem", tls_key=key)
    return tls_context(settings)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("encrypted", [False, True])
def test_silent_connections_make_place_for_others(tmp_path: Path, loop: str, encrypted: bool) -> None:
    """Of one address the longest silent one leaves, TLS or not; and none has more than its time."""

    async def silence() -> None:
        tls = _tls(tmp_path) if encrypted else None
        async with listening(tls) as (listener, connect):
            silent = [await connect() for _ in range(30)]
            for reader, _ in silent[:20]:
                assert await asyncio.wait_for(reader.read(), 5) == b""
            assert len(listener.places) == 10
            clock = asyncio.get_running_loop().time
            listener.sweep(clock() + FIRST_REQUEST - 1)
            assert len(listener.places) == 10
            listener.sweep(clock() + FIRST_REQUEST)
            for reader, _ in silent[20:]:
                assert await asyncio.wait_for(reader.read(), 5) == b""
            assert len(listener.places) == 0
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    (uvloop.run if loop == "uvloop" else asyncio.run)(silence())


async def test_who_has_asked_waits_longer_and_who_is_answered_is_not_sent_away() -> None:
    """Keep-alive is for honest clients."""
    async with listening() as (listener, connect):
        idle = await connect()
        assert await answer(*idle) == b"hello"
        _, half = await connect()
        half.write(HELLO[:20])
        for _ in range(8):
            await connect()
        listener.sweep(asyncio.get_running_loop().time() + FIRST_REQUEST + 1)
        assert len(listener.places) == 1
        assert await answer(*idle) == b"hello"


async def test_a_connection_that_ended_leaves_its_place() -> None:
    """However it ended."""
    async with listening() as (listener, connect):
        for _ in range(30):
            reader, writer = await connect()
            assert await answer(reader, writer) == b"hello"
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(5):
            while len(listener.places):  # noqa: ASYNC110 - the other end notices a moment later
                await asyncio.sleep(0.005)


async def test_a_port_that_is_taken_leaves_nothing() -> None:
    """The error names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listener = Listener(web.Application(), of_address=1)
        with pytest.raises(AddressUnavailable, match="is in use already"):
            await listener.start(*taken.getsockname()[:2])
        await listener.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9181", 200),
        ("127.0.0.1", 200),
        ("[::1]:9181", 200),
        ("[::1]", 200),
        ("LOCALHOST:9181", 200),
        ("localhost.", 200),
        ("relay1.internal:9181", 200),
        ("evil.example", 421),
        ("evil.example:9181", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example@127.0.0.1", 421),
        ("127.0.0.1, evil.example", 421),
        ("", 421),
    ],
)
async def test_a_name_that_is_not_ours_is_not_answered(host: str, status: int) -> None:
    """A web page whose name was made to lead here reads nothing."""
    async with listening(middlewares=[own_host("relay1.internal", setting="metrics_hosts")]) as (_, connect):
        reader, writer = await connect()
        writer.write(HELLO.replace(b"Host: 127.0.0.1", b"Host: " + host.encode()))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert int(head[9:12]) == status
    assert b"\r\nServer: isthmus\r\n" in head
    assert b"\r\nX-Content-Type-Options: nosniff\r\n" in head


async def test_a_connection_that_is_sent_away_before_its_handshake_began_leaves_no_socket() -> None:
    """Its task never had a turn, so nobody else has the socket."""
    async with listening() as (listener, _):
        ours, theirs = socket.socketpair()
        server = listener._runner.server
        assert server is not None
        connection = HttpConnection(listener, server, asyncio.get_running_loop())
        task = asyncio.create_task(listener._greet(connection, theirs))
        task.add_done_callback(functools.partial(listener._greeted, connection, theirs))
        listener._handshakes[connection] = task
        listener._end(connection)
        await asyncio.wait({task})
        await asyncio.sleep(0)
        with ours:
            assert theirs.fileno() == -1
        assert not listener._handshakes


def test_a_request_for_two_hosts_is_for_none_of_them() -> None:
    """Which one counts, a browser and a proxy before us may see differently. Without any it is no browser's."""
    known = {"localhost"}
    assert is_own_host(["localhost:9090"], known)
    assert not is_own_host(["localhost", "evil.example"], known)
    assert not is_own_host(["localhost", "localhost"], known)
    assert is_own_host([], known)
