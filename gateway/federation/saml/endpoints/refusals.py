"""What the endpoints say of what they refuse: to the operator the reason, to the person a page."""

from __future__ import annotations

import structlog
from aiohttp import web

from gateway.federation.keys import SigningKeyError
from gateway.federation.refused_requests import note_refusal
from gateway.federation.saml.errors import StatusRefused
from gateway.federation.saml.parties import Party
from gateway.relay import CORRELATION_ID
from gateway.signin import Message, SignInPages

log = structlog.get_logger()


def note_unproven(request: web.Request, unproven: Exception, party: Party | None = None) -> None:
    """Nobody is proven to have asked. party: whose request it would be, where that much is known."""
    trust = party.trust.id if party is not None else ""
    log.info("saml.unproven", trust=trust, reason=str(unproven))
    note_refusal(request, trust=trust, protocol="saml", reason="unproven", detail=str(unproven))


def note_refused(request: web.Request, party: Party, refused: StatusRefused) -> None:
    """The party is told a status."""
    log.info("saml.request_refused", trust=party.trust.id, status=refused.sub_code, reason=refused.detail)
    reason = refused.sub_code.rpartition(":")[2]
    note_refusal(request, trust=party.trust.id, protocol="saml", reason=reason, detail=refused.detail)


def show_unproven(
    signin: SignInPages, request: web.Request, unproven: Exception, party: Party | None = None
) -> web.Response:
    """Nobody is proven to have asked, so nobody is answered; the reason is for the log."""
    note_unproven(request, unproven, party)
    return signin.show_problem(request, Message.BAD_REQUEST, status=400, reference=request[CORRELATION_ID])


def show_no_key(signin: SignInPages, request: web.Request, party: Party, error: SigningKeyError) -> web.Response:
    """Nothing can be signed at present."""
    log.error("saml.no_key", trust=party.trust.id, error=str(error))
    return signin.show_problem(request, Message.LATER, status=503, reference=request[CORRELATION_ID])
