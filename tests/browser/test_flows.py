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
WITH_AND_WITHOUT_SCRIPT: Final = LOOKS[::5]

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
    assert await opened.title() == "You are signed out."
    await opened.open("/account")
    assert await opened.title() == "Sign in"


async def test_a_wrong_password_is_said_and_typed_again_at_once(opened: Window) -> None:
    """The message is seen and read out, the focus waits in the field, the password is nowhere."""
    person = opened.site.person()
    await opened.sign_in(person, WRONG)
    alert = opened.page.get_by_role("alert")
    await expect(alert).to_be_in_viewport()
    await expect(alert).to_contain_text("Incorrect user name or password")
    assert await opened.title() == "Error: Sign in"
    password = opened.page.get_by_label("Password", exact=True)
    await expect(password).to_be_focused()
    await expect(password).to_have_value("")
    await expect(password).to_have_accessible_description(await alert.inner_text())
    await expect(opened.page.get_by_text(person)).to_be_visible()
    assert WRONG not in await opened.page.content() + opened.page.url
    await opened.enter(RIGHT)
    assert await opened.title() == "My account"


async def test_an_expired_password_is_changed_right_there(opened: Window) -> None:
    """By keyboard alone: a slip, a password that the directory refuses, then a good one. The old one is not typed again."""
    person = opened.site.person()
    opened.site.people.expired.add(person)
    await opened.sign_in(person)
    page, alert = opened.page, opened.page.locator("#error, #differ:not(:empty)")
    await expect(page.locator(".info")).to_contain_text("Your password has expired")
    await expect(alert).to_have_count(0)
    await expect(page.get_by_text(person)).to_be_visible()
    await expect(page.get_by_text("At least 8 characters")).to_be_visible()
    assert await opened.focused() == "new_password"
    await page.keyboard.insert_text(NEW)
    await opened.tab_into("again")
    await page.keyboard.insert_text(WRONG)
    await page.keyboard.press("Enter")
    await expect(alert).to_contain_text("The new passwords don't match.")
    slip = page.get_by_label("New password again" if opened.look.script else "New password", exact=True)
    await expect(slip).to_be_focused()
    await expect(slip).to_have_value("")
    await expect(slip).to_have_attribute("aria-invalid", "true")
    for field in ("new_password", "again"):
        await page.locator(f"#{field}").fill("short")
    await opened.go(lambda: page.keyboard.press("Enter"))
    await expect(alert).to_contain_text("isn't allowed")
    await opened.choose(NEW, NEW)
    assert await opened.title() == "Your password was changed."
    await opened.press("link", "Continue")
    assert await opened.title() == "My account"
    assert opened.site.people.people[person] == NEW


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
    await opened.choose(RIGHT, NEW, NEW)
    await expect(opened.page.get_by_role("status")).to_have_text("Your password was changed.")
    assert plain.people.people[person] == NEW


@pytest.mark.parametrize("opened", WITH_AND_WITHOUT_SCRIPT, ids=attrgetter("name"), indirect=True)
async def test_one_other_browser_is_signed_out(opened: Window, chromium: Browser, plain: Site) -> None:
    """And this one stays."""
    person = plain.person()
    await opened.sign_in(person)
    async with window(chromium, plain) as other:
        await other.sign_in(person)
        await opened.open("/account")
        await opened.submit(".events button")
        await expect(opened.page.get_by_role("status")).to_have_text("That session was ended.")
        await expect(opened.page.locator(".events button")).to_have_count(0)
        await other.open("/account")
        assert await other.title() == "Sign in"


@pytest.mark.parametrize("opened", WITH_AND_WITHOUT_SCRIPT, ids=attrgetter("name"), indirect=True)
async def test_reload_and_back_send_nothing(opened: Window) -> None:
    """Neither asks whether to send the form again; what was said is still said."""
    person = opened.site.person()
    await opened.sign_in(person, WRONG)
    binds = len(opened.site.people.binds)
    methods: list[str] = []
    opened.page.on("request", lambda request: methods.append(request.method))
    await opened.page.reload()
    await expect(opened.page.get_by_role("alert")).to_contain_text("Incorrect user name")
    await opened.enter(RIGHT)
    await opened.page.go_back()
    assert await opened.title() == "My account"
    await opened.page.reload()
    assert (methods.count("POST"), len(opened.site.people.binds)) == (1, binds + 1)


@pytest.mark.parametrize("opened", WITH_AND_WITHOUT_SCRIPT, ids=attrgetter("name"), indirect=True)
async def test_after_a_final_answer_there_is_no_form(opened: Window) -> None:
    """But a way to another account."""
    person = opened.site.person()
    opened.site.people.disabled.add(person)
    await opened.sign_in(person)
    await expect(opened.page.get_by_role("alert")).to_contain_text("account is disabled")
    await expect(opened.page.locator("form")).to_have_count(0)
    await opened.press("link", "Use another account")
    await opened.enter(opened.site.person())
    await opened.enter(RIGHT)
    assert await opened.title() == "My account"


@pytest.mark.parametrize("opened", WITH_AND_WITHOUT_SCRIPT, ids=attrgetter("name"), indirect=True)
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
