"""Documents that applications publish, such as metadata and key sets: fetched from addresses that a trust names.

What the name in an address leads to is its owner's to say, today or tomorrow. So nothing is followed: no redirect, no name
that leads to a machine inside, unless the trust says so.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.resolver import ThreadedResolver

from foundation.addresses import parse_address
from foundation.http import FetchFailed, explain_failure, read_bounded
from gateway.federation.application_servers import CheckedResolver, read_authorities

TIMEOUT: Final = 15.0
"""Seconds for all of it."""
_CONNECTION: Final = 5.0
"""Seconds for a connection."""
_OK: Final = 200


class RemoteDocuments:
    """ca_file: authorities (PEM) that are trusted beside the system's. timeout: seconds for a document."""

    def __init__(self, ca_file: Path | None = None, *, timeout: float = TIMEOUT) -> None:
        self._ca_file, self._timeout = ca_file, timeout

    async def get(self, url: str, *, most: int, inside: bool = False) -> bytes:
        """most: bytes. inside: addresses that are not of the Internet are asked, too. Raises FetchFailed."""
        host = urlsplit(url).hostname or ""
        if not url.startswith("https://") or not host:
            raise FetchFailed(url, "it is not an https:// address")
        if not inside and parse_address(host) is not None and not is_global(host):
            raise FetchFailed(url, "it is an address inside")
        try:
            context = await asyncio.to_thread(read_authorities, self._ca_file)
            return await self._read(url, most, context, ThreadedResolver() if inside else InternetResolver())
        except (aiohttp.ClientError, OSError, ValueError) as error:  # ssl.SSLError and TimeoutError are OSErrors
            raise FetchFailed(url, explain_failure(error, self._timeout)) from error

    async def _read(self, url: str, most: int, context: ssl.SSLContext, resolver: ThreadedResolver) -> bytes:
        timeout = aiohttp.ClientTimeout(total=self._timeout, sock_connect=_CONNECTION)
        connector = aiohttp.TCPConnector(ssl=context, resolver=resolver, force_close=True)
        headers = {"Accept-Encoding": "identity", "User-Agent": "isthmus"}
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers=headers,
            ) as client,
            client.get(url, allow_redirects=False) as response,
        ):
            if response.status != _OK:
                raise FetchFailed(url, f"the answer is {response.status} instead of 200; redirects are not followed")
            return await read_bounded(response, most)


class InternetResolver(CheckedResolver):
    """Finds machines of the Internet only."""

    elsewhere = "leads to an address inside"

    def allows(self, host: str, address: str) -> bool:
        """See `CheckedResolver`."""
        return is_global(address)


def is_global(address: str) -> bool:
    """Whether it is of the Internet: not this machine's, its link's (where clouds keep secrets), or a private network's."""
    parsed = parse_address(address)
    return parsed is not None and parsed.is_global and not parsed.is_multicast
