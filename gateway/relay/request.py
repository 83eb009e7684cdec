"""What the relay knows of every HTTP request, named once; and how its body is read."""

from __future__ import annotations

import asyncio

from aiohttp import web

CLIENT_ADDRESS = web.RequestKey("client_address", str)
"""The client's IP address, after trusted proxies."""
CORRELATION_ID = web.RequestKey("correlation_id", str)
"""One id from this request to the LDAP bind."""
BODY_TIMEOUT = 30.0
"""Seconds within which a body must have come; all are small."""


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body, in however many pieces it comes.

    Raises web.HTTPException, with a text for whoever sent it: 413 beyond `limit` bytes, without reading on; 408 where it
    takes too long; 400 where it breaks off or cannot be unpacked.
    """
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
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
