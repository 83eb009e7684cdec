"""The userinfo endpoint (OpenID Connect Core section 5.3): claims for an access token."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.federation.keys import SigningKeyError
from gateway.federation.oidc.answers import bearer_answer, json_answer
from gateway.federation.oidc.context import TRUST, OidcContext
from gateway.federation.oidc.cross_origin import CrossOrigin
from gateway.federation.oidc.endpoints.token import read_form_parameters
from gateway.federation.oidc.errors import (
    AuthorizationDenied,
    InsufficientScope,
    InvalidGrant,
    InvalidRequest,
    InvalidToken,
    OAuthError,
)
from gateway.federation.oidc.grant_details import GrantDetails
from gateway.federation.oidc.jose import JwtRefused
from gateway.federation.oidc.refusal import as_oauth_error, log_refusal
from gateway.federation.oidc.tokens import AccessToken
from gateway.federation.trusts import Trust
from gateway.relay import CORRELATION_ID, header_text
from gateway.store import StoreError

USERINFO: Final = "/oidc/userinfo"
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)


class UserinfoEndpoint:
    """See above."""

    def __init__(self, context: OidcContext, cross_origin: CrossOrigin) -> None:
        self._context, self._cross_origin = context, cross_origin

    pages: Sequence[str] = ()
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {"userinfo_endpoint": self._context.issuer + USERINFO}

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        handler = self._cross_origin.readable(self.tell)
        app.router.add_get(USERINFO, handler)
        app.router.add_post(USERINFO, handler)
        app.router.add_options(USERINFO, self._cross_origin.preflight)

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """The claims, or 401 as RFC 6750 has it."""
        try:
            text = await self._read_token(request)
            if not text:
                return bearer_answer(None)
            return json_answer(await self._claims(request, text))
        except AuthorizationDenied as denied:
            error: OAuthError = InvalidToken(denied.detail)
        except (OAuthError, StoreError, SigningKeyError, web.HTTPException) as refused:
            error = as_oauth_error(refused)
        log_refusal(request, error)
        return bearer_answer(error)

    async def _read_token(self, request: web.Request) -> str:
        """RFC 6750 section 2: from the header, or from a form; never from the query, and from one place.

        Other parameters in the query are ignored: OpenID-Connect-PHP, and what is built on it, sends `schema=openid`.
        """
        if "access_token" in request.query:
            raise InvalidRequest("an access token in the query: it ends in logs")
        header = header_text(request, "Authorization")
        found = _BEARER.fullmatch(header)
        if header and found is None:
            raise InvalidRequest("an Authorization header of another scheme")
        if request.method != "POST" or not request.body_exists:
            return found[1] if found else ""
        in_form = (await read_form_parameters(request)).one("access_token")
        if found and in_form:
            raise InvalidRequest("an access token in two places")
        return found[1] if found else in_form

    async def _claims(self, request: web.Request, text: str) -> dict[str, Any]:
        token = self._read(text)
        trust, details = await self._grant_of(request, token)
        return {**self._context.claims.for_userinfo(trust, details, token.scope), "sub": token.subject}

    def _read(self, text: str) -> AccessToken:
        try:
            token = self._context.tokens.read_access_token(text, self._context.clock())
        except JwtRefused as refused:
            raise InvalidToken(refused.detail) from refused
        if self._context.issuer not in token.audience:
            raise InvalidToken("the access token is for another API")
        if "openid" not in token.scope:
            raise InsufficientScope("no openid in the scope")
        return token

    async def _grant_of(self, request: web.Request, token: AccessToken) -> tuple[Trust, GrantDetails]:
        """What the token hangs on, as long as that holds: see `GrantChecks.check_use`. Raises InvalidToken, StoreError."""
        trust = self._context.trusts.client(token.client_id)
        record = await self._context.store.grants.get(bytes.fromhex(token.grant), self._context.clock())
        if trust is None or record is None or record.trust != trust.id:
            raise InvalidToken("the grant has ended, or the trust is disabled")
        request[TRUST] = trust.id
        try:
            return trust, await self._context.checks.check_use(record, trust, request[CORRELATION_ID])
        except InvalidGrant as ended:
            raise InvalidToken(ended.detail) from ended
