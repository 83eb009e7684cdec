"""What applications' servers are asked: over real HTTPS, and nothing inside unless it is named (O17, S27)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from demo.throwaway_tls import write_certificates
from foundation.http import FetchFailed
from gateway.federation.destinations import Destinations
from gateway.federation.name_lookups import NameLookups
from gateway.federation.outbound import Outbound
from tests.support.connect_proxy import ConnectProxy


class Publisher:
    """A server with documents; `url` by address."""

    def __init__(self, home: Path, port: int) -> None:
        self.ca, self.url, self.name = home / "ca.pem", f"https://127.0.0.1:{port}", f"https://localhost:{port}"
        self.asked: list[str] = []


@pytest.fixture
async def publisher(tmp_path: Path) -> AsyncIterator[Publisher]:
    write_certificates(tmp_path, dns_name="localhost", address="127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    made: list[Publisher] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        made[0].asked.append(request.path)
        if request.path == "/elsewhere":
            return web.Response(status=302, headers={"Location": "/document"})
        if request.path == "/slow":
            await asyncio.sleep(1.5)  # the end of the test waits for it
        return web.Response(body=b"x" * (1000 if request.path == "/large" else 10), status=200)

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.0)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening, ssl_context=context).start()
    made.append(Publisher(tmp_path, listening.getsockname()[1]))
    yield made[0]
    await runner.cleanup()


LOOPBACK = Destinations(("127.0.0.0/8", "::1/128"))


async def test_a_document_comes_whole_or_not_at_all(publisher: Publisher) -> None:
    """As it is; where it is too large, late, moved or not encrypted, there is none."""
    documents = Outbound(LOOPBACK, ca_file=publisher.ca, timeout=1.0)
    assert await documents.get(publisher.url + "/document", most=10) == b"x" * 10
    assert await documents.get(publisher.name + "/document", most=10) == b"x" * 10
    for path, reason in (("/large", "longer than 999"), ("/elsewhere", "302"), ("/slow", "within 1 s")):
        with pytest.raises(FetchFailed, match=reason):
            await documents.get(publisher.url + path, most=999)
    assert publisher.asked == ["/document", "/document", "/large", "/elsewhere", "/slow"]
    for url in ("http://app.example.com/document", "https:///document", "ftp://127.0.0.1/"):
        with pytest.raises(FetchFailed, match="not an https"):
            await documents.get(url, most=10)


async def test_who_cannot_prove_its_name_is_not_read(publisher: Publisher, tmp_path: Path) -> None:
    """Of an authority that nobody trusts; and where the file of authorities is gone, nothing is trusted instead."""
    with pytest.raises(FetchFailed, match="certificate"):
        await Outbound(LOOPBACK).get(publisher.url + "/document", most=10)
    with pytest.raises(FetchFailed, match="No such file"):
        await Outbound(LOOPBACK, ca_file=tmp_path / "gone").get(publisher.url + "/document", most=10)
    assert publisher.asked == []


@pytest.mark.parametrize("spelled", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_nothing_inside_is_asked(publisher: Publisher, spelled: str) -> None:
    """By address in any spelling, or by name; neither a document nor a post. (O17, S27)"""
    port = publisher.url.rpartition(":")[2]
    url, outside = f"https://{spelled}:{port}/document", Outbound(Destinations(), ca_file=publisher.ca)
    for asked in (outside.get(url, most=10), outside.post(url, b"", content_type="text/plain"), outside.check(url)):
        with pytest.raises(FetchFailed, match="application_networks"):
            await asked
    assert publisher.asked == []


async def test_an_address_that_changes_after_the_look_is_not_connected_to(publisher: Publisher) -> None:
    """DNS rebinding: the first answer is of the Internet, that of the connection is this machine."""
    asked = 0

    def resolve(*_: Any, **__: Any) -> list[Any]:
        nonlocal asked
        asked += 1
        host = "127.0.0.1" if asked > 1 else "1.1.1.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0))]

    outbound = Outbound(Destinations(), ca_file=publisher.ca, lookups=NameLookups(resolve))
    with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 is neither"):
        await outbound.get(publisher.name + "/document", most=10)
    assert (asked, publisher.asked) == (2, [])


async def test_by_a_proxy(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is of the Internet, or not known here; what is named goes directly, and what is inside nowhere."""
    async with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        by_proxy = Outbound(Destinations(), ca_file=publisher.ca, proxy=f"http://{proxy.address}", timeout=2.0)
        for url in (publisher.url, publisher.name):
            with pytest.raises(FetchFailed, match="application_networks"):
                await by_proxy.get(url + "/document", most=10)
        direct = Outbound(LOOPBACK, ca_file=publisher.ca, proxy=f"http://{proxy.address}")
        await direct.get(publisher.url + "/document", most=10)
        for off in ("", "none"):
            await Outbound(LOOPBACK, ca_file=publisher.ca, proxy=off).get(publisher.url + "/document", most=10)
        assert proxy.tunnels == []  # nor by that of the environment
        monkeypatch.setattr(Destinations, "allow", lambda *_: True)  # as if this machine were of the Internet
        await by_proxy.get(publisher.url + "/document", most=10)
        assert proxy.tunnels == [publisher.url.removeprefix("https://")]
        with pytest.raises(FetchFailed):
            await by_proxy.get("https://nobody.invalid/document", most=10)
        with pytest.raises(FetchFailed):
            await Outbound(Destinations()).get("https://nobody.invalid/document", most=10)
        assert proxy.tunnels == [publisher.url.removeprefix("https://")]


