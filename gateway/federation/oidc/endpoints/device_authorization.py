"""The device authorization endpoint (RFC 8628 section 3.1): a device without a browser begins here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.federation.oidc.answers import json_answer
from gateway.federation.oidc.checks.authorization import check_resources, granted_scope
from gateway.federation.oidc.client_authentication import ClientAuthentication
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.device_codes import INTERVAL, DeviceCodes, DeviceRequest, new_request_id
from gateway.federation.oidc.endpoints.device_pages import DEVICE
from gateway.federation.oidc.endpoints.token import read_form_parameters
from gateway.federation.oidc.errors import InvalidScope, UnauthorizedClient
from gateway.federation.oidc.grant_types.device_code import DEVICE_CODE
from gateway.federation.oidc.refusal import answered
from gateway.relay import CLIENT_ADDRESS

DEVICE_AUTHORIZATION: Final = "/oidc/device"


class DeviceAuthorizationEndpoint:
    """See above."""

    def __init__(self, context: OidcContext, clients: ClientAuthentication, codes: DeviceCodes) -> None:
        self._context, self._clients, self._codes = context, clients, codes

    pages: Sequence[str] = ()
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {"device_authorization_endpoint": self._context.issuer + DEVICE_AUTHORIZATION}

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_post(DEVICE_AUTHORIZATION, answered(self.begin))

    async def begin(self, request: web.Request) -> web.Response:
        """Raises OAuthError, StoreError."""
        parameters = await read_form_parameters(request)
        trust = await self._clients.authenticate(request, parameters)
        if DEVICE_CODE not in trust.oidc.grants:
            raise UnauthorizedClient("the trust's grants do not have the device code")
        scope = granted_scope(parameters.words("scope"), trust.oidc)
        if not scope:
            raise InvalidScope("none of the scopes is one of the trust's")
        resources = tuple(dict.fromkeys(parameters.many("resource")))
        check_resources(resources, trust.oidc)
        self._context.limits.check_kept(trust, request[CLIENT_ADDRESS])
        now, lifetime = self._context.clock(), self._context.lifetimes_of(trust).device_code
        asked = DeviceRequest(
            id=new_request_id(),
            trust=trust.id,
            scope=scope,
            resources=resources,
            address=request[CLIENT_ADDRESS],
            begun_at=now,
            until=now + lifetime,
        )
        device_code, user_code = await self._codes.begin(asked)
        page = self._context.issuer + DEVICE
        answer = {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={user_code}",
            "expires_in": int(lifetime),
            "interval": INTERVAL,
        }
        return json_answer(answer)
