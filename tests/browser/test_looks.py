"""How each page looks, measured in Chromium: as it comes, and with the longest names and the palest colour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from gateway.signin.catalogue import Catalogue
from tests.browser.visits import PAGES
from tests.support.browser import Look, Scheme, Site, Window, window

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
AXE: Final = Axe()
WIDTHS: Final = (320, 390, 640, 1280)
"""The narrowest that WCAG asks for (1280 at 400 %), a phone, 1280 at 200 %, a desktop."""


@pytest_asyncio.fixture(
    params=[(name, language) for name in PAGES for language in ("en", "de")],
    ids="-".join,
    scope="module",
    loop_scope="package",
)
async def shown(request: pytest.FixtureRequest, chromium: Browser, plain: Site, branded: Site) -> AsyncIterator[Window]:
    """A window on each page: plain in English, branded in German."""
    name, language = request.param
    visit, text = PAGES[name]
    async with window(chromium, plain if language == "en" else branded, Look("", locale=language)) as opened:
        await visit(opened)
        words = Catalogue()[language].text(text, wait="\0", name="\0").partition("\0")[0]
        assert words in await opened.page.inner_text("body")
        yield opened


async def test_nothing_sticks_out(shown: Window) -> None:
    """No page scrolls sideways, no text leaves its box, and whatever is tapped is large enough."""
    for width in WIDTHS:
        await shown.page.set_viewport_size({"width": width, "height": 700})
        assert await shown.width() <= width
        assert (width, await shown.overflowing()) == (width, [])
        assert (width, await shown.small_targets()) == (width, [])


async def test_text_of_twice_the_size_fits_a_phone(shown: Window) -> None:
    """What is around the text does not grow with it: most of the width is the text's (WCAG 2.2, 1.4.4)."""
    await shown.page.set_viewport_size({"width": 390, "height": 844})
    await shown.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await shown.width() <= 390
    assert await shown.overflowing() == []
    assert await shown.page.locator(".brand").evaluate("brand => brand.clientWidth") >= 300
    await shown.page.evaluate("document.documentElement.style.fontSize = ''")


async def test_everything_can_be_read(shown: Window) -> None:
    """By day and by night every text reaches a contrast of 4.5 to 1, the edge of every field 3 to 1."""
    for scheme in SCHEMES:
        await shown.page.emulate_media(color_scheme=scheme)
        texts = await shown.texts()
        assert len(texts) >= 5
        assert [text for text in texts if text.ratio < 4.5] == []
        assert [edge for edge in await shown.edges() if edge.ratio < 3] == []


async def test_assistive_technology_can_use_it(shown: Window) -> None:
    """axe-core finds no violation of any of its rules: plain by day, branded by night."""
    await shown.page.emulate_media(color_scheme="light" if shown.look.locale == "en" else "dark")
    found = (await AXE.run(shown.page)).response
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []
    assert len(found["passes"]) > 15


async def test_the_keyboard_goes_everywhere_and_shows_where_it_is(shown: Window) -> None:
    """Tab comes to every control, each with a ring that can be seen."""
    for scheme in SCHEMES:
        await shown.page.emulate_media(color_scheme=scheme)
        assert [focus for focus in await shown.focuses() if not focus.can_be_seen] == []
