"""The pages' handlers: sign in, change an expired password, my account, sign out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import structlog
from aiohttp import web
from msgspec.structs import replace

from foundation.listener import Handler
from gateway.protocol import Outcome
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID, Attempt, Authenticator, Verdict
from gateway.signin.browser import safe_path
from gateway.signin.cookies import DEVICE, DeviceCookie, FormToken, read_cookie, set_cookie
from gateway.signin.errors import BadForm
from gateway.signin.forms import password_of, read_form, user_name_of
from gateway.signin.messages import N_, Message, message_of, rejection
from gateway.signin.pages import Pages
from gateway.signin.permit import ChangePermit
from gateway.signin.sessions import Session, Sessions
from gateway.signin.settings import SignInSettings
from gateway.store import AuditLog, StoreError

log = structlog.get_logger()


_NOTICES = {"changed": Message.CHANGED, "others_signed_out": Message.OTHERS_SIGNED_OUT}
_CHANGE = frozenset({Outcome.PASSWORD_EXPIRED, Outcome.MUST_CHANGE})


@dataclass(frozen=True, slots=True)
class _Explanation:
    """What a person is told: message, HTTP status, and what goes with it."""

    error: Message | None = None
    status: int = 200
    value: float = 0
    reference: str = ""
    retry_after: float = 0.0

    def on(self, response: web.Response) -> web.Response:
        if self.retry_after:
            response.headers["Retry-After"] = str(math.ceil(self.retry_after))
        return response


_NOTHING = _Explanation()


class SignInPages:
    """What a person meets. origin: the relay's public `https://host[:port]`."""

    def __init__(
        self,
        settings: SignInSettings,
        pages: Pages,
        sessions: Sessions,
        authenticator: Authenticator,
        audit: AuditLog,
        form_token: FormToken,
        device: DeviceCookie,
        permit: ChangePermit,
        *,
        origin: str,
    ) -> None:
        self._settings, self._pages, self._sessions = settings, pages, sessions
        self._authenticator, self._audit = authenticator, audit
        self._form_token, self._device, self._permit, self._origin = form_token, device, permit, origin

    def use(self, settings: SignInSettings) -> None:
        """Settings were read anew."""
        self._settings = settings

    def add_routes(self, app: web.Application) -> None:
        """Sign-in, account and static files; and a page for addresses that are none."""
        router = app.router
        router.add_get("/", self._guarded(self.home))
        router.add_get("/signin", self._guarded(self.show))
        router.add_post("/signin", self._guarded(self.submit))
        router.add_get("/account", self._guarded(self.account))
        router.add_get("/account/password", self._guarded(self.show_change))
        router.add_post("/account/password", self._guarded(self.change))
        router.add_post("/account/sign-out-others", self._guarded(self.sign_out_others))
        router.add_post("/signout", self._guarded(self.sign_out))
        router.add_get("/static/{tag}/{name}", self._pages.static)
        app.middlewares.append(self._missing)

    # -- for other packages

    async def session_of(self, request: web.Request) -> Session | None:
        """Who is signed in with this browser."""
        return await self._sessions.find(request)

    def redirect_to_signin(self, return_to: str) -> web.Response:
        """Have the person sign in and come back to a path of ours."""
        return self._pages.redirect(f"/signin?return_to={quote(safe_path(return_to))}")

    # -- sign in

    async def home(self, _request: web.Request) -> web.Response:
        """To the account page: there is nothing else at the root."""
        return self._pages.redirect("/account")

    async def show(self, request: web.Request) -> web.Response:
        """The first step: who are you?"""
        return_to = safe_path(request.query.get("return_to"))
        if await self._sessions.find(request) is not None and "language" not in request.query:
            return self._pages.redirect(return_to)
        return self._pages.render(request, "user.html", title=N_("Sign in"), return_to=return_to)

    async def submit(self, request: web.Request) -> web.Response:
        """Any step of the sign-in."""
        fields = await read_form(request, self._form_token, self._origin)
        return_to = safe_path(fields.get("return_to"))
        try:
            user_name = user_name_of(fields)
        except BadForm as bad:
            return self._pages.render(
                request, "user.html", title=N_("Sign in"), error=bad.message, return_to=return_to, status=400
            )
        step = fields.get("step")
        if step == "password":
            return await self._sign_in(request, fields, user_name, return_to)
        if step == "change":
            return await self._change_and_sign_in(request, fields, user_name, return_to)
        return self._pages.render(request, "password.html", title=N_("Sign in"), user_name=user_name, return_to=return_to)

    async def _sign_in(
        self, request: web.Request, fields: Mapping[str, str], user_name: str, return_to: str
    ) -> web.Response:
        try:
            attempt = self._attempt(request, user_name, password_of(fields))
        except BadForm as bad:
            return self._ask_password(request, user_name, return_to, _Explanation(bad.message, 400))
        verdict = await self._authenticator.authenticate(attempt)
        if verdict.succeeded:
            return await self._welcome(request, verdict, user_name, return_to)
        if verdict.outcome in _CHANGE and verdict.password_proven:
            why = _Explanation(message_of(verdict.outcome, password_proven=True))
            return self._ask_change(request, user_name, return_to, "/signin", why, permit=self._permit.make(user_name))
        return self._ask_password(request, user_name, return_to, self._explain(request, verdict))

    async def _change_and_sign_in(
        self, request: web.Request, fields: Mapping[str, str], user_name: str, return_to: str
    ) -> web.Response:
        permit = fields.get("permit", "")
        if not self._permit.fits(permit, user_name):
            return self._ask_password(request, user_name, return_to, _Explanation(Message.STALE, 403))
        try:
            attempt = self._attempt(request, user_name, password_of(fields))
            new_password = _new_password(fields)
        except BadForm as bad:
            why = _Explanation(bad.message, 400)
            return self._ask_change(request, user_name, return_to, "/signin", why, permit=permit)
        verdict = await self._authenticator.change_password(attempt, new_password)
        if not verdict.succeeded:
            why = self._explain(request, verdict)
            return self._ask_change(request, user_name, return_to, "/signin", why, permit=permit)
        verdict = await self._authenticator.authenticate(self._attempt(request, user_name, new_password))
        if verdict.succeeded:
            if verdict.identity is not None:
                await self._sessions.end_all(verdict.identity.account)
            return await self._welcome(request, verdict, user_name, return_to)
        return self._ask_password(request, user_name, return_to, self._explain(request, verdict), notice=Message.CHANGED)

    async def _welcome(self, request: web.Request, verdict: Verdict, user_name: str, return_to: str) -> web.Response:
        if verdict.identity is None:
            raise RuntimeError("a success without an identity")
        response = self._pages.redirect(return_to)
        await self._sessions.begin(request, response, verdict.identity, request[CLIENT_ADDRESS])
        set_cookie(response, DEVICE, self._device.make(user_name), max_age=self._settings.device_lifetime)
        return response

    # -- account

    async def account(self, request: web.Request) -> web.Response:
        """Who I am here, and what happened in my name."""
        session = await self._sessions.find(request)
        if session is None:
            return self.redirect_to_signin("/account")
        entries = await self._audit.last_signins(session.record.account)
        return self._pages.render(
            request,
            "account.html",
            title=N_("My account"),
            wide=True,
            person=session.identity,
            signins=[entry.event for entry in entries],
            sessions=await self._sessions.others(session),
            mine=session.record.digest,
            notice=_NOTICES.get(request.query.get("notice", ""), ""),
        )

    async def show_change(self, request: web.Request) -> web.Response:
        """The form for a new password."""
        session = await self._sessions.find(request)
        if session is None:
            return self.redirect_to_signin("/account/password")
        return self._ask_change(request, session.identity.user_name, "/account", "/account/password")

    async def change(self, request: web.Request) -> web.Response:
        """Change the password of whoever is signed in; every other session of theirs ends."""
        fields = await read_form(request, self._form_token, self._origin)
        session = await self._sessions.find(request)
        if session is None:
            return self.redirect_to_signin("/account/password")
        person, user_name = session.identity, session.identity.user_name
        try:
            attempt = self._attempt(request, user_name, password_of(fields))
            attempt = replace(attempt, user_name=person.qualified_name, signed_in_as=user_name, account=person.account)
            new_password = _new_password(fields)
        except BadForm as bad:
            why = _Explanation(bad.message, 400)
            return self._ask_change(request, user_name, "/account", "/account/password", why)
        verdict = await self._authenticator.change_password(attempt, new_password)
        if not verdict.succeeded:
            why = self._explain(request, verdict)
            return self._ask_change(request, user_name, "/account", "/account/password", why)
        await self._sessions.end_others(session)
        return self._pages.redirect("/account?notice=changed")

    async def sign_out_others(self, request: web.Request) -> web.Response:
        """End every other session of this person."""
        await read_form(request, self._form_token, self._origin)
        session = await self._sessions.find(request)
        if session is not None:
            await self._sessions.end_others(session)
        return self._pages.redirect("/account?notice=others_signed_out")

    async def sign_out(self, request: web.Request) -> web.Response:
        """End this session."""
        await read_form(request, self._form_token, self._origin)
        response = self._pages.render(request, "message.html", title=N_("Sign out"), notice=Message.SIGNED_OUT)
        await self._sessions.end(request, response)
        return response

    # -- parts of the steps above

    def _attempt(self, request: web.Request, user_name: str, password: str) -> Attempt:
        return Attempt(
            user_name=user_name,
            password=password,
            address=request[CLIENT_ADDRESS],
            familiar=self._device.knows(read_cookie(request, DEVICE), user_name),
            correlation_id=request[CORRELATION_ID],
        )

    def _explain(self, request: web.Request, verdict: Verdict) -> _Explanation:
        """What a verdict that is no success comes down to."""
        if verdict.outcome is None:
            return _Explanation(Message.WAIT, 429, verdict.retry_after, retry_after=verdict.retry_after)
        message = message_of(verdict.outcome, password_proven=verdict.password_proven)
        if verdict.outcome.is_infrastructure:
            return _Explanation(message, 503, reference=request[CORRELATION_ID])
        if message is Message.REJECTED:
            return _Explanation(rejection(verdict.rule, verdict.rule_value), 403, verdict.rule_value)
        return _Explanation(message, 401 if message is Message.WRONG else 403)

    def _ask_password(
        self, request: web.Request, user_name: str, return_to: str, said: _Explanation, *, notice: str = ""
    ) -> web.Response:
        return said.on(
            self._pages.render(
                request,
                "password.html",
                title=N_("Sign in"),
                user_name=user_name,
                return_to=return_to,
                status=said.status,
                error=said.error,
                value=said.value,
                reference=said.reference,
                notice=notice,
            )
        )

    def _ask_change(
        self,
        request: web.Request,
        user_name: str,
        return_to: str,
        action: str,
        said: _Explanation = _NOTHING,
        *,
        permit: str = "",
    ) -> web.Response:
        return said.on(
            self._pages.render(
                request,
                "change.html",
                title=N_("Choose a new password"),
                user_name=user_name,
                return_to=return_to,
                action=action,
                permit=permit,
                status=said.status,
                error=said.error,
                value=said.value,
                reference=said.reference,
            )
        )

    @web.middleware
    async def _missing(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Show a page to a person who comes to an address that is none."""
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            if "text/html" not in request.headers.get("Accept", ""):
                raise
            page = self._pages.render(request, "message.html", title=Message.NOT_FOUND, status=error.status)
            if "Allow" in error.headers:
                page.headers["Allow"] = error.headers["Allow"]
            return page

    def _guarded(self, handler: Handler) -> Handler:
        """Turn a bad form, or a store that fails, into a page."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except BadForm as bad:
                return self._pages.render(request, "message.html", title=N_("Sign in"), error=bad.message, status=bad.status)
            except StoreError as error:
                log.error("page.store_failed", error=str(error))  # noqa: TRY400 - it says all
                reference = request[CORRELATION_ID]
                return self._pages.render(
                    request, "message.html", title=N_("Sign in"), error=Message.LATER, reference=reference, status=503
                )

        return guarded


def _new_password(fields: Mapping[str, str]) -> str:
    new_password = password_of(fields, "new_password")
    if new_password != fields.get("again"):
        raise BadForm(Message.NOT_SAME)
    return new_password
