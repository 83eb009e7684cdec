"""What becomes of a refused request: the log says why, the client gets the error of the wire."""

from __future__ import annotations

import structlog
from aiohttp import web

from foundation.listener import Handler
from gateway.federation.keys import SigningKeyError
from gateway.federation.oidc.answers import error_answer
from gateway.federation.oidc.context import TRUST
from gateway.federation.oidc.errors import InvalidRequest, OAuthError, ProviderFailure, TemporarilyUnavailable
from gateway.federation.refused_requests import note_refusal
from gateway.store import StoreError

log = structlog.get_logger()


def log_refusal(request: web.Request, error: OAuthError) -> None:
    """Why, and whose request it was; no secret of it."""
    trust, detail = request.get(TRUST, ""), f"{error.parameter} {error.detail}".strip()
    log.info("oidc.refused", path=request.path, error=error.code, detail=detail, trust=trust)
    note_refusal(request, trust=trust, protocol="oidc", reason=error.code, detail=detail)


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
