"""The authorization endpoint (OpenID Connect Core section 3.1.2): a person is sent here by an application.

GET  ─► client and redirect_uri ─no─► a page
          │ proven: from here on every refusal is an answer to the application
          ▼
        checks of the request ─► a session that will do? ─no─► sign-in page ─► /continue/… ─► resume
          │                                                                                  │
          ▼                                                                                  ▼
        may this person use the application? ─► code ─► answer                      the same checks once more
POST ─► 303 to GET: browsers keep our cookie from forms of other sites
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from aiohttp import web
from msgspec.structs import replace

from gateway.federation.claims import subject_of
from gateway.federation.keys import SigningKeyError
from gateway.federation.oidc.answers import redirect_answer
from gateway.federation.oidc.authorization_request import AuthorizationRequest, read_authorization_request
from gateway.federation.oidc.checks.authorization import (
    ACR,
    RESPONSE_MODES,
    check_authorization,
    check_no_request_object,
    check_pushed,
    scope_to_agree_to,
)
from gateway.federation.oidc.checks.interaction import Freshness, SignedIn, required_consent, required_sign_in
from gateway.federation.oidc.checks.redirects import check_redirect_uri
from gateway.federation.oidc.code_issuance import issue_code
from gateway.federation.oidc.context import TRUST, OidcContext
from gateway.federation.oidc.endpoints.consent import ConsentEndpoint
from gateway.federation.oidc.endpoints.token import MAX_FORM
from gateway.federation.oidc.errors import AuthorizationDenied, InvalidRequest, OAuthError, RequestUnproven
from gateway.federation.oidc.jose import JwtRefused
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.oidc.pending_request import PendingRequest, read_pending, write_pending
from gateway.federation.oidc.pushed_requests import PushedRequests
from gateway.federation.oidc.refusal import as_oauth_error, error_page, log_refusal, shown
from gateway.federation.refused_requests import PERSON
from gateway.federation.transactions import Transaction, Transactions
from gateway.federation.trusts import AccessRefusal, Trust, check_access
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID, read_body
from gateway.signin import Application, Message, Session, SignInPages
from gateway.store import StoreError

log = structlog.get_logger()

AUTHORIZE: Final = "/oidc/authorize"
_LONGEST_QUERY: Final = 6000
"""Characters that a form may have to become an address: servers take lines of 8190."""


class AuthorizationEndpoint:
    """See above."""

    def __init__(
        self,
        context: OidcContext,
        signin: SignInPages,
        transactions: Transactions,
        consent: ConsentEndpoint,
        pushed: PushedRequests,
    ) -> None:
        self._context, self._signin, self._transactions, self._consent = context, signin, transactions, consent
        self._pushed = pushed

    pages: Sequence[str] = (AUTHORIZE,)
    """See `OidcEndpoint`."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """See `OidcEndpoint`."""
        return {
            "authorization_endpoint": self._context.issuer + AUTHORIZE,
            "response_types_supported": ("code",),
            "response_modes_supported": RESPONSE_MODES,
            "code_challenge_methods_supported": ("S256",),
            "scopes_supported": ("openid", "profile", "email", "phone", "address", "groups", "offline_access"),
            "prompt_values_supported": ("none", "login", "consent", "select_account"),
            "acr_values_supported": (ACR,),
            "claims_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "authorization_response_iss_parameter_supported": True,
        }

    def add_routes(self, app: web.Application) -> None:
        """See `OidcEndpoint`."""
        app.router.add_get(AUTHORIZE, shown(self._signin, self.authorize))
        app.router.add_post(AUTHORIZE, shown(self._signin, self.authorize_by_form))

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """A browser comes from an application."""
        pending = await self._pushed.open(request.rel_url.raw_query_string)
        session = await self._signin.session_of(request)
        return await self._answer(request, pending, session, returned=False)

    async def authorize_by_form(self, request: web.Request) -> web.StreamResponse:
        """The same by POST (OpenID Connect Core section 3.1.2.1)."""
        if request.content_type != "application/x-www-form-urlencoded" or request.rel_url.raw_query_string:
            raise RequestUnproven("a POST that is no form, or has a query beside it")
        query = Parameters.parse(await read_body(request, MAX_FORM)).query
        if len(query) > _LONGEST_QUERY:
            raise RequestUnproven("a form that is too long for an address")
        return web.Response(status=303, headers={"Location": f"{AUTHORIZE}?{query}", "Cache-Control": "no-store"})

    async def resume(self, request: web.Request, transaction: Transaction, session: Session) -> web.StreamResponse:
        """The person has signed in: see `Resume`. All is checked anew, the trust may have changed meanwhile."""
        pending = read_pending(transaction.request)
        if pending is None:
            return self._signin.show_problem(request, Message.APPLICATION_STALE, status=400)
        try:
            return await self._answer(request, pending, session, returned=True)
        except OAuthError as unproven:
            return error_page(request, self._signin, unproven)

    # -- inside

    async def _answer(
        self, request: web.Request, pending: PendingRequest, session: Session | None, *, returned: bool
    ) -> web.StreamResponse:
        parameters = Parameters.parse(pending.query)
        trust = self._proven(parameters)
        request[TRUST] = trust.id
        if session is not None:
            request[PERSON] = session.identity
        try:
            asked = self._checked(parameters, trust, pushed=pending.pushed)
            signed_in = self._signed_in(trust, session, request[CLIENT_ADDRESS])
            if self._asks(asked, trust, signed_in, returned=returned) or session is None or signed_in is None:
                return await self._sign_in(request, pending, asked, trust, session)
            return await self._proceed(request, pending, asked, trust, session, signed_in.subject)
        except (OAuthError, StoreError, SigningKeyError) as refused:
            error = as_oauth_error(refused)
            log_refusal(request, error)
            return self._refuse(request, parameters, trust, error)

    def _proven(self, parameters: Parameters) -> Trust:
        """Whose request it is, and that the answer may go where it says. Raises RequestUnproven, InvalidRequest."""
        trust = self._context.trusts.client(parameters.required("client_id"))
        if trust is None:
            raise RequestUnproven("the client is unknown or disabled")
        check_redirect_uri(trust.oidc, parameters.one("redirect_uri"))
        return trust

    def _checked(self, parameters: Parameters, trust: Trust, *, pushed: bool) -> AuthorizationRequest:
        """Raises OAuthError."""
        check_pushed(trust.oidc, pushed=pushed)
        check_no_request_object(parameters)
        asked = read_authorization_request(parameters)
        check_authorization(asked, trust.oidc)
        return asked

    def _asks(self, asked: AuthorizationRequest, trust: Trust, signed_in: SignedIn | None, *, returned: bool) -> bool:
        """Whether the person has to sign in. Raises LoginRequired, InvalidRequest."""
        freshness = Freshness(max_age=trust.lifetimes.reauthenticate or None, returned=returned)
        hinted = self._hinted_subject(asked, trust)
        return required_sign_in(asked, signed_in, freshness, hinted, self._context.clock())

    async def _proceed(
        self,
        request: web.Request,
        pending: PendingRequest,
        asked: AuthorizationRequest,
        trust: Trust,
        session: Session,
        subject: str,
    ) -> web.StreamResponse:
        """The person is known: may they use it, may it know them?"""
        address = request[CLIENT_ADDRESS]
        refusal = check_access(trust, subject_of(session.identity, address), address)
        if refusal is not None:
            return self._deny(request, asked, trust, refusal)
        scope = scope_to_agree_to(asked, trust)
        said = pending.answer_of(subject)
        if said == "deny":
            raise AuthorizationDenied("the person did not agree")
        before = await self._consent.agreed(trust, session) if trust.oidc.consent == "once" else frozenset[str]()
        just = frozenset(pending.scope) if said == "allow" else frozenset[str]()
        if required_consent(asked, trust.oidc.consent, scope, before, just):
            return await self._consent.ask(
                request, trust, session, replace(pending, scope=scope, subject=subject, answer="")
            )
        code = await issue_code(
            self._context,
            asked,
            trust,
            session,
            subject,
            address=address,
            request=request[CORRELATION_ID],
            trial=self._context.trials.of(request, session, trust.id),
        )
        return self._tell(request, asked.redirect_uri, asked.response_mode, self._members(asked.state, code=code))

    def _deny(
        self, request: web.Request, asked: AuthorizationRequest, trust: Trust, refusal: AccessRefusal
    ) -> web.StreamResponse:
        """A page that says whom to ask; the application gets an error only where no page may be shown."""
        denied = AuthorizationDenied(f"access: {refusal.reason}")
        if "none" in asked.prompt:
            raise denied
        log_refusal(request, denied)
        return self._signin.of_applications.show_no_access(request, Application(name=trust.name), refusal.ask)

    def _hinted_subject(self, asked: AuthorizationRequest, trust: Trust) -> str:
        if not asked.id_token_hint:
            return ""
        try:
            return str(self._context.tokens.read_id_token_hint(asked.id_token_hint, trust.client_id)["sub"])
        except JwtRefused as refused:
            raise InvalidRequest(refused.detail, parameter="id_token_hint") from refused

    def _signed_in(self, trust: Trust, session: Session | None, address: str) -> SignedIn | None:
        if session is None:
            return None
        identity = session.identity
        names = {identity.user_name, identity.account_name, identity.mail, identity.qualified_name}
        return SignedIn(
            subject=self._context.claims.subject(trust, identity, address),
            names=frozenset(name.lower() for name in names if name),
            auth_time=session.auth_time,
        )

    async def _sign_in(
        self,
        request: web.Request,
        pending: PendingRequest,
        asked: AuthorizationRequest,
        trust: Trust,
        session: Session | None,
    ) -> web.StreamResponse:
        transaction = Transaction(
            protocol="oidc",
            trust=trust.id,
            request=write_pending(PendingRequest(query=pending.query, pushed=pending.pushed)),
            fresh_since=self._context.clock(),
            session=session.name if session is not None else "",
            hint=asked.login_hint,
            languages=asked.ui_locales,
        )
        path = await self._transactions.url(transaction, stranger=request[CLIENT_ADDRESS] if session is None else "")
        return self._signin.redirect_to_signin(path)

    def _tell(self, request: web.Request, redirect_uri: str, mode: str, members: Mapping[str, str]) -> web.Response:
        """By a form (OAuth 2.0 Form Post Response Mode), or a redirect."""
        if mode == "form_post":
            return self._signin.post_to(request, redirect_uri, members)
        return redirect_answer(redirect_uri, mode, members)

    def _refuse(self, request: web.Request, parameters: Parameters, trust: Trust, error: OAuthError) -> web.Response:
        mode = _first(parameters, "response_mode")
        members = self._members(_first(parameters, "state"), error=error.code, error_description=error.told)
        mode = mode if mode in trust.oidc.response_modes else ""
        return self._tell(request, parameters.one("redirect_uri"), mode, members)

    def _members(self, state: str, **members: str) -> dict[str, str]:
        """With `iss` in every answer (RFC 9207): whoever speaks to two providers can tell whose it is."""
        return {**members, **({"state": state} if state else {}), "iss": self._context.issuer}


def _first(parameters: Parameters, name: str) -> str:
    """A value for an error's answer; none where it is there twice."""
    values = parameters.many(name)
    return values[0] if len(values) == 1 else ""
