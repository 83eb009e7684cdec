"""What is asked of a host by HTTP from outside, whatever it is: bounded answers, and errors in plain words."""

from __future__ import annotations

import ssl

import aiohttp

from adfs_mgmt.farm.errors import Unreadable


def open_session(timeout: aiohttp.ClientTimeout | None = None) -> aiohttp.ClientSession:
    """No cookies, and nothing is unpacked: a few bytes that unpack to gigabytes stay a few bytes."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "isthmus"},
        timeout=timeout or aiohttp.ClientTimeout(),
    )


def host_header(name: str, port: int, default: int) -> str:
    """The federation name, with the port where that is not the usual one."""
    return name + ("" if port == default else f":{port}")


async def bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Raises Unreadable for a body over the limit, before it is all here."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > limit:
            raise Unreadable("answer", f"it is longer than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def why(error: Exception, timeout: float) -> str:
    """What went wrong with a connection; `timeout` is the number of seconds that were waited."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ConnectionResetError | aiohttp.ServerDisconnectedError | ssl.SSLEOFError):
        return "the connection broke"
    if isinstance(cause, aiohttp.ClientError) and not isinstance(cause, OSError):
        return f"not HTTP as it should be ({type(cause).__name__})"
    return str(getattr(cause, "strerror", "") or cause) or type(cause).__name__
