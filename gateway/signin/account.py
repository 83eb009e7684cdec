"""The account page's handlers, for whoever is signed in: what is known here, change of password, sessions, signing out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from msgspec.structs import replace

from foundation.listener import Handler
from gateway.protocol import Group
from gateway.relay import CLIENT_ADDRESS, Authenticator
from gateway.signin.application_pages import SCOPES, ApplicationPages
from gateway.signin.applications import NoPersonApplications, PersonApplications
from gateway.signin.attempts import attempt_of, explain
from gateway.signin.browser import safe_path
from gateway.signin.changes import after_bad_form, after_refusal, with_typed
from gateway.signin.cookies import DeviceCookie, FormToken
from gateway.signin.forms import read_form
from gateway.signin.messages import N_, Message
from gateway.signin.pages import Pages, with_return
from gateway.signin.sessions import Sessions
from gateway.signin.steps import KeptPasswords, SignInStep, Steps
from gateway.store import AuditLog

ACCOUNT: Final = "/account"
CHANGE: Final = "/account/password"
APPS: Final = "/apps"
SIGNED_OUT: Final = "/signed-out"
_PROBLEMS: Final = {message.name.lower(): message for message in (Message.STALE, Message.NO_COOKIE)}
_LAST_BUILT_IN = 999
"""Relative identifiers up to here are Windows' own (MS-DTYP section 2.4.2.4), as of Domain Users."""


