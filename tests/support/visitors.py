"""Somebody who asks a relay over HTTPS, the time by which it goes, and what it logs."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
from structlog.typing import EventDict

from gateway.app import ServerSettings


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
