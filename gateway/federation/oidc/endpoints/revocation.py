"""Token revocation (RFC 7009): a client gives back what it was given.

Either token ends the whole grant, the other one with it: nothing is left that the client meant to be gone. Another client's
token, or anything else, is answered as if it had been revoked (section 2.2), and nothing is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.federation.oidc.answers import json_answer
from gateway.federation.oidc.client_authentication import ClientAuthentication
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.cross_origin import CrossOrigin
from gateway.federation.oidc.endpoints.token import read_form_parameters
from gateway.federation.oidc.errors import UnsupportedTokenType
from gateway.federation.oidc.grant_details import person_in
from gateway.federation.oidc.jose import ALGORITHMS
from gateway.federation.oidc.presented_tokens import PresentedTokens
from gateway.federation.oidc.refusal import answered
from gateway.federation.trusts import Trust
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID
from gateway.store import AuditEvent, GrantRecord

log = structlog.get_logger()

REVOKE: Final = "/oidc/revoke"


class RevocationEndpoint:
    """See above."""

    def __init__(self, context: OidcContext, clients: ClientAuthentication, cross_origin: CrossOrigin) -> None:
        self._context, self._clients, self._cross_origin = context, clients, cross_origin
        self._tokens = PresentedTokens(context)

    pages: Sequence[str] = ()
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {
            "revocation_endpoint": self._context.issuer + REVOKE,
            "revocation_endpoint_auth_methods_supported": ClientAuthentication.METHODS,
            "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        }

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_post(REVOKE, self._cross_origin.readable(answered(self.revoke)))
        app.router.add_options(REVOKE, self._cross_origin.preflight)

    async def revoke(self, request: web.Request) -> web.Response:
        """Raises OAuthError, StoreError."""
        parameters = await read_form_parameters(request)
        trust = await self._clients.authenticate(request, parameters)
        found = await self._tokens.find(parameters.required("token"), self._context.clock())
        if found is not None and found.trust.id != trust.id:
            log.warning("oidc.revocation_denied", trust=trust.id, owner=found.trust.id, kind=found.kind)
        elif found is not None and found.grant is None:
            raise UnsupportedTokenType("an access token that hangs on no grant is valid until it expires")
        elif found is not None and found.grant is not None:
            await self._end(request, trust, found.grant, found.kind)
        return json_answer({})

    async def _end(self, request: web.Request, trust: Trust, grant: GrantRecord, kind: str) -> None:
        """End it; the trail has it once, whoever else ends it at the same moment."""
        ended = await self._context.store.grants.end(grant.digest)
        if ended is None:
            return
        event = AuditEvent(
            time=self._context.clock(),
            kind="federation.revoked",
            actor=f"trust:{trust.id}",
            subject=person_in(ended.details),
            account=ended.account,
            address=request[CLIENT_ADDRESS],
            correlation_id=request[CORRELATION_ID],
            via="oidc",
            detail={"by": kind},
        )
        await self._context.store.audit.append(event)
