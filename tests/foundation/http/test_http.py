"""Hosts that nobody vouches for: what they show, and how much of it is taken."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from foundation.http import (
    FetchFailed,
    canonical_name,
    clock_skew,
    explain_failure,
    host_header,
    open_session,
    read_bounded,
    read_served_certificate,
)
from tests.fakes.graph import Pki


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path, time.time())


@pytest.fixture
async def port(pki: Pki) -> AsyncIterator[int]:
    """Of a server that answers ten bytes."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"0123456789", headers={"Date": request.headers.get("X-Date", "nonsense")})

    application = web.Application()
    application.add_routes([web.get("/", answer)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=pki.server_context()).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def test_a_certificate_is_seen_whether_or_not_it_is_trusted(pki: Pki, port: int) -> None:
    """With the reason why a client would refuse it."""
    trusted, problem = await read_served_certificate("127.0.0.1", port, "localhost", str(pki.ca_file))
    assert problem == ""
    seen, problem = await read_served_certificate("127.0.0.1", port, "localhost")
    assert seen == trusted
    assert "unable to get" in problem or "self-signed" in problem
    seen, problem = await read_served_certificate("127.0.0.1", port, "other.example", str(pki.ca_file))
    assert seen == trusted
    assert "other.example" in problem


async def test_an_answer_is_read_up_to_its_limit(pki: Pki, port: int) -> None:
    """A byte more is refused, before the rest is here."""
    async with open_session(context=ssl.create_default_context(cafile=pki.ca_file)) as session:
        async with session.get(f"https://127.0.0.1:{port}/") as response:
            assert await read_bounded(response, 10) == b"0123456789"
        async with session.get(f"https://127.0.0.1:{port}/") as response:
            with pytest.raises(FetchFailed, match="longer than 9 bytes"):
                await read_bounded(response, 9)


async def test_the_clock_of_a_host(pki: Pki, port: int) -> None:
    """By its Date (RFC 9110 section 6.6.1), to the second; None for one that cannot be read."""
    url, date = f"https://127.0.0.1:{port}/", "Thu, 01 Jan 1970 00:01:40 GMT"
    async with open_session(context=ssl.create_default_context(cafile=pki.ca_file)) as session:
        async with session.get(url, headers={"X-Date": date}) as response:
            assert clock_skew(response, 90.0) == 10.5
        async with session.get(url) as response:
            assert clock_skew(response, 90.0) is None


async def test_names() -> None:
    """An alias of nothing is empty, and the usual port is not said."""
    for name in ("name.invalid", "x" * 300, "a..b", ""):
        assert await canonical_name(name, 2.0) == ""
    assert host_header("fs.example.com", 443, 443) == "fs.example.com"
    assert host_header("fs.example.com", 8443, 443) == "fs.example.com:8443"


def test_failures_in_plain_words() -> None:
    """Those that a person can act on."""
    assert explain_failure(TimeoutError(), 8.0) == "no answer within 8 s"
    assert explain_failure(ConnectionResetError(), 8.0) == "the connection broke"
    assert explain_failure(OSError(113, "No route to host"), 8.0) == "No route to host"
