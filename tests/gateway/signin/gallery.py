"""The pages about applications, each at an address of its own, as no protocol would show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from foundation.listener import Handler
from gateway.protocol import Identity
from gateway.signin import (
    Application,
    ApplicationLink,
    ApplicationPages,
    Applications,
    Departure,
    Message,
    SignInPages,
)
from gateway.store import Store

HOSTILE: Final = 'Wiki & <b>"more"</b> {name}'
ANNA: Final = Identity(
    object_guid="g", user_name="anna@corp.example.com", domain="corp.example.com", display_name="Anna <Berg>"
)
LONG: Final = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
_SITE: Final = web.AppKey("site", SignInPages)
Show = Callable[[web.Request, ApplicationPages, Application], web.Response]

GALLERY: Final[Mapping[str, Show]] = {
    "consent": lambda request, pages, application: pages.show_consent(
        request,
        application,
        ANNA,
        ("openid", "profile", "email", "groups", "offline_access", "payroll:read"),
        action="/gallery/answer",
        fields={"state": HOSTILE},
    ),
    "consent-identity": lambda request, pages, application: pages.show_consent(
        request, application, ANNA, ("openid",), action="/gallery/answer", fields={}
    ),
    "device": lambda request, pages, _: pages.show_device_entry(request, action="/gallery/answer", user_code="WDJB-MJHT"),
    "device-unknown": lambda request, pages, _: pages.show_device_entry(
        request, action="/gallery/answer", user_code="WDJB-MJHX", error=Message.UNKNOWN_CODE
    ),
    "device-question": lambda request, pages, application: pages.show_device_question(
        request,
        application,
        ANNA,
        user_code="WDJB-MJHT",
        address="203.0.113.9",
        action="/gallery/answer",
        fields={"state": HOSTILE},
    ),
    "device-connected": lambda request, pages, _: pages.show_result(request, Message.DEVICE_CONNECTED),
    "trial-question": lambda request, pages, application: pages.show_trial_question(
        request,
        application,
        ANNA,
        key="3f9c" * 16,
        minutes=15,
        action="/gallery/answer",
        fields={"offer": "x" * 300, "session": HOSTILE},
    ),
    "trial": lambda request, pages, application: pages.show_trial(
        request,
        application,
        key="3f9c" * 16,
        until=1_800_000_000.0,
        links=[
            ApplicationLink(name=application.name, url="/saml/start/wiki", logo="/logos/d1"),
            ApplicationLink(name=LONG, url="https://x/"),
        ],
        action="/gallery/answer",
    ),
    "no-trial": lambda request, pages, _: pages.show_result(request, Message.NO_TRIAL),
    "apps": lambda request, pages, application: pages.show_chooser(
        request,
        [ApplicationLink(name=name, url="https://wiki.example.com/?a=1&b=2") for name in (application.name, "Shop", LONG)],
    ),
    "no-apps": lambda request, pages, _: pages.show_chooser(request, []),
    "no-access": lambda request, pages, application: pages.show_no_access(request, application, f"Ask {HOSTILE}"),
    "logout": lambda request, pages, application: pages.show_logout_question(
        request, application, action="/gallery/answer", fields={"state": HOSTILE}
    ),
    "logout-alone": lambda request, pages, _: pages.show_logout_question(request, None, action="/gallery/answer", fields={}),
    "signed-out": lambda request, pages, application: pages.show_signed_out(
        request,
        [
            Departure(application=application.name, outcome="told"),
            Departure(application="Shop", outcome="failed"),
            Departure(application=LONG, outcome="no way"),
        ],
        return_to="https://wiki.example.com/bye",
        application=application.name,
    ),
    "signed-out-everywhere": lambda request, pages, application: pages.show_signed_out(
        request, [Departure(application=application.name, outcome="told")]
    ),
    "stale": lambda request, _pages, _: request.app[_SITE].show_problem(request, Message.APPLICATION_STALE, status=400),
}


class Gallery:
    """Another package on the site; see `tests.gateway.signin.site.Guest`. name: the application's."""

    def __init__(self, name: str = "Wiki") -> None:
        self.application = Application(name=name)
        self.answers: list[Mapping[str, str]] = []

    def applications(self, store: Store, clock: Callable[[], float]) -> Applications:
        return self

    def waiting(self, return_to: str) -> Application | None:
        return self.application if return_to == "/gallery/app" else None

    def add_routes(self, app: web.Application, pages: SignInPages) -> None:
        app[_SITE] = pages
        for name, show in GALLERY.items():
            app.router.add_get(f"/gallery/{name}", self._shown(show, pages.of_applications))

        async def answer(request: web.Request) -> web.StreamResponse:
            self.answers.append(await pages.of_applications.read_form(request))
            return web.Response(text="<title>thanks</title>", content_type="text/html")

        async def logo(_request: web.Request) -> web.Response:
            return web.Response(text="<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/svg+xml")

        app.router.add_post("/gallery/answer", pages.guarded(answer))
        app.router.add_get("/logos/d1", logo)

    def _shown(self, show: Show, pages: ApplicationPages) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            return show(request, pages, self.application)

        return handler
