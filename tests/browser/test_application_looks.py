"""How the pages about applications look, measured in Chromium: with the longest name, by day and by night."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.test_looks import AXE, SCHEMES, WIDTHS
from tests.gateway.signin.gallery import GALLERY, LONG, Gallery
from tests.gateway.signin.site import serve
from tests.support.browser import Look, Site, Window, window
from tests.support.fakes import FakeDirectories

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]


@pytest_asyncio.fixture(params=[*GALLERY, "user"], loop_scope="package")
async def shown(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> AsyncIterator[Window]:
    """A window on each page, and on the sign-in for an application."""
    async with serve(tmp_path, Gallery(f"{LONG} & more"), support="Help desk: +43 1 4711") as made:
        site = Site(str(made.client.make_url("")).rstrip("/"), FakeDirectories({}))
        path = f"/gallery/{request.param}" if request.param in GALLERY else "/signin?return_to=/gallery/app"
        async with window(chromium, site, Look("", locale="de")) as opened:
            await opened.open(path)
            yield opened


async def test_a_page_about_an_application_can_be_used_by_everybody(shown: Window) -> None:
    """Nothing sticks out at any width, every text can be read, the keyboard goes everywhere, axe-core finds nothing."""
    for width in WIDTHS:
        await shown.page.set_viewport_size({"width": width, "height": 700})
        assert await shown.width() <= width
        assert (width, await shown.overflowing(), await shown.small_targets()) == (width, [], [])
    for scheme in SCHEMES:
        await shown.page.emulate_media(color_scheme=scheme)
        assert [text for text in await shown.texts() if text.ratio < 4.5] == []
        assert [edge for edge in await shown.edges() if edge.ratio < 3] == []
        assert [focus for focus in await shown.focuses() if not focus.can_be_seen] == []
    found = (await AXE.run(shown.page)).response
    assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []
