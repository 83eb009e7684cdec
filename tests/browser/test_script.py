"""What the pages' own script adds, in Chromium; without it everything else of these pages works (test_flows.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.visits import PAGES
from tests.support.browser import RIGHT, Look, Site, Window, window

_LOCAL = """iso => new Intl.DateTimeFormat(
    "en-AU", {dateStyle: "medium", timeStyle: "short", timeZone: "Australia/Sydney"}
).format(new Date(iso))"""

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


@pytest_asyncio.fixture(loop_scope="package")
async def opened(chromium: Browser, plain: Site) -> AsyncIterator[Window]:
    """A window somewhere else than the server's clock."""
    async with window(chromium, plain, Look("Sydney", locale="en-AU", timezone="Australia/Sydney")) as made:
        yield made


async def test_the_password_is_shown_and_sent_as_one(opened: Window) -> None:
    """A button that says whether it is pressed; what is sent is a password again, or browsers would keep it."""
    await opened.open("/signin")
    await opened.enter(opened.site.person())
    field, button = opened.page.locator("#password"), opened.page.get_by_role("button", name="Show password")
    await opened.page.keyboard.insert_text(RIGHT)
    for pressed, kind in (("true", "text"), ("false", "password"), ("true", "text")):
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", pressed)
        await expect(field).to_have_attribute("type", kind)
    kinds = await opened.page.evaluate_handle("[]")
    await opened.page.evaluate(
        "kinds => document.forms[0].addEventListener('submit', event => {"
        " document.title = document.getElementById('password').type; event.preventDefault(); })",
        kinds,
    )
    await field.press("Enter")
    assert await opened.page.title() == "password"


async def test_caps_lock_is_said(opened: Window) -> None:
    """As long as it is on."""
    await opened.open("/signin")
    await opened.enter(opened.site.person())
    note = opened.page.get_by_role("status")
    await expect(note).to_have_text("")
    for on in ("true", "false"):
        await opened.page.evaluate(
            f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{bubbles: true, modifierCapsLock: {on}}}))"
        )
        await expect(note).to_have_text("Caps Lock is on." if on == "true" else "")


async def test_a_form_is_sent_once(opened: Window) -> None:
    """However often somebody presses the button; after Back it can be sent again."""
    await opened.open("/signin")
    await opened.enter(opened.site.person())
    await opened.page.keyboard.insert_text(RIGHT)
    sent: list[str] = []
    opened.page.on("request", lambda request: sent.append(request.method))
    await opened.go(
        lambda: opened.page.evaluate(
            "for (let n = 0; n < 3; n++) document.querySelector('form button:not(.reveal)').click()"
        )
    )
    assert sent.count("POST") == 1
    assert len([name for name in opened.site.people.binds if name == opened.site.people.binds[-1]]) == 1


async def test_times_are_those_of_the_clock_on_the_wall(opened: Window) -> None:
    """In the page's language; the time as the relay has it stays at hand."""
    visit, _ = PAGES["account"]
    await visit(opened)
    times = opened.page.locator("time")
    assert await times.count() >= 2
    for shown, exact, iso in await times.evaluate_all(
        "all => all.map(time => [time.textContent, time.title, time.dateTime])"
    ):
        assert exact.endswith("UTC")
        expected = await opened.page.evaluate(_LOCAL, iso)
        assert shown == expected
