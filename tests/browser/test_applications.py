"""A sign-in for an application on another origin, in Chromium: it sends people on to a third one, as many do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from gateway.signin import SignInPages
from tests.gateway.federation.applications import Wiki
from tests.gateway.signin.site import ANNA, RIGHT, Site, serve

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


class Stand(NamedTuple):
    """The relay, its application, and where that sends people in the end."""

    site: Site
    wiki: Wiki
    home: str

    @property
    def url(self) -> str:
        """Of the relay."""
        return str(self.site.client.make_url("")).rstrip("/")


@pytest_asyncio.fixture(loop_scope="package")
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Three origins: loopback is a secure context without TLS."""
    wiki = Wiki()

    async def show(request: web.Request) -> web.Response:
        text = str((await request.post()).get("RelayState", request.query_string)) if request.method == "POST" else "home"
        return web.Response(text=f"<title>Wiki</title><p>{text}</p>", content_type="text/html")

    async def move(request: web.Request) -> web.Response:
        # 307 takes the form along, as no application of sense does: whatever follows a form is held against `form-action`
        return web.Response(status=307 if request.method == "POST" else 302, headers={"Location": f"{home}/home"})

    async with (
        serve(tmp_path, wiki) as site,
        server({"/home": show}) as home,
        server({"/callback": move, "/acs": move}) as url,
    ):
        wiki.url = url
        yield Stand(site, wiki, home)


@asynccontextmanager
async def server(handlers: dict[str, object]) -> AsyncIterator[str]:
    app = web.Application()
    for path, handler in handlers.items():
        app.router.add_route("*", path, handler)  # type: ignore[arg-type] # handlers of one kind
    made = TestServer(app)
    await made.start_server()
    yield str(made.make_url("")).rstrip("/")
    await made.close()


async def sign_in(page: Page) -> None:
    for text in (ANNA, RIGHT):
        await expect(page.locator("input[autofocus]")).to_be_focused()  # a moment after the page
        await page.keyboard.insert_text(text)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_person_comes_to_wherever_the_application_sends_them(chromium: Browser, stand: Stand, script: bool) -> None:
    """Over two other origins after the form, although the policy of the page lets forms go nowhere else."""
    context = await chromium.new_context(java_script_enabled=script)
    page = await context.new_page()
    await page.goto(f"{stand.url}/wiki?page=1")
    await expect(page.get_by_role("heading")).to_have_text("Sign in to Wiki & {more}")
    await sign_in(page)
    await page.wait_for_url(f"{stand.home}/home")
    assert stand.wiki.answers == [f"{ANNA} page=1"]
    await context.close()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_form_reaches_the_application(chromium: Browser, stand: Stand, script: bool) -> None:
    """By itself, or by its button; and the origin after that one, too."""
    stand.wiki.post = True
    context = await chromium.new_context(java_script_enabled=script)
    page = await context.new_page()
    await page.goto(f"{stand.url}/wiki?page=1")
    await sign_in(page)
    if not script:
        await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(f"{stand.home}/home")
    await expect(page.locator("p")).to_have_text(f"{ANNA} page=1")
    await context.close()


async def test_two_tabs_sign_in_each_for_its_own_page(chromium: Browser, stand: Stand) -> None:
    """The second began before the first had ended; Back and a reload of the first end well."""
    stand.wiki.url = ""
    context = await chromium.new_context()
    first, second = await context.new_page(), await context.new_page()
    await first.goto(f"{stand.url}/wiki?page=1")
    await second.goto(f"{stand.url}/wiki?page=2")
    for page, number in ((first, 1), (second, 2)):
        await page.bring_to_front()
        await sign_in(page)
        await expect(page.locator("body")).to_have_text(f"{ANNA} page={number}")
    await first.reload()
    await expect(first.locator("body")).to_have_text(f"{ANNA} page=1")
    await first.go_back()
    await expect(first.locator("body")).to_have_text(f"{ANNA} page=1")
    await context.close()


@pytest_asyncio.fixture(loop_scope="package")
async def leaving(tmp_path: Path) -> AsyncIterator[str]:
    """Where a page of the relay sends people to a party, by the query: which one, and how."""
    asked: set[str] = set()
    wiki = Wiki()

    async def hang(_request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response(text="late")

    async def fail(_request: web.Request) -> web.Response:
        return web.Response(status=500, text="it failed")

    async def show(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>Goodbye from the party</h1>", content_type="text/html")

    async def leave(request: web.Request) -> web.Response:
        party, form = request.query["party"], "form" in request.query
        first = request.query_string not in asked
        asked.add(request.query_string)
        return wiki.pages.of_applications.show_leaving(
            request,
            [],
            [party],
            url=f"{url}/{party}",
            fields={"SAMLRequest": "x"} if form else {},
            skip="/without",
            wait=1 if first else 0,
        )

    async def without(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>went on</h1>", content_type="text/html")

    def add_routes(app: web.Application, pages: SignInPages) -> None:
        Wiki.add_routes(wiki, app, pages)
        app.router.add_get("/leave", leave)
        app.router.add_get("/without", without)

    wiki.add_routes = add_routes  # type: ignore[method-assign]
    async with server({"/hangs": hang, "/error": fail, "/page": show}) as url, serve(tmp_path, wiki) as site:
        yield str(site.client.make_url("/leave"))


@pytest.mark.parametrize("form", ["", "&form="], ids=["redirect", "post"])
async def test_a_party_that_hangs_is_left_behind(chromium: Browser, leaving: str, form: str) -> None:
    """The page goes on while the browser still waits for the party's first byte."""
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{leaving}?party=hangs{form}", wait_until="commit")
    await expect(page.get_by_role("heading")).to_have_text("went on")
    await context.close()


@pytest.mark.parametrize(("party", "shown"), [("error", "it failed"), ("page", "Goodbye from the party")])
async def test_back_from_a_partys_own_page_shows_ours(chromium: Browser, leaving: str, party: str, shown: str) -> None:
    """Where it was left by the button: browsers skip a page that left by itself. It waits for the person then."""
    context = await chromium.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{leaving}?party={party}&form=")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("body")).to_contain_text(shown)
    await page.go_back()
    await page.get_by_role("link", name=f"Continue without {party}").click()
    await expect(page.get_by_role("heading")).to_have_text("went on")
    await context.close()


async def test_an_application_that_opened_a_window_finds_it_again(chromium: Browser, stand: Stand) -> None:
    """It is told there who signed in: no page on the way may cut the two apart."""
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{stand.home}/home")
    async with context.expect_page() as opened:
        await page.evaluate("address => { window.child = window.open(address); }", f"{stand.url}/wiki?page=1")
    child = await opened.value
    await sign_in(child)
    await child.wait_for_url(f"{stand.home}/home")
    assert await child.evaluate("window.opener !== null")
    assert await page.evaluate("window.child.closed === false")
    await context.close()
