"""Somebody who asks a relay over HTTPS, the time by which it goes, and what it logs."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
from structlog.typing import EventDict

from gateway.app import ServerSettings
from settings import split_address


class Clock:
    """Shows the time, plus what the test adds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def events(logs: list[EventDict], name: str) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == name]


class Get(Protocol):
    async def __call__(self, url: str, method: str = "GET", **kinds: Any) -> tuple[aiohttp.ClientResponse, bytes]: ...


@asynccontextmanager
async def browser(settings: ServerSettings) -> AsyncIterator[Get]:
    """Somebody who trusts the relay's HTTPS certificate; gets an address or a path of the relay."""
    assert settings.tls_certificate is not None
    trust = ssl.create_default_context(cafile=str(settings.tls_certificate.with_name("ca.pem")))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as client:

        async def get(url: str, method: str = "GET", **kinds: Any) -> tuple[aiohttp.ClientResponse, bytes]:
            url = url if "://" in url else settings.public_url + url
            async with client.request(method, url, allow_redirects=False, **kinds) as response:
                return response, await response.read()

        yield get


async def connect(settings: ServerSettings) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the relay, its TLS handshake made."""
    assert settings.tls_certificate is not None
    trust = ssl.create_default_context(cafile=str(settings.tls_certificate.with_name("ca.pem")))
    host, port = split_address(settings.listen)
    return await asyncio.open_connection(host, port, ssl=trust)


async def exchange(settings: ServerSettings, head: bytes, body: bytes = b"", *, length: bool = True) -> tuple[int, bytes]:
    """Send a request byte for byte, whatever is in it; the status and all that came back.

    head: request line and headers, each line with its end; Host, Connection and Content-Length are added.
    """
    reader, writer = await connect(settings)
    framing = b"Content-Length: %d\r\n" % len(body) if length else b""
    async with asyncio.timeout(20):
        writer.write(head + b"Host: relay\r\nConnection: close\r\n" + framing + b"\r\n" + body)
        answer = await reader.read()
    writer.close()
    return int(answer[9:12] or b"0"), answer
