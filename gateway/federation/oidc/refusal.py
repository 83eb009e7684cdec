"""What becomes of a refused request: the log says why, the client gets the error of the wire."""

from __future__ import annotations

import structlog
from aiohttp import web

from foundation.listener import Handler
from gateway.federation.keys import SigningKeyError
from gateway.federation.oidc.answers import error_answer
from gateway.federation.oidc.context import NAMED_CLIENT, TRUST
from gateway.federation.oidc.errors import (
    AuthorizationPending,
    InvalidRequest,
    OAuthError,
    ProviderFailure,
    TemporarilyUnavailable,
)
from gateway.federation.refused_requests import note_refusal, path_of
from gateway.store import StoreError

log = structlog.get_logger()

_LONGEST_NAME = 100
"""Characters of a client_id that a stranger sent."""


def log_refusal(request: web.Request, error: OAuthError) -> None:
    """Why, and whose request it was; no secret of it. That a device's user has not answered yet is no refusal."""
    trust, detail = request.get(TRUST, ""), f"{error.parameter} {error.detail}".strip()
    path, named = path_of(request), "" if trust else request.get(NAMED_CLIENT, "")[:_LONGEST_NAME]
    if isinstance(error, AuthorizationPending):
        log.debug("oidc.pending", path=path, detail=detail, trust=trust)
        return
    log.info("oidc.refused", path=path, error=error.code, detail=detail, trust=trust, client=named)
    note_refusal(request, trust=trust, protocol="oidc", reason=error.code, detail=detail, client=named)


def as_oauth_error(error: OAuthError | StoreError | SigningKeyError | web.HTTPException) -> OAuthError:
    """What a client is told of what went wrong here."""
    if isinstance(error, OAuthError):
        return error
    if isinstance(error, StoreError):
        log.error("oidc.store_failed", error=str(error))
        return TemporarilyUnavailable(str(error))
    if isinstance(error, SigningKeyError):
        log.error("oidc.key_missing", error=str(error))
        return ProviderFailure(str(error))
    return InvalidRequest(f"the body: {error.text}")


def answered(handler: Handler) -> Handler:
    """Of an endpoint that servers ask: every refusal is JSON (RFC 6749 section 5.2)."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (OAuthError, StoreError, SigningKeyError, web.HTTPException) as refused:
            error = as_oauth_error(refused)
            log_refusal(request, error)
            return error_answer(error)

    return answer
