"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): an application sends a person here to sign out.

GET ─► an ID token of this very session? ─yes─► the session ends, applications are told ─► back to the application
            │ no: anybody's page can send people here
            ▼
          the question ─► POST /oidc/logout/answer ─► the same
POST ─► 303 to GET: browsers keep our cookie from forms of other sites

A request that names what is not the application's, or with a hint that is not ours, is asked about, too, and leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from gateway.federation.oidc.checks.logout import (
    EndSessionRequest,
    check_hinted_client,
    checked_return,
    read_logout_request,
)
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.endpoints.token import read_form_parameters
from gateway.federation.oidc.errors import InvalidRequest, OAuthError
from gateway.federation.oidc.jose import JwtRefused
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.oidc.refusal import log_refusal, shown
from gateway.federation.participants import Participants
from gateway.federation.trusts import Trust
from gateway.signin import Application, Farewell, Session, SignInPages

LOGOUT: Final = "/oidc/logout"
ANSWER: Final = "/oidc/logout/answer"
_PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_LONGEST_QUERY: Final = 6000
"""Characters that a form may have to become an address: servers take lines of 8190."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutPlan:
    """What a request comes to."""

    trust: Trust | None = None
    """Whose request it is, as far as that is known."""
    session: str = ""
    """What the ID token calls the session that is meant; empty without one."""
    return_to: str = ""
    """Checked address of the application, with its state."""
    is_proven: bool = False
    """An ID token that was given to this application came along."""
    languages: tuple[str, ...] = ()

    @property
    def application(self) -> Application | None:
        """For the page."""
        return Application(name=self.trust.name, languages=self.languages) if self.trust is not None else None

    def names(self, session: Session) -> bool:
        """Whether it is that session which is meant."""
        return self.trust is not None and self.session == session.index(self.trust.id)


class EndSessionEndpoint:
    """See above."""

    def __init__(self, context: OidcContext, signin: SignInPages, participants: Participants) -> None:
        self._context, self._signin, self._participants = context, signin, participants

    pages: Sequence[str] = (LOGOUT, ANSWER)
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {
            "end_session_endpoint": self._context.issuer + LOGOUT,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_get(LOGOUT, shown(self._signin, self.leave))
        app.router.add_post(LOGOUT, shown(self._signin, self.leave_by_form))
        app.router.add_post(ANSWER, shown(self._signin, self.answer))

    async def leave(self, request: web.Request) -> web.StreamResponse:
        """A browser comes from an application. Raises StoreError."""
        query = request.rel_url.raw_query_string
        plan = self._plan(request, query)
        session = await self._signin.session_of(request)
        if session is None:
            return self._finish(request, plan, Farewell(), proven=plan.is_proven)
        if not plan.names(session):
            return self._signin.of_applications.show_logout_question(
                request, plan.application, action=ANSWER, fields={"query": query}
            )
        return self._finish(request, plan, await self._end(session, plan))

    async def leave_by_form(self, request: web.Request) -> web.StreamResponse:
        """The same by POST (section 2)."""
        query = (await read_form_parameters(request)).query
        if len(query) > _LONGEST_QUERY:
            raise InvalidRequest("a form that is too long for an address")
        return web.Response(status=303, headers={"Location": f"{LOGOUT}?{query}", "Cache-Control": "no-store"})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A button was pressed. Raises BadForm, StoreError."""
        fields = await self._signin.of_applications.read_form(request)
        if fields.get("answer") != "sign_out":
            return self._signin.redirect_after_form("/account")
        plan = self._plan(request, fields.get("query", ""))
        session = await self._signin.session_of(request)
        farewell = await self._end(session, plan) if session is not None else Farewell()
        return self._finish(request, plan, farewell, after_form=True)

    # -- inside

    def _plan(self, request: web.Request, query: str) -> LogoutPlan:
        """Raises InvalidRequest for what cannot be read; what is not true leads nowhere instead."""
        asked = read_logout_request(Parameters.parse(query))
        try:
            return self._checked(asked)
        except OAuthError as refused:
            log_refusal(request, refused)
            return LogoutPlan(languages=asked.ui_locales)

    def _checked(self, asked: EndSessionRequest) -> LogoutPlan:
        """Raises InvalidRequest."""
        hint = self._read_hint(asked.id_token_hint)
        check_hinted_client(asked, hint)
        client_id = str(hint.get("aud", asked.client_id))
        trust = self._context.trusts.client(client_id) if client_id else None
        if trust is None:
            if asked.post_logout_redirect_uri or client_id:
                raise InvalidRequest("no application is named, or one that is unknown or disabled")
            return LogoutPlan(languages=asked.ui_locales)
        return LogoutPlan(
            trust=trust,
            session=str(hint.get("sid", "")),
            return_to=checked_return(asked, trust),
            is_proven=bool(hint),
            languages=asked.ui_locales,
        )

    def _read_hint(self, text: str) -> Mapping[str, Any]:
        """Of an ID token that was issued here, expired or not; empty where there is none. Raises InvalidRequest."""
        try:
            return self._context.tokens.read_id_token(text) if text else {}
        except JwtRefused as refused:
            raise InvalidRequest(refused.detail, parameter="id_token_hint") from refused

    async def _end(self, session: Session, plan: LogoutPlan) -> Farewell:
        """End the session, and have applications told: the one that asks, too (Back-Channel Logout section 2.3)."""
        await self._signin.forget_session(session.record.account, session.key)
        taken = await self._participants.take(session.key)
        name = plan.trust.name if plan.trust is not None else ""
        return await self._participants.leave(taken, return_to=plan.return_to, application=name)

    def _finish(
        self, request: web.Request, plan: LogoutPlan, farewell: Farewell, *, proven: bool = True, after_form: bool = False
    ) -> web.StreamResponse:
        """To applications that the browser tells, or back; where one was not reached, a page says so first.

        proven: whether the application has shown, or the person has said, that it may have them back.
        """
        pages, application = self._signin.of_applications, plan.application
        if farewell.further:
            return self._signin.redirect_after_form(farewell.further)
        missed = any(departure.outcome == "failed" for departure in farewell.departures)
        if application is None or not plan.return_to or missed or not proven:
            name = application.name if application is not None else ""
            return pages.show_signed_out(request, farewell.departures, return_to=plan.return_to, application=name)
        if after_form:  # browsers hold a redirect against the form's page: see `SignInPages.show_done`
            return pages.show_way_back(request, application, plan.return_to)
        return web.Response(status=303, headers={**_PRIVATE, "Location": plan.return_to})
