"""How each page looks, measured in Chromium: as it comes, and with the longest names and the palest colour."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from gateway.signin.catalogue import Catalogue
from gateway.signin.messages import Message
from tests.support.browser import RIGHT, WRONG, Look, Scheme, Site, Window, window

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
WIDTHS: Final = (320, 390, 640, 1280)
"""The narrowest that WCAG asks for (1280 at 400 %), a phone, 1280 at 200 %, a desktop."""


async def user(opened: Window) -> None:
    await opened.open("/signin")


async def no_user(opened: Window) -> None:
    await opened.open("/signin")
    await opened.enter("   ")


async def password(opened: Window) -> None:
    await opened.open("/signin")
    await opened.enter(opened.site.person())


async def wrong(opened: Window) -> None:
    await opened.sign_in(opened.site.person(), WRONG)


async def wait(opened: Window) -> None:
    await opened.sign_in(opened.site.person(), WRONG)
    for number in range(4):
        await opened.enter(f"{WRONG}{number}")


async def unavailable(opened: Window) -> None:
    await opened.sign_in(f"{'anna.' * 20}berg@elsewhere.example.com")


async def expired(opened: Window) -> None:
    person = opened.site.person()
    opened.site.people.expired.add(person)
    await opened.sign_in(person)


async def account(opened: Window) -> None:
    await opened.sign_in(opened.site.person())


async def change(opened: Window) -> None:
    await account(opened)
    await opened.open("/account/password")


async def changed(opened: Window) -> None:
    await change(opened)
    await opened.enter(RIGHT, RIGHT, RIGHT)


async def signed_out(opened: Window) -> None:
    await account(opened)
    await opened.page.locator(".head button").click()


async def stale(opened: Window) -> None:
    await opened.open("/signin")
    await opened.page.context.clear_cookies()
    await opened.enter(opened.site.person())


async def missing(opened: Window) -> None:
    await opened.open("/no-such-page")


PAGES: Final[dict[str, Callable[[Window], Coroutine[Any, Any, None]]]] = {
    "Sign in": user,
    Message.MISSING_USER: no_user,
    "Password": password,
    Message.WRONG: wrong,
    Message.WAIT: wait,
    Message.UNAVAILABLE: unavailable,
    Message.EXPIRED: expired,
    "Where you are signed in": account,
    "Choose a new password": change,
    Message.CHANGED: changed,
    Message.SIGNED_OUT: signed_out,
    Message.STALE: stale,
    Message.NOT_FOUND: missing,
}
"""How to come to each page; the key is a text that it shows."""


@pytest_asyncio.fixture(
    params=[(key, language) for key in PAGES for language in ("en", "de")],
    ids=lambda param: f"{PAGES[param[0]].__name__}-{param[1]}",
    scope="module",
    loop_scope="package",
)
async def shown(request: pytest.FixtureRequest, chromium: Browser, plain: Site, branded: Site) -> AsyncIterator[Window]:
    """A window on each page: plain in English, branded in German."""
    key, language = request.param
    async with window(chromium, plain if language == "en" else branded, Look("", locale=language)) as opened:
        await PAGES[key](opened)
        assert Catalogue()[language].text(key, wait="\0").partition("\0")[0] in await opened.page.inner_text("body")
        yield opened


async def test_nothing_sticks_out(shown: Window) -> None:
    """No page scrolls sideways, no text leaves its box, and whatever is tapped is large enough."""
    for width in WIDTHS:
        await shown.page.set_viewport_size({"width": width, "height": 700})
        assert await shown.width() <= width
        assert (width, await shown.overflowing()) == (width, [])
        assert (width, await shown.small_targets()) == (width, [])


async def test_everything_can_be_read(shown: Window) -> None:
    """By day and by night every text reaches a contrast of 4.5 to 1, the edge of every field 3 to 1."""
    for scheme in SCHEMES:
        await shown.page.emulate_media(color_scheme=scheme)
        texts = await shown.texts()
        assert len(texts) >= 5
        assert [each for each in texts if each.ratio < 4.5] == []
        assert [each for each in await shown.edges() if each.ratio < 3] == []


async def test_the_keyboard_goes_everywhere_and_shows_where_it_is(shown: Window) -> None:
    """Tab comes to every control, each with a ring that can be seen."""
    for scheme in SCHEMES:
        await shown.page.emulate_media(color_scheme=scheme)
        assert [each for each in await shown.focuses() if not each.can_be_seen] == []
