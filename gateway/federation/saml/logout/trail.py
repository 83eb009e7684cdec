"""Logout in the audit trail: who wanted it, and what came of each party that the browser tells.

A trail that cannot be written keeps nobody signed in: the session has ended before. Each error is in the log.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from aiohttp import web

from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.logout.subjects import Stop, SubjectDetails
from gateway.federation.saml.parties import Party
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID
from gateway.signin import Departure
from gateway.store import AuditEvent, StoreError

log = structlog.get_logger()


class LogoutTrail:
    """Writes the entries."""

    def __init__(self, context: SamlContext) -> None:
        self._context = context

    async def requested(
        self, request: web.Request, party: Party, ended: Sequence[SubjectDetails], departures: Sequence[Departure]
    ) -> None:
        """A party has ended sessions. ended: as which person it knew them; departures: who was told without a browser."""
        told = {departure.application: departure.outcome for departure in departures}
        detail = {"sessions": str(len(ended)), **{f"to {name}"[:100]: outcome for name, outcome in told.items()}}
        await self._record("federation.logout_requested", request, party.trust.id, ended[0] if ended else None, detail)

    async def told(self, request: web.Request, stop: Stop, outcome: str) -> None:
        """What came of a party; `asked`: the browser was sent there."""
        await self._record("federation.logout_told", request, stop.trust, stop.subject, {"outcome": outcome})

    async def _record(
        self, kind: str, request: web.Request, trust: str, subject: SubjectDetails | None, detail: dict[str, str]
    ) -> None:
        event = AuditEvent(
            time=self._context.clock(),
            kind=kind,
            actor=f"trust:{trust}",
            account=subject.account if subject is not None else None,
            address=request[CLIENT_ADDRESS],
            correlation_id=request[CORRELATION_ID],
            via="saml",
            detail=detail,
        )
        try:
            await self._context.store.audit.append(event)
        except StoreError as error:
            log.error("saml.logout_not_recorded", trust=trust, error=str(error))  # noqa: TRY400 - it says all
