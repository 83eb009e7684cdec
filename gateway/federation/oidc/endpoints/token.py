"""The token endpoint (RFC 6749 section 3.2): clients bring a grant and get tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.federation.oidc.answers import json_answer
from gateway.federation.oidc.client_authentication import ClientAuthentication
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.cross_origin import CrossOrigin
from gateway.federation.oidc.errors import InvalidRequest, UnauthorizedClient, UnsupportedGrantType
from gateway.federation.oidc.grant_types.handler import GrantType
from gateway.federation.oidc.issuance import TokenRequest
from gateway.federation.oidc.jose import ALGORITHMS
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.oidc.refusal import answered
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID, STARTED, read_body

TOKEN: Final = "/oidc/token"  # noqa: S105 - a path
MAX_FORM: Final = 64 * 1024


class TokenEndpoint:
    """grant_types: those that are served."""

    def __init__(
        self,
        context: OidcContext,
        clients: ClientAuthentication,
        grant_types: Sequence[GrantType],
        cross_origin: CrossOrigin,
    ) -> None:
        self._context, self._clients, self._cross_origin = context, clients, cross_origin
        self._grant_types = {grant_type.name: grant_type for grant_type in grant_types}

    pages: Sequence[str] = ()
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {
            "token_endpoint": self._context.issuer + TOKEN,
            "token_endpoint_auth_methods_supported": ClientAuthentication.METHODS,
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "grant_types_supported": tuple(self._grant_types),
        }

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_post(TOKEN, self._cross_origin.readable(answered(self.give)))
        app.router.add_options(TOKEN, self._cross_origin.preflight)

    async def give(self, request: web.Request) -> web.Response:
        """Client first, then the grant. Raises OAuthError, StoreError, SigningKeyError."""
        parameters = await read_form_parameters(request)
        trust = await self._clients.authenticate(request, parameters)
        name = parameters.required("grant_type")
        grant_type = self._grant_types.get(name)
        if grant_type is None:
            raise UnsupportedGrantType(f"grant_type {name[:100]!r}")
        if name not in trust.oidc.grants:
            raise UnauthorizedClient(f"the trust's grants do not have {name}")
        asked = TokenRequest(
            trust=trust,
            parameters=parameters,
            address=request[CLIENT_ADDRESS],
            correlation_id=request[CORRELATION_ID],
            now=self._context.clock(),
            started=request[STARTED],
        )
        return json_answer(await grant_type.redeem(asked))


async def read_form_parameters(request: web.Request) -> Parameters:
    """The form of a request to an endpoint that servers ask; nothing may stand in its query (RFC 6749 section 2.3.1).

    Raises InvalidRequest, and web.HTTPException for a body that is too large or breaks off.
    """
    if request.rel_url.raw_query_string:
        raise InvalidRequest("parameters in the query: they end in logs")
    if request.content_type != "application/x-www-form-urlencoded":
        raise InvalidRequest("the body is no form")
    parameters = Parameters.parse(await read_body(request, MAX_FORM))
    parameters.check_unique()
    return parameters
