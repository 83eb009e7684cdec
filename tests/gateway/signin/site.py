"""A browser without JavaScript and the site that it looks at, in front of a fake authenticator."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from gateway.relay.request import CLIENT_ADDRESS, CORRELATION_ID, STARTED
from gateway.signin import (
    Applications,
    CookieSigner,
    DeviceCookie,
    FormToken,
    Pages,
    PersonApplications,
    Seal,
    SessionDependents,
    Sessions,
    SignInPages,
    SignInSettings,
    Steps,
)
from gateway.store import Store, open_store
from tests.support.fakes import FakeAuthenticator

ANNA, RIGHT, NEW = "anna@corp.example.com", "Sommer-2026!", "Herbst-2026!"
ORIGIN = "https://signin.example.com"
SESSION, FORM, STEP = "__Host-isthmus", "__Host-isthmus-form", "__Host-isthmus-step"


class Shown(NamedTuple):
    """What the browser shows at last. page: the text as it is read, entities replaced."""

    path: str
    page: str
    status: int
    headers: Any

    def field(self, name: str) -> str:
        """The value of a field; empty where there is none."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page)
        return found[1] if found else ""

    def asks_for(self) -> list[str]:
        """The passwords that have to be typed."""
        return re.findall(r'<input id="(\w+)" name="\w+" type="password"', self.page)

    @property
    def error(self) -> str:
        """What it says went wrong."""
        return self._note("bad")

    @property
    def info(self) -> str:
        """What it asks for, where nothing went wrong."""
        return self._note("info")

    @property
    def title(self) -> str:
        """Of the window."""
        found = re.search(r"<title>(.*?)</title>", self.page, re.DOTALL)
        assert found is not None
        return found[1]

    def _note(self, kind: str) -> str:
        found = re.search(rf'class="note {kind}"[^>]*>(.*?)</(?:div|p)>', self.page, re.DOTALL)
        return re.sub(r"<[^>]+>", " ", found[1]).strip() if found else ""


class Site:
    """Cookies are kept by hand: the test server has no TLS."""

    def __init__(self, client: TestClient[Any, Any], authenticator: FakeAuthenticator, store: Store) -> None:
        self.client, self.authenticator, self.store = client, authenticator, store
        self.cookies: dict[str, str] = {}
        self.headers: dict[str, str] = {"Sec-Fetch-Site": "same-origin"}
        self.now = 1_800_000_000.0
        self.seen = Shown("", "", 0, {})

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, str, Any]:
        """One request, as it is."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**self.headers, "Cookie": cookie, **options.pop("headers", {})}
        address = URL(path, encoded=True)  # as a browser sends it
        response = await self.client.request(method, address, headers=headers, allow_redirects=False, **options)
        for name, morsel in response.cookies.items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
                assert len(name) + len(morsel.value) < 4096
                assert morsel["secure"]
                assert morsel["httponly"]
                assert morsel["samesite"] == "Lax"
                assert morsel["path"] == "/"
                assert not morsel["domain"]
        return response.status, await response.text(), response.headers

    async def get(self, path: str, **options: Any) -> tuple[int, str, Any]:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **fields: str) -> tuple[int, str, Any]:
        """A form, with a token of this browser's; the answer itself."""
        if "csrf" not in fields:
            fields["csrf"] = token_in((await self.get("/signin?language=en&return_to=/"))[1])
        return await self.request("POST", path, data=fields)

    async def open(self, path: str) -> Shown:
        """Go to an address, and wherever it leads to."""
        status, page, headers = await self.get(path)
        while further := headers.get("Location") or refresh_of(page):
            path = further
            status, page, headers = await self.get(path)
        self.seen = Shown(path, unescape(page), status, headers)
        return self.seen

    async def submit(self, path: str, **fields: str) -> Shown:
        """A form; it is answered with a redirect, so that reload sends nothing again."""
        status, _, headers = await self.post(path, **fields)
        assert status == 303
        return await self.open(headers["Location"])

    async def sign_in(self, password: str = RIGHT, user_name: str = ANNA, **fields: str) -> Shown:
        """Both steps in one."""
        return await self.submit("/signin", step="password", user_name=user_name, password=password, **fields)

    async def choose(self, shown: Shown, **fields: str) -> Shown:
        """Fill in the form for a new password that is shown."""
        path = "/account/password" if shown.path.startswith("/account") else "/signin"
        return_to = shown.field("return_to")
        return await self.submit(
            path, step="change", user_name=ANNA, kept=shown.field("kept"), return_to=return_to, **fields
        )


class ScreenReader(HTMLParser):
    """What a screen reader needs."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.inputs: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.described: list[str] = []
        self.scripts: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "label":
            self.labels.add(str(values["for"]))
        if tag == "input" and values.get("type") != "hidden" and values.get("aria-hidden") != "true":
            self.inputs.append(values)
        if tag == "script":
            self.scripts.append(values.get("src"))
        for name in ("aria-describedby", "aria-labelledby", "aria-controls"):
            self.described += str(values.get(name) or "").split()


def refresh_of(page: str) -> str:
    """Where a page leads by itself; empty where it stays."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page)
    return unescape(found[1]) if found is not None else ""


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


class Guest(Protocol):
    """Another package on the same site."""

    def applications(self, store: Store, clock: Callable[[], float]) -> Applications: ...

    def add_routes(self, app: web.Application, pages: SignInPages) -> None: ...


@runtime_checkable
class GuestOnSessions(Guest, Protocol):
    """One that has something that hangs on sessions."""

    def dependents(self, store: Store, clock: Callable[[], float]) -> SessionDependents: ...


@runtime_checkable
class GuestOfPeople(Guest, Protocol):
    """One that people start from here, and let in."""

    def of_person(self, store: Store, clock: Callable[[], float]) -> PersonApplications: ...


@asynccontextmanager
async def serve(home: Path, guest: Guest | None = None, **settings: Any) -> AsyncIterator[Site]:
    """The pages with these settings."""
    chosen = SignInSettings(**settings)
    store = open_store(f"sqlite:///{home}/signin.db", secret=b"k" * 32, node="relay1")
    authenticator = FakeAuthenticator()
    keyring = store.keyring
    made: list[Site] = []

    def clock() -> float:
        return made[0].now

    form_token = FormToken(CookieSigner(keyring, "forms"))
    pages = SignInPages(
        chosen,
        Pages(chosen, form_token),
        Sessions(
            chosen, store.sessions, clock, guest.dependents(store, clock) if isinstance(guest, GuestOnSessions) else None
        ),
        authenticator,
        store.audit,
        form_token,
        DeviceCookie(CookieSigner(keyring, "devices"), chosen.device_lifetime, clock),
        Steps(Seal(keyring, "steps", clock), Seal(keyring, "typed", clock)),
        origin=ORIGIN,
        applications=guest.applications(store, clock) if guest is not None else None,
        of_person=guest.of_person(store, clock) if isinstance(guest, GuestOfPeople) else None,
    )

    @web.middleware
    async def identify(request: web.Request, handler: Any) -> web.StreamResponse:
        request[CLIENT_ADDRESS], request[CORRELATION_ID] = "192.0.2.7", "c0ffee"
        request[STARTED] = time.perf_counter()
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application(middlewares=[identify])
    pages.add_routes(app)
    if guest is not None:
        guest.add_routes(app, pages)
    client = TestClient(TestServer(app))
    await client.start_server()
    made.append(Site(client, authenticator, store))
    try:
        yield made[0]
    finally:
        await client.close()
        await store.close()
