"""What this relay says of itself (OpenID Connect Discovery section 4, RFC 8414 section 3), and its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.federation.oidc.context import OidcContext, OidcEndpoint

JWKS: Final = "/oidc/jwks"
CONFIGURATIONS: Final = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/oidc/.well-known/openid-configuration",
)
"""The last one is for msal alone: its `oidc_authority` has to have a path, and may differ from the issuer in it."""
_CONFIGURATION_AGE: Final = 3600
"""Seconds."""
_encode = msgspec.json.Encoder().encode


class DiscoveryEndpoint:
    """endpoints: what they say of themselves is put together. jwks_age: seconds that the keys may be cached."""

    def __init__(self, context: OidcContext, endpoints: Sequence[OidcEndpoint], jwks_age: int) -> None:
        self._context, self._endpoints, self._jwks_age = context, endpoints, jwks_age

    pages: Sequence[str] = ()
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`: the whole document."""
        said: dict[str, Any] = {
            "issuer": self._context.issuer,
            "jwks_uri": self._context.issuer + JWKS,
            "id_token_signing_alg_values_supported": ("RS256", "ES256", "PS256"),
            "subject_types_supported": ("public", "pairwise"),
            "claim_types_supported": ("normal",),
        }
        for endpoint in self._endpoints:
            said |= endpoint.metadata
        return said

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        for path in CONFIGURATIONS:
            app.router.add_get(path, self.show)
        app.router.add_get(JWKS, self.show_keys)

    async def show(self, _request: web.Request) -> web.Response:
        """The document."""
        return _public(self.metadata, _CONFIGURATION_AGE)

    async def show_keys(self, _request: web.Request) -> web.Response:
        """The key set (RFC 7517 section 5): what signs, what will, and what did. An empty one is not cached: keys come with
        the first application."""
        jwks = self._context.keys.jwks()
        return _public(jwks, self._jwks_age if jwks["keys"] else 0, "application/jwk-set+json")


def _public(document: Mapping[str, Any], age: int, content_type: str = "application/json") -> web.Response:
    """For everybody, scripts of any origin too."""
    headers = {
        "Cache-Control": f"public, max-age={age}",
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=_encode(document), content_type=content_type, headers=headers)
