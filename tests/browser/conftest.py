"""One Chromium and two relays for all tests of the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

import directory
from gateway.signin import SignInSettings
from tests.support.browser import Site, serve

_LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
_LOGO = "<svg xmlns='http://www.w3.org/2000/svg' width='320' height='80'><rect width='320' height='80' fill='#c00'/></svg>"


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium")
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """As it comes out of the box."""
    about = {"given_name": "Anna", "surname": "Berg", "display_name": "Anna Berg", "mail": "anna.berg@example.com"}
    async with serve(tmp_path_factory.mktemp("plain"), SignInSettings(), about) as site:
        yield site


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def branded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """All that an organisation can do to its pages: a pale colour, a logo, names that never end."""
    home = tmp_path_factory.mktemp("branded")
    logo = home / "logo.svg"
    logo.write_text(_LOGO)
    settings = SignInSettings(
        organisation=_LONG,
        logo_file=logo,
        colour="#ffe14d",
        support=f"Helpdesk der {_LONG}, Telefon +43 1 47 11 47 11 bis 19 Uhr",
        support_url="https://help.example.com",
        language="de",
    )
    about = {
        "display_name": f"Maximiliane Freifrau von und zu {_LONG}",
        "given_name": "Maximiliane",
        "surname": f"Freifrau von und zu {_LONG}",
        "mail": f"maximiliane@{_LONG.lower()}.example.com",
        "attributes": {"departmentNumberOfTheWholeOrganisation": (_LONG, "4711")},
        "groups": tuple(
            directory.DirectoryGroup(f"S-1-5-21-1-2-3-{n}", name) for n, name in enumerate(("A", _LONG, "VPN") * 8)
        ),
    }
    async with serve(home, settings, about) as site:
        yield site