class AccountPages:
    """origin: the relay's public `https://host[:port]`. applications: none, unless given."""

    def __init__(
        self,
        pages: Pages,
        sessions: Sessions,
        authenticator: Authenticator,
        audit: AuditLog,
        form_token: FormToken,
        device: DeviceCookie,
        steps: Steps,
        of_applications: ApplicationPages,
        *,
        origin: str,
        applications: PersonApplications | None = None,
    ) -> None:
        self._of_applications, self._applications = of_applications, applications or NoPersonApplications()
        self._pages, self._sessions, self._authenticator, self._audit = pages, sessions, authenticator, audit
        self._form_token, self._device, self._steps, self._origin = form_token, device, steps, origin
        self.pages: Mapping[str, Handler] = {
            ACCOUNT: self.show,
            CHANGE: self.show_change,
            APPS: self.show_apps,
            SIGNED_OUT: self.show_signed_out,
        }
        self.forms: Mapping[str, Handler] = {
            CHANGE: self.change,
            "/account/sign-out-others": self.sign_out_others,
            "/account/end-session": self.end_session,
            "/account/shut-out": self.shut_out,
            "/account/end-access": self.end_access,
            "/signout": self.sign_out,
        }

    async def show(self, request: web.Request) -> web.Response:
        """Who I am here, and what happened in my name."""
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(ACCOUNT)
        notice = self._steps.notice(request, ACCOUNT)
        entries = await self._audit.last_signins(session.record.account)
        groups = session.identity.groups
        response = self._pages.render(
            request,
            "account.html",
            title=N_("My account"),
            wide=True,
            person=session.identity,
            groups=[group for group in groups if not is_built_in(group)],
            built_in_groups=[group for group in groups if is_built_in(group)],
            signins=[entry.event for entry in entries],
            sessions=[(held, await self._sessions.applications(held)) for held in await self._sessions.others(session)],
            mine=session.name,
            apps=bool(self._applications.startable(session.identity, request[CLIENT_ADDRESS])),
            let_in=await self._applications.let_in(session.record.account),
            scope_texts=SCOPES,
            notice=notice,
            changed=notice is Message.CHANGED,
            error=_PROBLEMS.get(request.query.get("problem", "")),
        )
        if notice is not None:  # told once: whoever comes back later has done nothing new
            self._steps.drop(response)
        return response

    async def show_change(self, request: web.Request) -> web.Response:
        """The form for a new password."""
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(CHANGE)
        user_name = session.identity.user_name
        step = self._steps.of(request)
        if step is None or step.page != CHANGE or step.kept.user_name != user_name:
            step = SignInStep(page=CHANGE, kept=KeptPasswords(user_name=user_name))
        values = self._steps.values(request, step) | {"rules": session.rules}
        wait = self._sessions.wait_for_change(session)
        if wait and not step.message:
            # The form stays: what was known at the sign-in may no longer hold
            values |= {"info": Message.TOO_RECENT, "value": wait}
        return self._pages.render(request, "change.html", title=N_("Change password"), action=CHANGE, **values)

    async def change(self, request: web.Request) -> web.Response:
        """Change the password of whoever is signed in; every other session of theirs ends."""
        fields = await read_form(request, self._form_token, self._origin)
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(CHANGE)
        person = session.identity
        if fields.get("user_name") != person.user_name:  # of a page from before somebody else signed in here
            whose = KeptPasswords(user_name=person.user_name)
            return self._again(request, SignInStep(page=CHANGE, kept=whose, message=Message.STALE.name))
        kept = self._steps.kept(request, fields.get("kept", ""), person.user_name)
        kept, bad = with_typed(kept or KeptPasswords(user_name=person.user_name), fields)
        if bad is not None:
            return self._again(request, after_bad_form(CHANGE, kept, bad))
        attempt = attempt_of(request, self._device, person.user_name, kept.old)
        attempt = replace(attempt, user_name=person.qualified_name, signed_in_as=person.user_name, account=person.account)
        verdict = await self._authenticator.change_password(attempt, kept.new)
        if not verdict.succeeded:
            told = explain(request, verdict)
            if told.message is Message.WRONG:
                told = told._replace(message=Message.WRONG_CURRENT)
            return self._again(request, after_refusal(CHANGE, kept, told))
        await self._sessions.after_change(session)
        await self._sessions.end_others(session)
        return self._done(request, Message.CHANGED)

    async def sign_out_others(self, request: web.Request) -> web.Response:
        """End every other session of this person."""
        await read_form(request, self._form_token, self._origin)
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(ACCOUNT)
        await self._sessions.end_others(session)
        return self._done(request, Message.OTHERS_SIGNED_OUT)

    async def end_session(self, request: web.Request) -> web.Response:
        """End one other session of this person."""
        fields = await read_form(request, self._form_token, self._origin)
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(ACCOUNT)
        named = [held for held in await self._sessions.others(session) if held.name == fields.get("session", "")]
        await self._sessions.end_these(named)
        return self._done(request, Message.SESSION_ENDED)

    async def show_apps(self, request: web.Request) -> web.Response:
        """Applications that the person may start from here."""
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(APPS)
        links = self._applications.startable(session.identity, request[CLIENT_ADDRESS])
        return self._of_applications.show_chooser(request, links)

    async def shut_out(self, request: web.Request) -> web.Response:
        """Take back what an application was allowed."""
        fields = await read_form(request, self._form_token, self._origin)
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(ACCOUNT)
        await self._applications.shut_out(session, fields.get("trust", ""), request[CLIENT_ADDRESS])
        return self._done(request, Message.ACCESS_REMOVED)

    async def end_access(self, request: web.Request) -> web.Response:
        """Sign one device out of an application, or end what came of one sign-in to it."""
        fields = await read_form(request, self._form_token, self._origin)
        session = await self._sessions.find(request)
        if session is None:
            return self._sign_in_first(ACCOUNT)
        await self._applications.end_access(session, fields.get("access", ""), request[CLIENT_ADDRESS])
        return self._done(request, Message.SESSION_ENDED)

    async def sign_out(self, request: web.Request) -> web.Response:
        """End this session."""
        await read_form(request, self._form_token, self._origin)
        response = self._pages.redirect(SIGNED_OUT)
        farewell = await self._sessions.end(request, response)
        if farewell.further:
            response.headers["Location"] = farewell.further
        self._steps.put_notice(request, response, SIGNED_OUT, Message.SIGNED_OUT, departures=farewell.departures)
        return response

    async def show_signed_out(self, request: web.Request) -> web.Response:
        """What signing out came to; for whoever is signed in, or did not sign out here, there is nothing to say."""
        if await self._sessions.find(request) is not None:
            return self._pages.redirect(ACCOUNT)
        step = self._steps.of(request)
        if step is None or step.page != SIGNED_OUT:
            return self._sign_in_first(ACCOUNT)
        return self._pages.render(
            request, "signed_out.html", title=Message.SIGNED_OUT, departures=step.departures, further="", further_name=""
        )

    def _done(self, request: web.Request, message: Message) -> web.Response:
        response = self._pages.redirect(ACCOUNT)
        self._steps.put_notice(request, response, ACCOUNT, message)
        return response

    def _again(self, request: web.Request, step: SignInStep) -> web.Response:
        response = self._pages.redirect(CHANGE)
        self._steps.put(request, response, step)
        return response

    def _sign_in_first(self, path: str) -> web.Response:
        return self._pages.redirect(with_return("/signin", safe_path(path)))


def is_built_in(group: Group) -> bool:
    """Whether Windows brings it: of the domain BUILTIN (S-1-5-32), or with a relative identifier below 1000."""
    if group.sid.startswith("S-1-5-32-"):
        return True
    relative = group.sid.rpartition("-")[2]
    return group.sid.startswith("S-1-5-21-") and relative.isdecimal() and int(relative) <= _LAST_BUILT_IN
