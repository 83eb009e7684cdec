"""What the relay itself asks of applications' servers: short posts, to addresses that a trust names.

A trust's address is an administrator's word; the name in it leads wherever its owner says. So no answer is followed anywhere
else, its text is not read further than asked, and a name never leads to this machine or its link.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from foundation.addresses import parse_address

_CONNECTION: Final = 3.0
"""Seconds for a connection."""
_TOTAL: Final = 10.0
"""Seconds for all of it; callers have shorter limits of their own."""
_READ_AGAIN: Final = 60.0
"""Seconds after which the authorities are read anew."""


_LOOPBACK: Final = "localhost"


class OutgoingFailed(Exception):
    """The server was not reached, or is not who it should be."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class OutgoingAnswer(NamedTuple):
    """What a server said."""

    status: int
    body: bytes
    """No more of it than was asked for."""


class Outgoing:
    """ca_file: authorities of these servers (PEM), beside the system's. clock: Unix seconds."""

    def __init__(self, ca_file: Path | None, clock: Callable[[], float]) -> None:
        self._ca_file, self._clock = ca_file, clock
        self._context: ssl.SSLContext | None = None
        self._read_at = 0.0

    async def post(
        self, url: str, body: bytes, *, content_type: str, headers: Mapping[str, str] | None = None, most: int = 0
    ) -> OutgoingAnswer:
        """most: bytes of the answer that are read. Redirects are not followed. Raises OutgoingFailed."""
        try:
            connector = aiohttp.TCPConnector(ssl=await self._trusted(), resolver=OutsideResolver(), force_close=True)
            timeout = aiohttp.ClientTimeout(total=_TOTAL, sock_connect=_CONNECTION)
            sent = {"Content-Type": content_type, **(headers or {})}
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client,
                client.post(url, data=body, headers=sent, allow_redirects=False) as response,
            ):
                return OutgoingAnswer(response.status, await _read(response.content, most))
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            raise OutgoingFailed(f"{type(error).__name__}: {error}"[:200]) from error

    async def _trusted(self) -> ssl.SSLContext:
        """Authorities, read at most once a minute: that takes tens of milliseconds. Raises OSError."""
        now = self._clock()
        if self._context is None or not self._read_at <= now < self._read_at + _READ_AGAIN:
            self._context, self._read_at = await asyncio.to_thread(read_authorities, self._ca_file), now
        return self._context


class CheckedResolver(ThreadedResolver):
    """Finds those of a name's addresses that may be asked."""

    elsewhere: ClassVar[str]
    """Where a name leads that has none of them."""

    def allows(self, host: str, address: str) -> bool:
        """Whether that address of the name may be asked."""
        raise NotImplementedError

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Raises OSError where nothing is left."""
        left = [result for result in await super().resolve(host, port, family) if self.allows(host, result["host"])]
        if not left:
            raise OSError(f"{host} {self.elsewhere}")
        return left


class OutsideResolver(CheckedResolver):
    """Names of applications that lead to this machine or its link are not followed: their owner may have moved them there.

    An address that a trust names as such, or `localhost`, is the administrator's own word.
    """

    elsewhere = "is at an address of this machine or its link"

    def allows(self, host: str, address: str) -> bool:
        """See `CheckedResolver`."""
        return host.lower() == _LOOPBACK or is_outside(address)


def is_outside(address: str) -> bool:
    """Whether it is another machine's: neither loopback nor link-local (where clouds keep secrets), nor nobody's."""
    parsed = parse_address(address)
    return parsed is not None and not (
        parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified or parsed.is_multicast
    )


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    body = b""
    while len(body) < most and (chunk := await content.read(most - len(body))):
        body += chunk
    return body


def read_authorities(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the system's authorities, and those of the file (PEM). Blocks for tens of milliseconds. Raises OSError."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
