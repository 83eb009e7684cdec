"""What becomes of a refused request: the log says why, the client gets the error of the wire, and a person a page."""

from __future__ import annotations

import structlog
from aiohttp import web

from foundation.listener import Handler
from gateway.federation.keys import SigningKeyError
from gateway.federation.oidc.answers import error_answer, retry_after
from gateway.federation.oidc.context import NAMED_CLIENT, TRUST
from gateway.federation.oidc.errors import (
    AuthorizationDenied,
    AuthorizationPending,
    InvalidRequest,
    OAuthError,
    ProviderFailure,
    TemporarilyUnavailable,
    TooManyRequests,
)
from gateway.federation.refused_requests import note_refusal, path_of
from gateway.relay import CORRELATION_ID
from gateway.signin import Message, SignInPages
from gateway.store import StoreError

log = structlog.get_logger()

_LONGEST_NAME = 100
"""Characters of a client_id that a stranger sent."""


def log_refusal(request: web.Request, error: OAuthError) -> None:
    """Why, and whose request it was; no secret of it. That a device's user has not answered yet is no refusal."""
    trust, detail = request.get(TRUST, ""), _storable(f"{error.parameter} {error.detail}".strip())
    path, named = path_of(request), "" if trust else _storable(request.get(NAMED_CLIENT, "")[:_LONGEST_NAME])
    if isinstance(error, AuthorizationPending):
        log.debug("oidc.pending", path=path, detail=detail, trust=trust)
        return
    log.info("oidc.refused", path=path, error=error.code, detail=detail, trust=trust, client=named)
    note_refusal(request, trust=trust, protocol="oidc", reason=error.code, detail=detail, client=named)


def _storable(text: str) -> str:
    """A stranger's JSON may have half of a surrogate pair in it, which no database keeps."""
    return text.encode("utf-8", "replace").decode()


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


def shown(signin: SignInPages, handler: Handler) -> Handler:
    """Of an address that browsers open, where no application waits for the answer: every refusal is a page."""

    async def show(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (OAuthError, SigningKeyError, web.HTTPException) as refused:
            return error_page(request, signin, as_oauth_error(refused))

    return signin.guarded(show)


def error_page(request: web.Request, signin: SignInPages, error: OAuthError) -> web.Response:
    """In the language of the person, with what to quote; the log says why."""
    request.setdefault(NAMED_CLIENT, request.query.get("client_id", ""))
    log_refusal(request, error)
    if isinstance(error, TooManyRequests):
        page = signin.show_problem(request, Message.WAIT, status=error.status, value=error.wait)
        page.headers["Retry-After"] = retry_after(error.wait)
        return page
    if isinstance(error, (ProviderFailure, TemporarilyUnavailable)):
        status, message = 503, Message.LATER
    elif isinstance(error, AuthorizationDenied):
        status, message = 403, Message.NO_ACCESS
    else:
        status, message = 400, Message.BAD_REQUEST
    return signin.show_problem(request, message, status=status, reference=request[CORRELATION_ID])


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
