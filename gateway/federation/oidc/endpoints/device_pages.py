"""Where a person connects a device (RFC 8628 section 3.3): the code, then the question.

GET /device ─► signed in? ─no─► sign-in page ─► the code is typed ─► POST /device ─► the question, which names application,
code and place ─► POST /device/answer

A link that has the code in it fills in the field, no more: whoever sends it to somebody else has gained nothing (section
5.4). Guesses are counted by address and by person (section 5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from aiohttp import web

from foundation.addresses import address_key
from gateway.federation.claims import subject_of
from gateway.federation.oidc.checks.authorization import ACR
from gateway.federation.oidc.code_issuance import plain_identity
from gateway.federation.oidc.context import TRUST, OidcContext
from gateway.federation.oidc.device_codes import (
    REMEMBERED,
    DeviceAnswer,
    DeviceCodes,
    DeviceRequest,
    folded_code,
    shown_code,
)
from gateway.federation.oidc.errors import AuthorizationDenied, TooManyRequests
from gateway.federation.oidc.grant_details import GrantDetails
from gateway.federation.oidc.person_grants import PersonGrants
from gateway.federation.oidc.refusal import shown
from gateway.federation.trusts import Trust, check_access
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID
from gateway.signin import Application, Message, Session, SignInPages
from gateway.store import AuditEvent

log = structlog.get_logger()

DEVICE: Final = "/device"
ANSWER: Final = "/device/answer"
GUESSES: Final = 10
"""Codes a minute that one address, or one person, may try: of 25 billion."""


class DevicePages:
    """See above."""

    metadata: Mapping[str, Any] = {}
    """See `OidcEndpoint`."""
    pages: Sequence[str] = (DEVICE, ANSWER)
    """See `OidcEndpoint`."""

    def __init__(self, context: OidcContext, signin: SignInPages, codes: DeviceCodes) -> None:
        self._context, self._signin, self._codes = context, signin, codes
        self._grants = PersonGrants(context)

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_get(DEVICE, shown(self._signin, self.show))
        app.router.add_post(DEVICE, shown(self._signin, self.enter))
        app.router.add_post(ANSWER, shown(self._signin, self.answer))

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The field for the code. Raises StoreError."""
        code = folded_code(request.query.get("user_code", ""))
        if await self._signin.session_of(request) is None:
            return self._signin.redirect_to_signin(_path(code))
        return self._entry(request, shown_code(code) if code else "")

    async def enter(self, request: web.Request) -> web.StreamResponse:
        """A code was typed. Raises BadForm, StoreError."""
        fields = await self._signin.of_applications.read_form(request)
        typed = fields.get("user_code", "")
        session = await self._signin.session_of(request)
        if session is None:
            return self._signin.redirect_to_signin(_path(folded_code(typed)))
        guess = self._check_guesses(request, session)
        found = await self._codes.look(typed, self._context.clock())
        trust = self._context.trusts.get(found.trust) if found is not None else None
        if found is None or trust is None:
            await self._context.limits.count_failure(guess)
            log.info("oidc.device_code_unknown")
            return self._entry(request, typed[:32], Message.UNKNOWN_CODE)
        return self._refuse(request, trust, session) or self._ask(request, found, trust, session, folded_code(typed))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A button was pressed. Raises BadForm, StoreError."""
        fields = await self._signin.of_applications.read_form(request)
        code, now = folded_code(fields.get("user_code", "")), self._context.clock()
        session = await self._signin.session_of(request)
        if session is None or session.name != fields.get("session"):
            return self._signin.redirect_to_signin(_path(code))  # somebody else, perhaps: they are asked themselves
        guess = self._check_guesses(request, session)
        found = await self._codes.take(code, now)
        trust = self._context.trusts.get(found.trust) if found is not None else None
        if found is None or trust is None:
            await self._context.limits.count_failure(guess)
            return self._entry(request, "", Message.UNKNOWN_CODE)
        if refusal := self._refuse(request, trust, session):
            return refusal
        if fields.get("answer") != "allow":
            await self._codes.answer(found, DeviceAnswer(), now)
            return self._signin.of_applications.show_result(request, Message.DEVICE_DENIED)
        grant = self._grant(found, trust, session, request[CLIENT_ADDRESS])
        await self._record(request, found, session)
        await self._grants.reserve(found.id, trust, grant, session.checked_at, found.until + REMEMBERED)
        await self._codes.answer(found, DeviceAnswer(grant=grant, checked_at=session.checked_at), now)
        return self._signin.of_applications.show_result(request, Message.DEVICE_CONNECTED)

    # -- inside

    def _check_guesses(self, request: web.Request, session: Session) -> Mapping[str, int]:
        """Count one more code that is tried; whose failure it is if there is none. Raises TooManyRequests."""
        account = session.record.account
        whose = (
            f"device address {address_key(request[CLIENT_ADDRESS])}",
            f"device account {account.directory} {account.object}",
        )
        limits = self._context.limits
        if (wait := max(limits.draw(name, GUESSES) for name in whose)) > 0:
            raise TooManyRequests(f"more than {GUESSES} device codes a minute", wait)
        wrong = dict.fromkeys(whose, GUESSES)
        limits.check_failures(wrong)
        return wrong

    def _refuse(self, request: web.Request, trust: Trust, session: Session) -> web.Response | None:
        """A page, where the person may not use the application, or its claims policy has no name for them."""
        request[TRUST] = trust.id
        address = request[CLIENT_ADDRESS]
        refusal = check_access(trust, subject_of(session.identity, address), address)
        reason = refusal.reason if refusal is not None else self._no_subject(trust, session, address)
        if not reason:
            return None
        log.info("oidc.device_refused", trust=trust.id, reason=reason)
        return self._signin.of_applications.show_no_access(request, Application(name=trust.name), trust.access.ask)

    def _no_subject(self, trust: Trust, session: Session, address: str) -> str:
        """Why there is no name; empty where there is one."""
        try:
            self._context.claims.subject(trust, session.identity, address)
        except AuthorizationDenied as denied:
            return denied.detail
        return ""

    def _entry(self, request: web.Request, user_code: str, error: Message | None = None) -> web.Response:
        return self._signin.of_applications.show_device_entry(request, action=DEVICE, user_code=user_code, error=error)

    def _ask(
        self, request: web.Request, found: DeviceRequest, trust: Trust, session: Session, code: str
    ) -> web.StreamResponse:
        return self._signin.of_applications.show_device_question(
            request,
            Application(name=trust.name),
            session.identity,
            user_code=shown_code(code),
            address=found.address,
            action=ANSWER,
            fields={"user_code": code, "session": session.name},
        )

    def _grant(self, found: DeviceRequest, trust: Trust, session: Session, address: str) -> GrantDetails:
        """Raises AuthorizationDenied where the claims policy has no subject for the person."""
        return GrantDetails(
            scope=found.scope,
            resources=found.resources,
            subject=self._context.claims.subject(trust, session.identity, address),
            auth_time=session.auth_time,
            acr=ACR,
            amr=session.amr,
            identity=plain_identity(session.identity),
            address=found.address,
            browser=address,
            agent=session.agent,
            password_set=session.password_set,
        )

    async def _record(self, request: web.Request, found: DeviceRequest, session: Session) -> None:
        event = AuditEvent(
            time=self._context.clock(),
            kind="federation.device_connected",
            actor="page",
            subject=session.identity.user_name,
            account=session.record.account,
            address=request[CLIENT_ADDRESS],
            correlation_id=request[CORRELATION_ID],
            via="oidc",
            detail={"trust": found.trust, "scope": " ".join(found.scope), "device": found.address},
        )
        await self._context.store.audit.append(event)


def _path(code: str) -> str:
    return f"{DEVICE}?user_code={shown_code(code)}" if code else DEVICE
