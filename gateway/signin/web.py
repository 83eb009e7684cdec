"""The sign-in's handlers. Every form is answered with a redirect to a page (POST, redirect, GET): see `steps.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import structlog
from aiohttp import web
from msgspec.structs import replace

from foundation.listener import Handler
from gateway.protocol import AccountId
from gateway.relay import CLIENT_ADDRESS, CORRELATION_ID, Authenticator, Verdict
from gateway.signin.account import AccountPages
from gateway.signin.application_pages import ApplicationPages
from gateway.signin.applications import Application, Applications, NoApplications, PersonApplications
from gateway.signin.attempts import WANTS_CHANGE, Notice, attempt_of, explain
from gateway.signin.browser import safe_path
from gateway.signin.changes import after_bad_form, after_refusal, with_typed
from gateway.signin.cookies import DEVICE, DeviceCookie, FormToken, set_cookie
from gateway.signin.errors import BadForm, StaleForm
from gateway.signin.forms import password_of, read_form, user_name_of
from gateway.signin.messages import FINAL, N_, Message, message_of
from gateway.signin.pages import Pages, with_return
from gateway.signin.sessions import Session, Sessions
from gateway.signin.settings import SignInSettings
from gateway.signin.steps import KeptPasswords, SignInStep, Steps
from gateway.store import AuditLog, StoreError

log = structlog.get_logger()

USER, PASSWORD, CHANGE, REFUSED, CHANGED, DONE = (
    "/signin",
    "/signin/password",
    "/signin/new-password",
    "/signin/refused",
    "/signin/changed",
    "/signin/done",
)
_PROBLEMS: Final = {
    message.name.lower(): message
    for message in (Message.MISSING_USER, Message.TOO_LONG, Message.BAD_CHARACTERS, Message.STALE, Message.NO_COOKIE)
}
"""What the first page can say: it needs no step, for nothing else is known yet."""


class SignInPages:
    """What a person meets. origin: the relay's public `https://host[:port]`. applications, of_person: none, unless
    given."""

    def __init__(
        self,
        settings: SignInSettings,
        pages: Pages,
        sessions: Sessions,
        authenticator: Authenticator,
        audit: AuditLog,
        form_token: FormToken,
        device: DeviceCookie,
        steps: Steps,
        *,
        origin: str,
        applications: Applications | None = None,
        of_person: PersonApplications | None = None,
    ) -> None:
        self._settings, self._pages, self._sessions = settings, pages, sessions
        self._applications = applications or NoApplications()
        self._authenticator, self._form_token, self._origin = authenticator, form_token, origin
        self._device, self._steps = device, steps
        self.of_applications = ApplicationPages(pages, form_token, origin)
        self._account = AccountPages(
            pages,
            sessions,
            authenticator,
            audit,
            form_token,
            device,
            steps,
            self.of_applications,
            origin=origin,
            applications=of_person,
        )

    def use(self, settings: SignInSettings) -> None:
        """Settings were read anew."""
        self._settings = settings

    def add_routes(self, app: web.Application) -> None:
        """Sign-in, account and static files; and a page for addresses that are none."""
        pages = {
            "/": self.home,
            USER: self.show,
            PASSWORD: self.show_password,
            CHANGE: self.show_change,
            REFUSED: self.show_refused,
            CHANGED: self.show_changed,
            DONE: self.show_done,
            "/.well-known/change-password": self.change_password,
            **self._account.pages,
        }
        for path, handler in pages.items():
            app.router.add_get(path, self.guarded(handler))
        for path, handler in {USER: self.submit, **self._account.forms}.items():
            app.router.add_post(path, self.guarded(handler))
        app.router.add_get("/static/{tag}/{name}", self._pages.static)
        app.router.add_get("/favicon.ico", self._pages.favicon)
        app.middlewares.append(self._missing)

    # -- for other packages

    async def session_of(self, request: web.Request) -> Session | None:
        """Who is signed in with this browser."""
        return await self._sessions.find(request)

    async def forget_session(self, account: AccountId, key: bytes) -> None:
        """End the session with this `Session.key`, in whichever browser it is. What hangs on it is for the caller to end.

        Raises StoreError.
        """
        await self._sessions.forget(account, key)

    def had_session(self, request: web.Request, keys: Collection[bytes]) -> bool:
        """Whether a session with one of these `Session.key`s is, or was last, this browser's."""
        return self._sessions.had(request, keys)

    def redirect_to_signin(self, return_to: str) -> web.Response:
        """Have the person sign in and come back to a path of ours."""
        return self._pages.redirect(with_return(USER, return_to))

    def redirect_after_form(self, path: str) -> web.Response:
        """Answer a form with a path of ours, from which an application may send the person anywhere: see `show_done`."""
        return self._pages.redirect(with_return(DONE, path) if self._applications.waiting(path) is not None else path)

    def post_to(self, request: web.Request, url: str, fields: Mapping[str, str]) -> web.Response:
        """Have the browser post a form to an application: SAML's HTTP-POST binding, OAuth's form_post response mode."""
        return self._pages.render_post(request, url, fields)

    def show_problem(self, request: web.Request, message: Message, *, status: int, **values: Any) -> web.Response:
        """What a person is told who cannot go on; values: more for the template, such as `value` or `reference`."""
        title = N_("You can't sign in")
        return self._pages.render(request, "problem.html", title=title, error=message, status=status, **values)

    def guarded(self, handler: Handler) -> Handler:
        """Turn a bad form, or a store that fails, into a page."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except StaleForm as stale:
                start = "/account" if request.path not in {USER, "/signout"} else USER
                problem = stale.message.name.lower()
                return self._pages.redirect(with_return(f"{start}?problem={problem}", safe_path(stale.return_to)))
            except BadForm as bad:
                return self._pages.render(request, "message.html", title=N_("Sign in"), error=bad.message, status=bad.status)
            except StoreError as error:
                log.error("page.store_failed", error=str(error))  # noqa: TRY400 - it says all
                return self._pages.render(
                    request,
                    "message.html",
                    title=N_("Sign in"),
                    error=Message.LATER,
                    reference=request[CORRELATION_ID],
                    status=503,
                )

        return guarded

    # -- the pages

    async def home(self, _request: web.Request) -> web.Response:
        """To the account page: there is nothing else at the root."""
        return self._pages.redirect("/account")

    async def change_password(self, _request: web.Request) -> web.Response:
        """Where password managers look for it (W3C, A Well-Known URL for Changing Passwords)."""
        return self._pages.redirect("/account/password")

    async def show(self, request: web.Request) -> web.Response:
        """The first step: who are you?"""
        return_to = safe_path(request.query.get("return_to"))
        application = self._applications.waiting(return_to)
        session = await self._sessions.find(request)
        will_do = session is not None and (application is None or application.accepts(session))
        if will_do and "language" not in request.query:
            return self.redirect_after_form(return_to)  # perhaps of another tab, in which nobody was signed in
        return self._pages.render(
            request,
            "user.html",
            title=N_("Sign in"),
            return_to=return_to,
            error=_PROBLEMS.get(request.query.get("problem", "")),
            application=application,
            user_name=_first_name(application, session),
        )

    async def show_password(self, request: web.Request) -> web.Response:
        """The second step. Back from a later page leads here, too, without what that one said."""
        step = self._step_of(request)
        if step is None or not step.kept.user_name:
            return self._start_again(request)
        if step.page != PASSWORD:
            step = SignInStep(page=PASSWORD, kept=KeptPasswords(user_name=step.kept.user_name, keep=step.kept.keep))
        may_keep = self._may_keep(safe_path(request.query.get("return_to")))
        return self._show(request, "password.html", step, title=N_("Sign in"), may_keep=may_keep)

    async def show_change(self, request: web.Request) -> web.Response:
        """A new password is wanted before anybody is signed in."""
        step = self._step_of(request)
        if step is None or step.page != CHANGE:
            return self._start_again(request)
        return self._show(request, "change.html", step, title=N_("Choose a new password"), action=USER)

    async def show_refused(self, request: web.Request) -> web.Response:
        """What no further try changes; so there is no form."""
        step = self._step_of(request)
        if step is None or step.page != REFUSED:
            return self._start_again(request)
        return self._show(request, "refused.html", step, title=N_("You can't sign in"))

    async def show_changed(self, request: web.Request) -> web.Response:
        """The new password holds, and the person is signed in."""
        return_to = safe_path(request.query.get("return_to"))
        if await self._sessions.find(request) is None:
            return self.redirect_to_signin(return_to)
        if self._steps.notice(request, CHANGED, return_to) is None:
            return self._pages.redirect(return_to)
        return self._pages.render(request, "changed.html", title=Message.CHANGED, return_to=return_to)

    async def show_done(self, request: web.Request) -> web.Response:
        """Between a form and an application: a page that leaves by itself.

        Browsers hold every redirect that follows a form against the form's page (`form-action`, CSP level 3 section 6.4.1),
        and where an application sends people next nobody here knows. With this page the form has its answer.
        """
        return_to = safe_path(request.query.get("return_to"))
        application = self._applications.waiting(return_to)
        if application is None:
            return self._pages.redirect(return_to)
        return self._pages.render(
            request, "done.html", title=N_("Continue"), return_to=return_to, application=application, shared=True
        )

    # -- the forms

    async def submit(self, request: web.Request) -> web.Response:
        """Any step of the sign-in."""
        fields = await read_form(request, self._form_token, self._origin)
        return_to = safe_path(fields.get("return_to"))
        try:
            user_name = user_name_of(fields)
        except BadForm as bad:
            return self._pages.redirect(with_return(f"{USER}?problem={bad.message.name.lower()}", return_to))
        step = {"password": self._sign_in, "change": self._change_and_sign_in}.get(fields.get("step", ""))
        if step is None:
            return self._go(request, return_to, SignInStep(page=PASSWORD, kept=KeptPasswords(user_name=user_name)))
        try:
            return await step(request, fields, user_name, return_to)
        except StoreError as error:
            log.error("page.store_failed", error=str(error))  # noqa: TRY400 - it says all
            told = Notice(Message.LATER, reference=request[CORRELATION_ID])
            return self._refuse(request, return_to, KeptPasswords(user_name=user_name), told)

    async def _sign_in(
        self, request: web.Request, fields: Mapping[str, str], user_name: str, return_to: str
    ) -> web.Response:
        kept = KeptPasswords(user_name=user_name, keep=fields.get("keep") == "yes")
        try:
            attempt = attempt_of(request, self._device, user_name, password_of(fields))
        except BadForm as bad:
            return self._go(request, return_to, after_bad_form(PASSWORD, kept, bad))
        verdict = await self._authenticator.authenticate(attempt)
        if verdict.succeeded:
            return await self._welcome(request, verdict, kept, return_to)
        if verdict.outcome in WANTS_CHANGE and verdict.password_proven:
            kept = replace(kept, old=attempt.password, proven=True, rules=verdict.new_password)
            message = message_of(verdict.outcome, password_proven=True)
            return self._go(request, return_to, SignInStep(page=CHANGE, kept=kept, message=message.name))
        return self._refuse(request, return_to, kept, explain(request, verdict))

    async def _change_and_sign_in(
        self, request: web.Request, fields: Mapping[str, str], user_name: str, return_to: str
    ) -> web.Response:
        kept = self._steps.kept(request, fields.get("kept", ""), user_name)
        if kept is None or not kept.proven:
            # a stranger could have any name's password changed in vain, and learn from how that is refused
            step = SignInStep(page=PASSWORD, kept=KeptPasswords(user_name=user_name), message=Message.STALE.name)
            return self._go(request, return_to, step)
        kept, bad = with_typed(kept, fields)
        if bad is not None:
            return self._go(request, return_to, after_bad_form(CHANGE, kept, bad))
        attempt = attempt_of(request, self._device, user_name, kept.old)
        verdict = await self._authenticator.change_password(attempt, kept.new)
        if not verdict.succeeded:
            told = explain(request, verdict)
            if told.message in FINAL:
                return self._refuse(request, return_to, kept, told)
            return self._go(request, return_to, after_refusal(CHANGE, kept, told))
        verdict = await self._authenticator.authenticate(attempt_of(request, self._device, user_name, kept.new))
        if verdict.succeeded:
            if verdict.identity is not None:
                await self._sessions.end_all(verdict.identity.account)
            response = await self._welcome(request, verdict, kept, return_to, by=CHANGED)
            self._steps.put_notice(request, response, CHANGED, Message.CHANGED, return_to)
            return response
        told = explain(request, verdict)
        return self._refuse(request, return_to, kept, told, changed=True)

    async def _welcome(
        self, request: web.Request, verdict: Verdict, kept: KeptPasswords, return_to: str, *, by: str = ""
    ) -> web.Response:
        """Signed in, and on to where the person wanted to go. by: a page of ours that is shown before."""
        keep = kept.keep and self._may_keep(return_to)
        response = self._pages.redirect(with_return(by, return_to)) if by else self.redirect_after_form(return_to)
        await self._sessions.begin(request, response, verdict, request[CLIENT_ADDRESS], keep=keep)
        set_cookie(response, DEVICE, self._device.make(kept.user_name), max_age=self._settings.device_lifetime)
        self._steps.drop(response, return_to)
        return response

    # -- parts of the steps above

    def _may_keep(self, return_to: str) -> bool:
        """Whether the person is asked for how long: not by an application to which an older sign-in is no proof."""
        application = self._applications.waiting(return_to)
        return self._settings.session_kept > 0 and (application is None or not application.fresh_since)

    def _refuse(
        self, request: web.Request, return_to: str, kept: KeptPasswords, told: Notice, *, changed: bool = False
    ) -> web.Response:
        """Back to the password, or to where it ends. changed: the password was, before this."""
        step = SignInStep(
            page=REFUSED if told.message in FINAL else PASSWORD,
            kept=KeptPasswords(user_name=kept.user_name, keep=kept.keep),
            message=told.message.name,
            value=told.value,
            reference=told.reference,
            field="password",
            changed=changed,
        )
        return self._go(request, return_to, step)

    def _go(self, request: web.Request, return_to: str, step: SignInStep) -> web.Response:
        response = self._pages.redirect(with_return(step.page, return_to))
        self._steps.put(request, response, step, return_to)
        return response

    def _step_of(self, request: web.Request) -> SignInStep | None:
        return self._steps.of(request, safe_path(request.query.get("return_to")))

    def _start_again(self, request: web.Request) -> web.Response:
        return self.redirect_to_signin(safe_path(request.query.get("return_to")))

    def _show(
        self, request: web.Request, template: str, step: SignInStep, *, title: str, action: str = "", may_keep: bool = False
    ) -> web.Response:
        return_to = safe_path(request.query.get("return_to"))
        return self._pages.render(
            request,
            template,
            title=title,
            return_to=return_to,
            again=with_return(USER, return_to),
            action=action,
            may_keep=may_keep,
            application=self._applications.waiting(return_to),
            **self._steps.values(request, step),
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


def _first_name(application: Application | None, session: Session | None) -> str:
    """What the first field holds: the name that the application expects, else whose session is too old for it."""
    if application is None:
        return ""
    return application.user_name or (session.identity.user_name if session is not None else "")
