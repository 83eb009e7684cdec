"""What is asked of a host by HTTP from outside, whatever it is: bounded answers, and errors in plain words."""

from __future__ import annotations

import ssl
from email.utils import parsedate_to_datetime

import aiohttp

from foundation.http.errors import FetchFailed


def open_session(
    timeout: aiohttp.ClientTimeout | None = None, context: ssl.SSLContext | None = None, *, by_proxy: bool = False
) -> aiohttp.ClientSession:
    """No cookies, and nothing is unpacked: a few bytes that unpack to gigabytes stay a few bytes.

    `context` is for requests that name none of their own; `by_proxy`: the environment's proxies are used.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context or True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "isthmus"},
        timeout=timeout or aiohttp.ClientTimeout(),
        trust_env=by_proxy,
    )


def host_header(name: str, port: int, default: int) -> str:
    """The name that a host is asked for, with the port where that is not the usual one."""
    return name + ("" if port == default else f":{port}")


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Raises FetchFailed for a body over the limit, before it is all here."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > limit:
            raise FetchFailed("answer", f"it is longer than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def clock_skew(response: aiohttp.ClientResponse, now: float) -> float | None:
    """Seconds that the sender's clock is ahead of `now`, by its `Date`; None where it sent none.

    RFC 9110 section 6.6.1: to the second, so half of one is added.
    """
    try:
        there = parsedate_to_datetime(response.headers.get("Date", "")).timestamp() + 0.5
    except (ValueError, TypeError, OverflowError):
        return None
    return there - now


def explain_failure(error: Exception, timeout: float) -> str:
    """What went wrong with a connection; `timeout` is the number of seconds that were waited."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, ConnectionResetError | aiohttp.ServerDisconnectedError | ssl.SSLEOFError):
        return "the connection broke"
    if isinstance(cause, aiohttp.ClientError) and not isinstance(cause, OSError):
        return f"not HTTP as it should be ({type(cause).__name__})"
    return str(getattr(cause, "strerror", "") or cause) or type(cause).__name__
