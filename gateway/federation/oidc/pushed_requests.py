"""Authorization requests that an application's server has sent ahead (RFC 9126). Kind of state: happens once.

Each is kept under a digest of its client and its address: another client's is not found, and the database yields none.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import InvalidRequest, RequestUnproven
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.oidc.pending_request import PendingRequest
from gateway.federation.trusts import Trust

PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
LIFETIME: Final = 90
"""Seconds until the browser has to have come (RFC 9126 section 2.2: 5 to 600)."""
LARGEST: Final = 16 * 1024
"""Characters of a request: it has to pass through the sign-in page."""
_KIND: Final = "pushed request"


class PushedRequests:
    """See above."""

    def __init__(self, context: OidcContext) -> None:
        self._context = context

    async def put(self, trust: Trust, parameters: Parameters) -> str:
        """The `request_uri` that stands for them. Raises InvalidRequest, StoreFull, StoreUnavailable."""
        query = parameters.query
        if len(query) > LARGEST:
            raise InvalidRequest(f"a request of more than {LARGEST} characters")
        name, now = PREFIX + secrets.token_urlsafe(32), self._context.clock()
        await self._context.store.once.put(_KIND, _key(trust, name), query.encode(), until=now + LIFETIME, now=now)
        return name

    async def open(self, query: str) -> PendingRequest:
        """The request that a browser brings: what stands in its address, or what was sent ahead, once.

        Of the latter nothing but `client_id` counts beside it (RFC 9126 section 4). Raises InvalidRequest, RequestUnproven,
        StoreUnavailable.
        """
        parameters = Parameters.parse(query)
        name = parameters.one("request_uri")
        if not name.startswith(PREFIX):
            return PendingRequest(query=query)
        trust = self._context.trusts.client(parameters.required("client_id"))
        if trust is None:
            raise RequestUnproven("the client is unknown or disabled")
        kept = await self._context.store.once.take(_KIND, _key(trust, name), self._context.clock())
        if kept is None:
            raise RequestUnproven("a pushed request that was used before, has expired, or is another client's")
        return PendingRequest(query=kept.decode(), pushed=True)


def _key(trust: Trust, name: str) -> str:
    return hashlib.sha256(f"{len(trust.id)} {trust.id}{name}".encode("utf-8", "surrogatepass")).hexdigest()
