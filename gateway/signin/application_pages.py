"""Pages about applications, for the protocols to show: consent, device code, chooser, logout, no access.

They decide nothing: what is asked, and where the answer goes, is the protocol's. Forms come back with the browser's own
token (`read_form`); a yes counts only from such a form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.protocol import Identity
from gateway.relay import CORRELATION_ID
from gateway.signin.applications import Application, ApplicationLink
from gateway.signin.cookies import FormToken
from gateway.signin.departures import Departure
from gateway.signin.forms import read_form
from gateway.signin.messages import N_, Message
from gateway.signin.pages import Pages, post_elsewhere

SCOPES: Final = {
    "profile": N_("Your name and user name"),
    "email": N_("Your email address"),
    "phone": N_("Your phone number"),
    "address": N_("Your postal address"),
    "groups": N_("Your groups"),
    "offline_access": N_("Access while you aren't signed in"),
}
"""What each scope means to the person (OpenID Connect Core sections 5.4 and 11)."""


class ApplicationPages:
    """Renders them. origin: the relay's public `https://host[:port]`."""

    def __init__(self, pages: Pages, form_token: FormToken, origin: str) -> None:
        self._pages, self._form_token, self._origin = pages, form_token, origin

    async def read_form(self, request: web.Request) -> Mapping[str, str]:
        """What a form of these pages brought: `answer` is the button that was pressed. Raises BadForm."""
        return await read_form(request, self._form_token, self._origin)

    def show_consent(
        self,
        request: web.Request,
        application: Application,
        person: Identity,
        scopes: Sequence[str],
        *,
        action: str,
        fields: Mapping[str, str],
    ) -> web.Response:
        """May the application know this? action: a path of ours; fields: what the form brings along.

        `answer` is `allow` or `deny`. Scopes that have no words here are shown as they are.
        """
        wanted = [scope for scope in scopes if scope != "openid"]
        return self._show(
            request,
            "consent.html",
            application,
            title=N_("Allow access?"),
            person=person,
            known=[SCOPES[scope] for scope in wanted if scope in SCOPES],
            others=[scope for scope in wanted if scope not in SCOPES],
            action=action,
            fields=fields,
        )

    def show_device_entry(
        self, request: web.Request, *, action: str, user_code: str = "", error: Message | None = None
    ) -> web.Response:
        """Where somebody types the code that a device shows (RFC 8628 section 3.3)."""
        title = N_("Connect a device")
        return self._show(request, "device.html", None, title=title, action=action, user_code=user_code, error=error)

    def show_device_question(
        self,
        request: web.Request,
        application: Application,
        person: Identity,
        *,
        user_code: str,
        address: str,
        action: str,
        fields: Mapping[str, str],
    ) -> web.Response:
        """Is that your own device? address: where it asked from. `answer` is `allow` or `deny` (RFC 8628 section 5.4)."""
        return self._show(
            request,
            "device_question.html",
            application,
            title=N_("Connect this device?"),
            person=person,
            user_code=user_code,
            address=address,
            action=action,
            fields=fields,
        )

    def show_trial_question(
        self,
        request: web.Request,
        application: Application,
        person: Identity,
        *,
        key: str,
        minutes: int,
        action: str,
        fields: Mapping[str, str],
    ) -> web.Response:
        """May this browser be told of by another signing key, for a while? key: its id."""
        return self._show(
            request,
            "trial_question.html",
            application,
            title=N_("Try a signing key?"),
            person=person,
            key=key,
            minutes=minutes,
            action=action,
            fields=fields,
        )

    def show_trial(
        self,
        request: web.Request,
        application: Application,
        *,
        key: str,
        until: float,
        links: Sequence[ApplicationLink],
        action: str,
    ) -> web.Response:
        """A signing key is tried in this browser. until: Unix seconds; links: where a sign-in to the application starts."""
        return self._show(
            request,
            "trial.html",
            application,
            title=N_("You are trying a signing key"),
            key=key,
            until=until,
            links=links,
            action=action,
            fields={},
        )

    def show_result(self, request: web.Request, message: Message, *, status: int = 200) -> web.Response:
        """What a question came to; there is nothing to be done here any more."""
        return self._show(request, "result.html", None, title=message, status=status)

    def show_chooser(self, request: web.Request, applications: Sequence[ApplicationLink]) -> web.Response:
        """Applications that can be started from here."""
        return self._show(request, "apps.html", None, title=N_("Your applications"), links=applications)

    def show_no_access(self, request: web.Request, application: Application, ask: str = "") -> web.Response:
        """The person is known, and may not use it. ask: whom to ask for access, as the trust says.

        With the reference of this request: what was refused, and why, is for `isthmus relay explain`.
        """
        return self._show(
            request,
            "no_access.html",
            application,
            title=N_("You don't have access"),
            error=Message.NO_ACCESS,
            ask=ask,
            reference=request[CORRELATION_ID],
            status=403,
        )

    def show_logout_question(
        self, request: web.Request, application: Application | None, *, action: str, fields: Mapping[str, str]
    ) -> web.Response:
        """Where nobody proved that the person wants it (RP-Initiated Logout section 2). `answer` is `sign_out` or `stay`."""
        return self._show(
            request, "logout.html", application, title=N_("Do you want to sign out?"), action=action, fields=fields
        )

    def show_signed_out(
        self, request: web.Request, departures: Sequence[Departure], *, return_to: str = "", application: str = ""
    ) -> web.Response:
        """What became of each application. return_to: a checked address of the application that asked; empty: none."""
        return self._show(
            request,
            "signed_out.html",
            None,
            title=Message.SIGNED_OUT,
            departures=departures,
            further=return_to,
            further_name=application,
        )

    def show_way_back(self, request: web.Request, application: Application, url: str) -> web.Response:
        """Between a form and an application's own address, which was checked: a page that leaves by itself.

        See `SignInPages.show_done` for why.
        """
        return self._show(request, "done.html", application, title=N_("Continue"), return_to=url)

    def show_leaving(
        self,
        request: web.Request,
        departures: Sequence[Departure],
        ahead: Sequence[str],
        *,
        url: str,
        fields: Mapping[str, str],
        skip: str,
        wait: float,
    ) -> web.Response:
        """On the way from application to application, each of which is told that the person has signed out.

        departures: what came of those before; ahead: names of the others. url: where the first one is told, by a form if
        there are fields; skip: a path of ours that leaves it out. The page leaves by itself, and by the path if it is still
        there after `wait` seconds, which takes the script; 0: it stays until the person decides.
        """
        response = self._show(
            request,
            "leaving.html",
            None,
            title=Message.SIGNED_OUT,
            departures=departures,
            ahead=ahead,
            url=url,
            fields=fields,
            skip=skip,
            wait=wait,
        )
        return post_elsewhere(response)

    def _show(
        self, request: web.Request, template: str, application: Application | None, *, title: str, **values: Any
    ) -> web.Response:
        return self._pages.render(request, template, title=title, application=application, shared=True, **values)
