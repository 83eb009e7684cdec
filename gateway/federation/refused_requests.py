"""What was refused to applications and their users: counted, and noted in the trail, so that a reference can be explained.

Protocols only say it (`note_refusal`); it is written when the answer is made. In the trail there is one entry for each
trust, reason, cause and address in a minute (`gateway.relay.Refusals`), however many refusals there are. Causes are told
apart by a few bits of their text: it may quote what a stranger sent, and must not make an entry for each of a stranger's
texts; but whoever tries first one thing and then another gets an entry for each, or its reference explains nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from foundation.addresses import address_key
from gateway.federation.metrics import FederationMetrics
from gateway.protocol import Identity
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID, Refusals
from gateway.store import AuditEvent, StoreError

log = structlog.get_logger()

_LONGEST: Final = 300
"""Characters of a detail: some of it is what a stranger sent."""
_CAUSES: Final = 16
"""Causes of one reason that are told apart in a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRequest:
    """What there is to say; no secret."""

    trust: str
    """Id; empty where it is not proven whose request it is."""
    protocol: Literal["oidc", "saml"]
    reason: str
    """The error of the wire, one of a few."""
    detail: str
    """For the operator."""
    client: str = ""
    """OpenID Connect: the client_id that the request names, where it is not proven whose it is."""


REFUSED: Final = web.RequestKey("refused_request", RefusedRequest)
PERSON: Final = web.RequestKey("refused_person", Identity)
"""Who is signed in, once that is known."""


def note_refusal(
    request: web.Request, *, trust: str, protocol: Literal["oidc", "saml"], reason: str, detail: str, client: str = ""
) -> None:
    """Say that a request is refused; of several the last one counts."""
    request[REFUSED] = RefusedRequest(trust=trust, protocol=protocol, reason=reason, detail=detail, client=client)


def path_of(request: web.Request) -> str:
    """The path without what stands in it: that of `/continue/…` is a sealed state of 500 characters."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else request.path


def record_refusals(refusals: Refusals, metrics: FederationMetrics, clock: Callable[[], float]) -> Middleware:
    """Writes what handlers noted. clock: Unix seconds."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        refused = request.get(REFUSED)
        if refused is not None:
            metrics.count_refused(refused.trust, refused.protocol, refused.reason)
            await _note(refusals, refused_event(request, refused, clock()))
        return response

    return record


async def _note(refusals: Refusals, event: AuditEvent) -> None:
    """The answer is a refusal either way."""
    try:
        said = event.detail["detail"] + event.detail.get("client", "")
        cause = zlib.crc32(said.encode(errors="replace")) % _CAUSES
        whose = address_key(event.address)  # of IPv6 a network: a stranger has as many addresses in it as they like
        await refusals.record((event.kind, event.actor, event.detail["reason"], cause, whose), event)
    except StoreError as error:
        log.error("federation.refusal_not_recorded", error=str(error))  # noqa: TRY400 - it says all


def refused_event(request: web.Request, refused: RefusedRequest, now: float) -> AuditEvent:
    """The entry of a refusal. now: Unix seconds."""
    person = request.get(PERSON)
    return AuditEvent(
        time=now,
        kind="federation.refused",
        actor=f"trust:{refused.trust}" if refused.trust else "",
        subject=person.user_name if person is not None else "",
        account=person.account if person is not None else None,
        address=request[CLIENT_ADDRESS],
        correlation_id=request[CORRELATION_ID],
        via=refused.protocol,
        detail={
            "reason": refused.reason,
            "detail": refused.detail[:_LONGEST],
            "path": path_of(request),
            **({"client": refused.client} if refused.client else {}),
        },
    )
