"""Clients that prove themselves at an endpoint: the token endpoint, and others that servers ask."""

from __future__ import annotations

import hashlib

from aiohttp import web

from gateway.federation.oidc.client_assertions import verify_client_assertion
from gateway.federation.oidc.client_credentials import (
    ClientCredentials,
    check_method,
    read_client_credentials,
    verify_secret,
)
from gateway.federation.oidc.context import NAMED_CLIENT, TRUST, OidcContext
from gateway.federation.oidc.errors import InvalidClient
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.trusts import OidcClient, Trust
from gateway.relay import CLIENT_ADDRESS, header_text

REUSED_ASSERTIONS = "reused_assertions"
"""The switch of a trust whose client signs once for many requests."""
_KIND = "client assertion"
_LONGEST_NAME = 200
"""Characters of a client_id that are counted by."""


class ClientAuthentication:
    """paths: of endpoints whose address may be an assertion's audience, beside the issuer (RFC 7523 section 3)."""

    CONFIDENTIAL = ("client_secret_basic", "client_secret_post", "private_key_jwt")
    METHODS = (*CONFIDENTIAL, "none")

    def __init__(self, context: OidcContext, paths: tuple[str, ...]) -> None:
        self._context = context
        self._audiences = (context.issuer, *(context.issuer + path for path in paths))

    async def authenticate(self, request: web.Request, parameters: Parameters) -> Trust:
        """The client that sent it.

        Raises InvalidClient, InvalidRequest, TooManyRequests, TemporarilyUnavailable, StoreFull, StoreUnavailable.
        """
        credentials = read_client_credentials(parameters, header_text(request, "Authorization"))
        request[NAMED_CLIENT] = credentials.client_id
        trust = self._context.trusts.client(credentials.client_id)
        client = trust.oidc if trust is not None else None
        if credentials.method == "private_key_jwt":
            await self._verify_assertion(trust, credentials)
        elif credentials.method != "none":
            await self._verify_secret(client, credentials, request[CLIENT_ADDRESS])
        check_method(client, credentials)
        if trust is None:
            raise InvalidClient("the client is unknown or disabled")
        request[TRUST] = trust.id
        self._context.limits.check_client(trust, request[CLIENT_ADDRESS])
        return trust

    async def _verify_secret(self, client: OidcClient | None, credentials: ClientCredentials, address: str) -> None:
        """Whoever tries out secrets has a few tries a minute, on all nodes together."""
        secrets = client.secrets if client is not None else ()
        named = credentials.client_id[:_LONGEST_NAME]
        await self._context.limits.try_secret(named, address, lambda: verify_secret(secrets, credentials.secret))

    async def _verify_assertion(self, trust: Trust | None, credentials: ClientCredentials) -> None:
        if trust is None:
            raise InvalidClient("the client is unknown or disabled")
        now = self._context.clock()
        keys = await self._context.client_keys.of(trust, credentials.assertion)
        found = verify_client_assertion(credentials.assertion, keys, credentials.client_id, self._audiences, now)
        if trust.switches.get(REUSED_ASSERTIONS, False):
            return
        named = f"{len(credentials.client_id)} {credentials.client_id}{found.id}"
        key = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
        if not await self._context.store.seen.add(_KIND, key, until=found.expires_at + 60, now=now):
            raise InvalidClient("client_assertion: jti was used before")
