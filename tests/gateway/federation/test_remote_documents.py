"""Documents of applications: fetched over real HTTPS, and from nowhere inside (S27)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from demo.throwaway_tls import write_certificates
from foundation.http import FetchFailed
from gateway.federation.remote_documents import InternetResolver, RemoteDocuments, is_global


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
            await asyncio.sleep(30)
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


async def test_a_document_comes_whole_or_not_at_all(publisher: Publisher) -> None:
    """As it is; where it is too large, late, moved or not encrypted, there is none."""
    documents = RemoteDocuments(publisher.ca, timeout=1.0)
    assert await documents.get(publisher.url + "/document", most=10, inside=True) == b"x" * 10
    assert await documents.get(publisher.name + "/document", most=10, inside=True) == b"x" * 10
    for path, reason in (("/large", "longer than 999"), ("/elsewhere", "302"), ("/slow", "within 1 s")):
        with pytest.raises(FetchFailed, match=reason):
            await documents.get(publisher.url + path, most=999, inside=True)
    assert publisher.asked == ["/document", "/document", "/large", "/elsewhere", "/slow"]
    with pytest.raises(FetchFailed, match="not an https"):
        await documents.get(publisher.url.replace("https", "http") + "/document", most=10, inside=True)


async def test_who_cannot_prove_its_name_is_not_read(publisher: Publisher, tmp_path: Path) -> None:
    """Of an authority that nobody trusts; and where the file of authorities is gone, nothing is trusted instead."""
    with pytest.raises(FetchFailed, match="certificate"):
        await RemoteDocuments().get(publisher.url + "/document", most=10, inside=True)
    with pytest.raises(FetchFailed, match="No such file"):
        await RemoteDocuments(tmp_path / "gone").get(publisher.url + "/document", most=10, inside=True)
    assert publisher.asked == []


async def test_nothing_inside_is_asked(publisher: Publisher) -> None:
    """By address or by name, unless the trust says so."""
    documents = RemoteDocuments(publisher.ca)
    for url in (publisher.url, publisher.name, "https://[::1]:9", "https://169.254.169.254", "https://10.0.0.1"):
        with pytest.raises(FetchFailed, match="address inside"):
            await documents.get(url + "/document", most=10)
    assert publisher.asked == []


@pytest.mark.parametrize(
    ("address", "outside"),
    [
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104 - nothing listens
        ("224.0.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("not an address", False),
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
    ],
)
def test_addresses_inside(address: str, outside: bool) -> None:
    """In whatever way they are written."""
    assert is_global(address) is outside


async def test_a_name_with_both_kinds_leads_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what is asked: the connection is made to the addresses that are left."""

    async def resolve(*_: Any) -> list[ResolveResult]:
        kind = {"hostname": "app.example.com", "port": 443, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [ResolveResult(host=host, **kind) for host in ("127.0.0.1", "1.1.1.1")]  # type: ignore[typeddict-item]

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    found = await InternetResolver().resolve("app.example.com", 443)
    assert [result["host"] for result in found] == ["1.1.1.1"]
