"""Token introspection (RFC 7662): is this token good, and what is it for?

Whoever may not know, and whoever asks about something else than a token, is told the same: `active` is false.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.federation.oidc.answers import json_answer
from gateway.federation.oidc.checks.introspection import check_confidential, may_ask_about
from gateway.federation.oidc.client_authentication import ClientAuthentication
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.endpoints.token import read_form_parameters
from gateway.federation.oidc.grant_details import read_details
from gateway.federation.oidc.jose import ALGORITHMS
from gateway.federation.oidc.presented_tokens import PresentedToken, PresentedTokens
from gateway.federation.oidc.refusal import answered
from gateway.federation.oidc.tokens import AccessToken
from gateway.federation.trusts import Trust
from gateway.store import GrantRecord

log = structlog.get_logger()

INTROSPECT: Final = "/oidc/introspect"
_INACTIVE: Final[Mapping[str, Any]] = {"active": False}


class IntrospectionEndpoint:
    """See above."""

    def __init__(self, context: OidcContext, clients: ClientAuthentication) -> None:
        self._context, self._clients, self._tokens = context, clients, PresentedTokens(context)

    pages: Sequence[str] = ()
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {
            "introspection_endpoint": self._context.issuer + INTROSPECT,
            "introspection_endpoint_auth_methods_supported": ClientAuthentication.CONFIDENTIAL,
            "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        }

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_post(INTROSPECT, answered(self.tell))

    async def tell(self, request: web.Request) -> web.Response:
        """Raises OAuthError, StoreError."""
        parameters = await read_form_parameters(request)
        trust = await self._clients.authenticate(request, parameters)
        check_confidential(trust)
        found = await self._tokens.find(parameters.required("token"), self._context.clock())
        return json_answer(self._say(trust, found))

    def _say(self, asking: Trust, found: PresentedToken | None) -> Mapping[str, Any]:
        if found is None or found.is_spent:
            return _INACTIVE
        audience = found.access.audience if found.access is not None else ()
        if not may_ask_about(asking, found.trust, audience):
            log.warning("oidc.introspection_denied", trust=asking.id, owner=found.trust.id, kind=found.kind)
            return _INACTIVE
        common = {"active": True, "iss": self._context.issuer, "client_id": found.trust.client_id}
        if found.access is not None:
            return {**common, **_of_access_token(found.access)}
        return {**common, **_of_refresh_token(found.grant)} if found.grant is not None else _INACTIVE


def _of_access_token(token: AccessToken) -> dict[str, Any]:
    said: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(token.scope),
        "sub": token.subject,
        "aud": token.audience[0] if len(token.audience) == 1 else token.audience,
        "iat": int(token.issued_at),
        "exp": math.ceil(token.expires_at),
        "jti": token.id,
    }
    if token.auth_time:
        said |= {"auth_time": int(token.auth_time), "acr": token.acr}
    return said


def _of_refresh_token(grant: GrantRecord) -> dict[str, Any]:
    details = read_details(grant.details)
    return {
        "scope": " ".join(details.scope),
        "sub": details.subject,
        "exp": int(min(grant.expires_at, grant.idle_at)),
    }
