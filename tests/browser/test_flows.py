"""What people do on the pages, in Chromium: on a desktop, on a phone, enlarged, in the dark, without JavaScript."""

from __future__ import annotations

from collections.abc import AsyncIterator
from operator import attrgetter
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.browser import LOOKS, NEW, RIGHT, WRONG, Look, Site, Window, window

MOUSE_FINGER_NO_SCRIPT: Final = LOOKS[::2]

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


@pytest_asyncio.fixture(params=LOOKS, ids=attrgetter("name"), loop_scope="package")
async def opened(request: pytest.FixtureRequest, chromium: Browser, plain: Site) -> AsyncIterator[Window]:
    """A window of each look."""
    async with window(chromium, plain, request.param) as made:
        yield made


async def test_a_person_signs_in_and_out_with_the_keyboard_alone(opened: Window) -> None:
    """Name, Enter, password, Enter; then Tab to the button, Enter."""
    await opened.open("/signin")
    for field, keys in (("user_name", opened.site.person()), ("password", RIGHT)):
        assert await opened.focused() == field
        await opened.page.keyboard.type(keys)
        await opened.enter()
    assert await opened.title() == "My account"
    await opened.tab_to("Sign out")
    await opened.enter()
    await expect(opened.page.get_by_role("status")).to_have_text("You are signed out.")
    await opened.open("/account")
    assert await opened.title() == "Sign in"


async def test_a_wrong_password_is_said_and_typed_again_at_once(opened: Window) -> None:
    """The message is seen and read out, the focus waits in the field, the password is nowhere."""
    person = opened.site.person()
    await opened.sign_in(person, WRONG)
    alert = opened.page.get_by_role("alert")
    await expect(alert).to_be_in_viewport()
    await expect(alert).to_contain_text("Incorrect user name or password")
    assert (await opened.title()).startswith("Incorrect user name or password")
    password = opened.page.get_by_label("Password")
    await expect(password).to_be_focused()
    await expect(password).to_have_value("")
    await expect(password).to_have_accessible_description(await alert.inner_text())
    await expect(opened.page.get_by_text(person)).to_be_visible()
    assert WRONG not in await opened.page.content() + opened.page.url
    await opened.enter(RIGHT)
    assert await opened.title() == "My account"


async def test_an_expired_password_is_changed_right_there(opened: Window) -> None:
    """A slip, a password that the directory refuses, then a good one: the account page, and the new password holds."""
    person = opened.site.person()
    opened.site.people.expired.add(person)
    await opened.sign_in(person)
    alert = opened.page.get_by_role("alert")
    await expect(alert).to_contain_text("has expired")
    for new, again, words in ((NEW, WRONG, "don't match"), ("short", "short", "isn't allowed")):
        assert await opened.focused() == "password"
        await opened.enter(RIGHT, new, again)
        await expect(alert).to_contain_text(words)
    await opened.page.get_by_label("Current password").fill(RIGHT)
    await opened.page.get_by_label("New password", exact=True).fill(NEW)
    await opened.page.get_by_label("New password again").fill(NEW)
    await opened.press("button", "Change password")
    assert await opened.title() == "My account"
    await opened.press("button", "Sign out")
    await opened.press("link", "Sign in")
    await opened.enter(person)
    await opened.enter(NEW)
    assert await opened.title() == "My account"


@pytest.mark.parametrize("opened", MOUSE_FINGER_NO_SCRIPT, ids=attrgetter("name"), indirect=True)
async def test_the_account_page_changes_the_password_and_signs_out_elsewhere(
    opened: Window, chromium: Browser, plain: Site
) -> None:
    """By mouse or finger; the other browser is out."""
    person = plain.person()
    await opened.sign_in(person)
    async with window(chromium, plain) as other:
        await other.sign_in(person)
        await opened.open("/account")
        await opened.press("button", "Sign out everywhere else")
        await expect(opened.page.get_by_role("status")).to_have_text("You are signed out everywhere else.")
        await other.open("/account")
        assert await other.title() == "Sign in"
    await opened.press("link", "Change password")
    await opened.enter(RIGHT, NEW, NEW)
    await expect(opened.page.get_by_role("status")).to_have_text("Your password was changed.")
    assert plain.people.people[person] == NEW


@pytest.mark.parametrize("opened", MOUSE_FINGER_NO_SCRIPT, ids=attrgetter("name"), indirect=True)
async def test_a_person_changes_the_name_that_they_typed(opened: Window) -> None:
    """The first step comes again."""
    await opened.open("/signin")
    await opened.enter("aana@corp.example.com")
    await opened.press("link", "Use another account")
    await opened.enter(opened.site.person())
    await opened.enter(RIGHT)
    assert await opened.title() == "My account"


async def test_the_second_language_goes_all_the_way(chromium: Browser, plain: Site) -> None:
    """Chosen on the page, it stays, also for a browser that asked for English."""
    async with window(chromium, plain) as opened:
        await opened.open("/signin")
        await opened.press("link", "Deutsch")
        await expect(opened.page.locator("html")).to_have_attribute("lang", "de")
        await opened.enter(plain.person())
        await opened.enter(WRONG)
        await expect(opened.page.get_by_role("alert")).to_contain_text("Benutzername oder Passwort ist falsch")
        await opened.enter(RIGHT)
        assert await opened.title() == "Mein Konto"
        await opened.press("link", "English")
        assert await opened.title() == "My account"


async def test_the_language_that_the_browser_asks_for(chromium: Browser, plain: Site) -> None:
    """Nothing need be chosen."""
    async with window(chromium, plain, Look("Austrian", locale="de-AT")) as opened:
        await opened.open("/signin")
        assert await opened.title() == "Anmelden"


async def test_the_browser_says_that_our_forms_are_ours(chromium: Browser, plain: Site) -> None:
    """Its `Origin` is all that is known of an older browser's form; other sites learn no address of ours."""
    async with window(chromium, plain) as opened:
        async with opened.page.expect_request(lambda request: request.method == "POST") as sent:
            await opened.open("/signin?return_to=/account")
            await opened.enter(opened.site.person())
        headers = await (await sent.value).all_headers()
    assert headers["origin"] == plain.url
