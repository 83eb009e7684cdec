"""What the relay itself asks of applications' servers: documents that they publish, and short posts.

One rule for all of it (`destinations`). The address is judged where the socket is made, so that it is the one that is
connected to: a name that resolves differently a moment later (DNS rebinding) changes nothing. Redirects are not followed,
answers are bounded, and the environment's proxies are not used: a proxy resolves names by itself.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp

from foundation.http import FetchFailed, explain_failure, read_bounded
from gateway.federation.destinations import Destinations
from gateway.federation.name_lookups import LookupResolver, NameLookups
from gateway.federation.settings import FederationSettings
from gateway.federation.trusts import is_loopback

TIMEOUT: Final = 15.0
"""Seconds for all of it; callers that have less time have limits of their own."""
_CONNECTION: Final = 5.0
"""Seconds for a connection."""
_READ_AGAIN: Final = 60.0
"""Seconds after which the authorities are read anew."""
_OK: Final = 200
_INSIDE: Final = "is neither of the Internet nor in server.federation.application_networks"


class DocumentSource(Protocol):
    """Of `Outbound` what reading documents needs."""

    async def get(self, url: str, *, most: int) -> bytes:
        """Raises FetchFailed."""
        ...


class OutboundAnswer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes
    """No more of it than was asked for."""


class Outbound:
    """destinations: where connections may go. ca_file: authorities of the servers (PEM), beside the system's.

    proxy: `http://host:port` for addresses of the Internet; empty or `none`: no proxy. timeout: seconds for one question.
    lookups: of host names. clock: seconds.
    """

    def __init__(
        self,
        destinations: Destinations,
        *,
        ca_file: Path | None = None,
        proxy: str = "",
        timeout: float = TIMEOUT,
        lookups: NameLookups | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._destinations, self._ca_file, self._clock = destinations, ca_file, clock
        self._proxy = "" if proxy == "none" else proxy
        self._timeout = timeout
        self._lookups = lookups or NameLookups()
        self._context: ssl.SSLContext | None = None
        self._read_at = 0.0

    async def get(self, url: str, *, most: int) -> bytes:
        """A document. most: bytes. Raises FetchFailed."""
        async with self._asked("GET", url) as response:
            if response.status != _OK:
                raise FetchFailed(url, f"the answer is {response.status} instead of 200; redirects are not followed")
            return await read_bounded(response, most)

    async def post(
        self, url: str, body: bytes, *, content_type: str, headers: Mapping[str, str] | None = None, most: int = 0
    ) -> OutboundAnswer:
        """most: bytes of the answer that are read. Raises FetchFailed."""
        sent = {"Content-Type": content_type, **(headers or {})}
        async with self._asked("POST", url, data=body, headers=sent) as response:
            return OutboundAnswer(response.status, await _read(response.content, most))

    async def check(self, url: str) -> None:
        """Whether it may be asked, as far as its name and its addresses tell; nothing is sent. Raises FetchFailed."""
        try:
            await self._way(url)
        except OSError as error:
            raise FetchFailed(url, explain_failure(error, self._timeout)) from error

    @asynccontextmanager
    async def _asked(self, method: str, url: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Raises FetchFailed, of the block, too."""
        try:
            proxy = await self._way(url)
            connector = aiohttp.TCPConnector(
                ssl=await self._trusted(),
                resolver=LookupResolver(self._lookups),
                force_close=True,
                socket_factory=None if proxy else self._make_socket,
            )
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=_CONNECTION),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                    headers={"Accept-Encoding": "identity", "User-Agent": "isthmus"},
                    trust_env=False,
                ) as client,
                client.request(method, url, allow_redirects=False, proxy=proxy, **options) as response,
            ):
                yield response
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            raise FetchFailed(url, explain_failure(error, self._timeout)) from error

    async def _way(self, url: str) -> str | None:
        """The proxy by which an address is asked; None: directly. Raises FetchFailed, OSError.

        A proxy resolves the name by itself: what can be seen here to be inside is not handed to it.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        encrypted = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
        if not host or not encrypted:
            raise FetchFailed(url, "it is not an https:// address")
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._lookups.addresses(host)
        except (OSError, UnicodeError):
            if self._proxy:  # behind one, names of the Internet are often not known
                return self._proxy
            raise
        addresses = [str(info[4][0]) for info in found]
        refused = [address for address in addresses if not self._destinations.allow(address)]
        by_proxy = self._proxy and not any(self._destinations.name(address) for address in addresses)
        if refused and (by_proxy or len(refused) == len(addresses)):  # a proxy would take whichever it likes
            raise FetchFailed(url, f"{refused[0]} {_INSIDE}")
        return self._proxy if by_proxy else None

    def _make_socket(self, address: tuple[Any, ...]) -> socket.socket:
        """address: family, type, protocol, name, and the address proper. Raises OSError."""
        family, kind, protocol, _, (host, *_) = address
        if not self._destinations.allow(host):
            raise OSError(f"{host} {_INSIDE}")
        return socket.socket(family=family, type=kind, proto=protocol)

    async def _trusted(self) -> ssl.SSLContext:
        """Authorities, read at most once a minute: that takes tens of milliseconds. Raises OSError."""
        now = self._clock()
        if self._context is None or not self._read_at <= now < self._read_at + _READ_AGAIN:
            self._context, self._read_at = await asyncio.to_thread(read_authorities, self._ca_file), now
        return self._context


def open_outbound(settings: FederationSettings, clock: Callable[[], float] = time.monotonic) -> Outbound:
    """As the settings say."""
    destinations = Destinations(settings.application_networks)
    return Outbound(destinations, ca_file=settings.ca_file, proxy=settings.proxy, clock=clock)


def read_authorities(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the system's authorities, and those of the file (PEM). Blocks for tens of milliseconds. Raises OSError."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    body = b""
    while len(body) < most and (chunk := await content.read(most - len(body))):
        body += chunk
    return body
