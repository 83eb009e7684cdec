"""Apache's applications in Chromium, which keeps no cookies of third parties: relay and applications are different sites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright, expect

from tests.interop.apache import Apache
from tests.interop.site import ANNA, PASSWORD, FederatedSite, federated
from tests.interop.test_apache import application, mellon, oidc_application, saml_application

pytestmark = [pytest.mark.interop, pytest.mark.browser]

APPLICATIONS = ("oidc", "saml")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[FederatedSite]:
    async with federated(tmp_path) as made:
        yield made


@pytest.fixture
async def apache(site: FederatedSite) -> AsyncIterator[Apache]:
    """Both applications; the answers of OpenID Connect come by form, as SAML's do."""
    async with Apache(site.ca_file) as made:
        await site.trust(application(made, pkce="S256"))
        await site.trust(saml_application(made))
        directives = ("OIDCResponseMode form_post", "OIDCCookieSameSite Off")
        await made.start(oidc_application(site, *directives, pkce="S256"), await mellon(site, made))
        yield made


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        flags = ["--test-third-party-cookie-phaseout"]
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        await browser.close()


@pytest.fixture(params=[True, False], ids=["script", "no script"])
async def person(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(ignore_https_errors=True, java_script_enabled=request.param)
    context.set_default_timeout(15_000)
    yield context
    await context.close()


async def sign_in(page: Page) -> None:
    """Both steps of the relay's page, with the keyboard; where there is no script, the button of the form that follows."""
    for name, text in (("user_name", ANNA), ("password", PASSWORD)):
        await page.locator(f"input[name={name}]").fill(text)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")


async def arrive(page: Page, url: str) -> None:
    """At the application at last: by itself, or by the button of a form for who has no script."""
    button = page.get_by_role("button", name="Continue")
    arrived = page.locator("h1", has_text=url.rstrip("/").rpartition("/")[2])
    await expect(button.or_(arrived).first).to_be_visible()
    if not await arrived.is_visible() and await button.is_visible():
        await button.click()
    await expect(arrived).to_be_visible()
    assert page.url == url


async def enter(page: Page, url: str) -> None:
    """Type an address. A page that leaves by itself may do so in the same moment: then the person types it again."""
    for _ in range(5):
        try:
            await page.goto(url)
        except Error as error:
            if "interrupted by another navigation" not in str(error):
                raise
        else:
            return
    raise AssertionError(f"{page.url} goes on and on")


@pytest.mark.parametrize("name", APPLICATIONS)
async def test_a_person_signs_in_and_goes_back(apache: Apache, person: BrowserContext, name: str) -> None:
    """The answer comes by a form; the cookies of both sites are there after it; Back and a reload end at the application."""
    url, page = f"{apache.url}/{name}/", await person.new_page()
    await page.goto(f"{apache.url}/")
    await page.goto(url)
    await sign_in(page)
    await arrive(page, url)
    await page.reload()
    await arrive(page, url)
    await page.go_back()
    await enter(page, url)
    await arrive(page, url)


async def test_two_tabs_sign_in_to_two_applications(apache: Apache, person: BrowserContext) -> None:
    """Both pages are open before somebody types: each tab ends where it began."""
    pages = [(await person.new_page(), f"{apache.url}/{name}/") for name in APPLICATIONS]
    for page, url in pages:
        await page.goto(url)
    for page, url in pages:
        await page.bring_to_front()
        await sign_in(page)
        await arrive(page, url)


async def test_one_sign_in_serves_both_applications(apache: Apache, person: BrowserContext) -> None:
    """The second one asks for nothing."""
    page = await person.new_page()
    for number, name in enumerate(APPLICATIONS):
        await page.goto(f"{apache.url}/{name}/")
        if number == 0:
            await sign_in(page)
        await arrive(page, f"{apache.url}/{name}/")


async def test_a_sign_in_that_is_over_is_not_done_again(site: FederatedSite, apache: Apache, person: BrowserContext) -> None:
    """A SAML request is answered once: whoever opens its page again is told to go to the application, which lets them in."""
    page, url = await person.new_page(), f"{apache.url}/saml/"
    await page.goto(url)
    shown = page.url
    assert shown.startswith(f"{site.url}/signin")
    await sign_in(page)
    await arrive(page, url)
    await page.goto(shown)
    await expect(page.get_by_role("alert")).to_contain_text("Go back to it and try again")
    await page.goto(url)
    await arrive(page, url)
