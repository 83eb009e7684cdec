"""What the relay knows of every HTTP request, named once; and how its body is read."""

from __future__ import annotations

import asyncio
import functools
import secrets
import time
from collections.abc import Iterator, Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from foundation.addresses import Network, lies_within, parse_address
from foundation.listener import Handler

log = structlog.get_logger()

CLIENT_ADDRESS = web.RequestKey("client_address", str)
"""The client's IP address, after trusted proxies."""
CORRELATION_ID = web.RequestKey("correlation_id", str)
"""One id from this request to the LDAP bind."""
STARTED = web.RequestKey("started", float)
"""When the request came, by `time.perf_counter`."""
BODY_TIMEOUT = 30.0
"""Seconds within which a body must have come; all are small."""
_IDS_AT_ONCE = 256


def identify_requests(trusted: Sequence[Network]) -> Middleware:
    """The outermost middleware: names a request and its client for all that follows, and answers for defects.

    trusted: networks of proxies whose X-Forwarded-For is believed.
    """

    ids = _random_ids()

    @web.middleware
    async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[STARTED] = time.perf_counter()
        request[CORRELATION_ID] = correlation_id = next(ids)
        forwarded = request.headers.getall("X-Forwarded-For", [])
        request[CLIENT_ADDRESS] = client_address(request.remote, forwarded, trusted)
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            answer.headers["X-Correlation-Id"] = correlation_id
            raise
        except Exception:
            log.exception("request.failed", path=request.path)
            text = f"Something went wrong here. If you ask for help, quote this reference: {correlation_id}"
            response = web.Response(status=500, text=text)
        finally:
            structlog.contextvars.unbind_contextvars("correlation_id")
        if not response.prepared:  # a websocket's headers have gone out
            response.headers["X-Correlation-Id"] = correlation_id
        return response

    return identify


def _random_ids() -> Iterator[str]:
    """16 hexadecimal digits at a time. The kernel is asked for many at once: a call for each is a hundredth of a sign-in."""
    while True:
        digits = secrets.token_hex(8 * _IDS_AT_ONCE)
        yield from (digits[start : start + 16] for start in range(0, len(digits), 16))


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client's address: the rightmost of X-Forwarded-For that no trusted proxy added.

    Anything to the left of it can be invented by the client and is not looked at. Where a trusted proxy wrote what is not an
    address, the client is taken for that proxy. Empty for a unix socket, which only a local proxy can reach.
    """
    address = _without_zone(peer or "")
    if not trusted or not forwarded_for:
        return address
    hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
    while hops and (not address or lies_within(address, trusted)):
        hop = parse_address(hops.pop())
        if hop is None:
            _warn_of_proxy(address)
            break
        address = str(hop)
    return address


@functools.lru_cache(maxsize=4096)
def _without_zone(peer: str) -> str:
    """A peer as the kernel names it; a link-local one has a zone, which says nothing elsewhere."""
    return str(parse_address(peer.partition("%")[0]) or "")


@functools.lru_cache(maxsize=64)  # so once for each proxy, as long as the process lives
def _warn_of_proxy(proxy: str) -> None:
    log.warning(
        "proxy.client_unknown",
        proxy=proxy,
        remedy="configure it to set X-Forwarded-For to the client's IP address; until then its clients count as one",
    )


def header_text(request: web.Request, name: str) -> str:
    """A header's value, empty where there is none; bytes in it that are no UTF-8 are replaced.

    aiohttp hands such bytes on as surrogates (PEP 383), which no database keeps and no log writes.
    """
    text = request.headers.get(name, "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body, in however many pieces it comes.

    Raises web.HTTPException, with a text for whoever sent it: 413 beyond `limit` bytes, without reading on; 408 where it
    takes too long; 400 where it breaks off.
    """
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        if request.content.is_eof():  # it came with its headers, as nearly all do: a timer costs more than reading it
            body += request.content.read_nowait(limit + 1)
            if len(body) > limit:
                raise _too_large(limit)
            return bytes(body)
        async with asyncio.timeout(BODY_TIMEOUT):
            while piece := await request.content.read(limit + 1 - len(body)):
                body += piece
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body took longer than {BODY_TIMEOUT:g} s") from None
    except (ConnectionError, web.RequestPayloadError) as error:
        raise web.HTTPBadRequest(text="the body did not arrive whole") from error
    return bytes(body)


def _too_large(limit: int) -> web.HTTPRequestEntityTooLarge:
    return web.HTTPRequestEntityTooLarge(limit, text=f"the body is larger than {limit} bytes")
