"""Contact sheets: every page as a picture, to be looked at by a person. `python -m tests.browser.sheets FOLDER [NAME…]`.

For each form (390 and 1280 pixels, light and dark) one sheet of the plain pages, one of an organisation's, and one of those
about applications, in English. For each other language one sheet of the plain pages and one of those about applications, at
390 pixels.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from playwright.async_api import Browser, async_playwright

import directory
from gateway.signin import LANGUAGES, SignInSettings
from tests.browser.visits import PAGES
from tests.gateway.signin.gallery import GALLERY, Gallery
from tests.gateway.signin.site import serve as serve_gallery
from tests.support.browser import Look, Site, Window, serve, window
from tests.support.fakes import FakeDirectories

_LOGO = """<svg xmlns="http://www.w3.org/2000/svg" width="220" height="56" viewBox="0 0 220 56">
<circle cx="28" cy="28" r="26" fill="#7a1f3d"/><path d="M14 38V20l14-8 14 8v18z" fill="#fff"/>
<text x="66" y="37" font-family="serif" font-size="28" fill="{ink}">Example</text></svg>"""
_PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 900" preserveAspectRatio="none">
<defs><linearGradient id="sky" x2="0" y2="1"><stop stop-color="#8fb8d8"/><stop offset="1" stop-color="#f3d9c0"/>
</linearGradient></defs><rect width="1600" height="900" fill="url(#sky)"/>
<path d="M0 700 400 420 760 720 1050 500 1600 760V900H0z" fill="#5b7a6b"/></svg>"""
_ABOUT: dict[str, Any] = {
    "given_name": "Anna",
    "surname": "Berg",
    "display_name": "Anna Berg",
    "mail": "anna.berg@example.com",
    "attributes": {"department": ("Physics",)},
    "groups": tuple(
        directory.DirectoryGroup(sid, name)
        for sid, name in (
            ("S-1-5-21-1-2-3-1105", "Physics"),
            ("S-1-5-21-1-2-3-1106", "VPN users"),
            ("S-1-5-21-1-2-3-513", "Domain Users"),
            ("S-1-5-32-545", "Users"),
        )
    ),
}


class Sheet(NamedTuple):
    """One picture of all pages."""

    name: str
    site: str
    look: Look


def sheets() -> Iterator[Sheet]:
    """All of them."""
    for site in ("plain", "branded", "applications"):
        for width, height in ((390, 844), (1280, 800)):
            for scheme in ("light", "dark"):
                look = Look("", width, height, "dark" if scheme == "dark" else "light", touch=width < 500)
                yield Sheet(f"en-{site}-{width}-{scheme}", site, look)
    for language in LANGUAGES:
        if language != "en":
            for site in ("plain", "applications"):
                yield Sheet(f"{language}-{site}-390-light", site, Look("", 390, 844, touch=True, locale=language))


def pages_of(site: str) -> Mapping[str, Callable[[Window], Awaitable[Any]]]:
    """How each page of a site is reached, by its name."""
    if site != "applications":
        return {name: visit for name, (visit, _) in PAGES.items()}
    paths = {name: f"/gallery/{name}" for name in GALLERY} | {"signin": "/signin?return_to=/gallery/app"}
    return {name: _opening(path) for name, path in paths.items()}


def _opening(path: str) -> Callable[[Window], Awaitable[Any]]:
    return lambda opened: opened.open(path)


async def draw(chromium: Browser, site: Site, sheet: Sheet, folder: Path) -> Path:
    """Visit every page, and put the pictures side by side."""
    pictures = []
    for name, visit in pages_of(sheet.site).items():
        async with window(chromium, site, replace(sheet.look, name=name)) as opened:
            await visit(opened)
            pictures.append((name, await opened.page.screenshot(full_page=True)))
    columns, width = (6, 300) if sheet.look.width < 500 else (3, 620)
    page = await chromium.new_page(viewport={"width": columns * (width + 12) + 12, "height": 600})
    cells = "".join(_cell(name, picture) for name, picture in pictures)
    style = (
        "body{margin:12px;background:#888;display:grid;gap:12px;align-items:start;font:16px sans-serif;"
        f"grid-template-columns:repeat({columns},{width}px)}}figure{{margin:0}}img{{width:100%;display:block}}"
    )
    await page.set_content(f"<style>{style}</style>{cells}")
    path = folder / f"{sheet.name}.png"
    await page.screenshot(path=path, full_page=True)
    await page.close()
    return path


def _branded(home: Path) -> SignInSettings:
    """What an organisation would set."""
    for name, ink in (("logo.svg", "#222"), ("dark.svg", "#eee")):
        (home / name).write_text(_LOGO.format(ink=ink))
    (home / "picture.svg").write_text(_PICTURE)
    return SignInSettings(
        organisation="Example University of Applied Sciences",
        logo_file=home / "logo.svg",
        logo_file_dark=home / "dark.svg",
        background_file=home / "picture.svg",
        colour="#7a1f3d",
        support="Help desk: +43 1 4711, 8 am to 6 pm",
        support_url="https://help.example.com",
        forgot_password_url="https://reset.example.com",
        session_kept=30 * 86400.0,
    )


def _cell(name: str, picture: bytes) -> str:
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return f"<figure><img src='{source}'><figcaption>{name}</figcaption></figure>"


async def main(folder: Path, wanted: list[str]) -> None:
    """Draw those whose name contains one of the words; all without one."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        branded = _branded(home)
        async with (
            async_playwright() as playwright,
            serve(home / "plain", SignInSettings(), _ABOUT) as plain,
            serve(home / "branded", branded, _ABOUT) as styled,
            serve_gallery(home, Gallery(), support="Help desk: +43 1 4711") as gallery,
        ):
            chromium = await playwright.chromium.launch(executable_path="/usr/bin/chromium")
            about_applications = Site(str(gallery.client.make_url("")).rstrip("/"), FakeDirectories({}))
            sites = {"plain": plain, "branded": styled, "applications": about_applications}
            for sheet in sheets():
                if not wanted or any(word in sheet.name for word in wanted):
                    print(await draw(chromium, sites[sheet.site], sheet, folder))
            await chromium.close()


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
