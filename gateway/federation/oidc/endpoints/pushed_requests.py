"""The endpoint for pushed authorization requests (RFC 9126): checked here as if the browser had brought them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.federation.oidc.answers import json_answer
from gateway.federation.oidc.authorization_request import read_authorization_request
from gateway.federation.oidc.checks.authorization import check_authorization, check_no_request_object
from gateway.federation.oidc.checks.redirects import check_redirect_uri
from gateway.federation.oidc.client_authentication import ClientAuthentication
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.endpoints.token import read_form_parameters
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.oidc.pushed_requests import LIFETIME, PushedRequests
from gateway.federation.oidc.refusal import answered
from gateway.relay import CLIENT_ADDRESS

PAR: Final = "/oidc/par"
_OF_THE_CLIENT: Final = frozenset({"client_id", "client_secret", "client_assertion", "client_assertion_type"})
"""Parameters that prove the client, and are no part of its request."""


class PushedRequestEndpoint:
    """See above."""

    def __init__(self, context: OidcContext, clients: ClientAuthentication, pushed: PushedRequests) -> None:
        self._context, self._clients, self._pushed = context, clients, pushed

    pages: Sequence[str] = ()
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {
            "pushed_authorization_request_endpoint": self._context.issuer + PAR,
            "require_pushed_authorization_requests": False,
        }

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_post(PAR, answered(self.push))

    async def push(self, request: web.Request) -> web.Response:
        """Raises OAuthError, StoreError."""
        sent = await read_form_parameters(request)
        trust = await self._clients.authenticate(request, sent)
        own = [(name, value) for name, value in sent.pairs if name not in _OF_THE_CLIENT]
        parameters = Parameters([("client_id", trust.client_id), *own])
        check_redirect_uri(trust.oidc, parameters.one("redirect_uri"))
        check_no_request_object(parameters)
        check_authorization(read_authorization_request(parameters), trust.oidc)
        self._context.limits.check_kept(trust, request[CLIENT_ADDRESS])
        name = await self._pushed.put(trust, parameters)
        return json_answer({"request_uri": name, "expires_in": LIFETIME}, status=201)
