"""Answers as they go out: redirects to the application, and JSON to its server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.federation.oidc.errors import InvalidClient, OAuthError, TemporarilyUnavailable, TooManyRequests

_PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
_JSON: Final = {"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"}
RETRY_AFTER: Final = 10
"""Seconds."""
_encode = msgspec.json.Encoder().encode


def redirect_answer(redirect_uri: str, mode: str, members: Mapping[str, str]) -> web.Response:
    """What the application gets, through the browser. redirect_uri: proven. mode: `fragment`, else by query.

    A redirect is 303: the browser never sends a form on (RFC 9700 section 4.12).
    """
    if mode == "fragment":
        location = f"{redirect_uri}#{urlencode(members)}"
    else:
        location = f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(members)}"
    return web.Response(status=303, headers={**_PRIVATE, "Location": location})


def json_answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON that no cache keeps (RFC 6749 section 5.1)."""
    return web.Response(
        body=_encode(body), status=status, content_type="application/json", headers={**_JSON, **(headers or {})}
    )


def error_answer(error: OAuthError) -> web.Response:
    """Of an endpoint that servers ask (RFC 6749 section 5.2)."""
    headers = {}
    if isinstance(error, InvalidClient):
        headers["WWW-Authenticate"] = 'Basic realm="isthmus"'
    if isinstance(error, TemporarilyUnavailable):
        headers["Retry-After"] = str(RETRY_AFTER)
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = retry_after(error.wait)
    return json_answer({"error": error.code, "error_description": error.told}, error.status, headers)


def retry_after(wait: float) -> str:
    """The header's value: whole seconds (RFC 9110 section 10.2.3)."""
    return str(math.ceil(wait))


def bearer_answer(error: OAuthError | None) -> web.Response:
    """Of an endpoint that wants an access token (RFC 6750 section 3): nothing said where none was brought."""
    if error is None:
        return web.Response(status=401, headers={**_JSON, "WWW-Authenticate": 'Bearer realm="isthmus"'})
    said = f'Bearer realm="isthmus", error="{error.code}", error_description="{error.told}"'
    return json_answer({"error": error.code, "error_description": error.told}, error.status, {"WWW-Authenticate": said})