async def test_a_party_whose_name_servers_hang_delays_nobody_else(publisher: Publisher) -> None:
    """Its own requests fail, and say why; no thread that others need is in use."""
    released = threading.Event()

    def resolve(host: str, *how: Any, **more: Any) -> list[Any]:
        if host == "localhost":
            return socket.getaddrinfo(host, *how, **more)
        released.wait(10.0)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    outbound = Outbound(LOOPBACK, ca_file=publisher.ca, lookups=NameLookups(resolve))
    hanging = [asyncio.create_task(outbound.get(f"https://app.example.com:{port}/", most=9)) for port in range(1, 41)]
    await asyncio.sleep(0)
    assert await outbound.get(publisher.name + "/document", most=10) == b"x" * 10
    assert not any(task.done() for task in hanging)
    released.set()
    for failed in await asyncio.gather(*hanging, return_exceptions=True):
        assert isinstance(failed, FetchFailed)
        assert failed.reason == "Temporary failure in name resolution"


@pytest.mark.parametrize("proxy", ["", "http://proxy.example.com:3128"])
async def test_a_name_that_leads_inside_as_well_is_not_left_to_the_proxy(proxy: str) -> None:
    """It would take whichever address it likes; where the relay connects itself, each socket is judged."""

    def resolve(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (address, 0)) for address in ("1.1.1.1", "10.1.2.3")]

    lookups = NameLookups(resolve)
    with pytest.raises(FetchFailed, match=r"10\.1\.2\.3 is neither") if proxy else contextlib.nullcontext():
        await Outbound(Destinations(), proxy=proxy, lookups=lookups).check("https://app.example.com/")
    await Outbound(Destinations(("10.0.0.0/8",)), proxy=proxy, lookups=lookups).check("https://app.example.com/")


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_addresses_of_the_internet(address: str) -> None:
    """They need no name."""
    assert Destinations().allow(address)


INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 - nothing listens
    "0.0.0.1",
    "::1",
    "::",
    "::ffff:10.0.0.1",
    "::10.0.0.1",
    "::ffff:0:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1:a01:2:300:808:808",  # 10.1.2.3 to a gateway of that /48 (RFC 6052 section 2.2)
    "2002:a00:1::1",
    "fe80::1",
    "fc00::1",
    "fec0::1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
]


@pytest.mark.parametrize("address", [*INSIDE, "224.0.0.1", "ff0e::1", "fe80::1%eth0", "not an address", "2130706433", ""])
def test_addresses_inside(address: str) -> None:
    """In whatever way they are written, and those that a gateway would translate."""
    assert not Destinations().allow(address)


@pytest.mark.parametrize(
    ("network", "allowed", "refused"),
    [
        ("10.0.0.0/8", ("10.1.2.3", "::ffff:10.1.2.3"), ("192.168.0.1", "127.0.0.1", "64:ff9b::192.168.0.1")),
        ("0.0.0.0/1", ("10.1.2.3",), ("127.0.0.1", "0.0.0.1", "100.100.100.200")),
        ("128.0.0.0/1", ("172.16.0.1",), ("224.0.0.1", "169.254.169.254", "168.63.129.16", "192.0.0.192")),
        ("fc00::/7", ("fd12::1",), ("fd00:ec2::254", "fd20:ce::254", "fe80::1")),
        ("8000::/1", ("fd12::1", "fec0::1"), ("fe80::1",)),
        ("169.254.169.254", ("169.254.169.254",), ("169.254.169.253",)),
        ("168.63.129.16/32", ("168.63.129.16",), ()),
        ("127.0.0.0/8", ("127.0.0.1",), ("::1",)),
        ("::1", ("::1",), ("127.0.0.1",)),
        ("fe80::/10", ("fe80::1",), ("fe80::1%eth0",)),
    ],
)
def test_networks_that_are_named(network: str, allowed: tuple[str, ...], refused: tuple[str, ...]) -> None:
    """And no others; what no one means by a large network has to be named by itself."""
    destinations = Destinations((network,))
    assert all(destinations.allow(address) and destinations.name(address) for address in allowed)
    assert not any(destinations.allow(address) for address in refused)
