"""Chromium in front of a relay: its windows as people have them, and what can be measured in them."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, expect

from gateway.app import init, serving
from gateway.relay.credentials.admission import AdmissionSettings
from gateway.signin import SignInSettings
from gateway.signin.branding import contrast
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, server_settings

RIGHT, WRONG, NEW = "Sommer-2026!", "Winter-1999?", "Herbst-2026!"

Scheme = Literal["light", "dark"]


@dataclass
class Site:
    """A relay that serves its pages, and the people behind it."""

    url: str
    people: FakeDirectories
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def person(self) -> str:
        """Somebody whom no other test has met."""
        name = f"person{next(self.numbers)}@corp.example.com"
        self.people.people[name] = RIGHT
        return name


@asynccontextmanager
async def serve(home: Path, signin: SignInSettings, about: dict[str, Any]) -> AsyncIterator[Site]:
    """A relay and an agent. All tests come from one address, which nobody takes for a sprayer here."""
    admission = AdmissionSettings(address_failures=10_000, address_rate=10_000)
    settings = replace(server_settings(home), signin=signin, admission=admission)
    init(settings, name="relay1", now=time.time())
    people = FakeDirectories({}, about=about)
    async with serving(settings) as running, agent(home, running, people):
        yield Site(settings.public_url, people)


@dataclass(frozen=True)
class Look:
    """A window as somebody has it; width and height in CSS pixels."""

    name: str
    width: int = 1280
    height: int = 800
    scheme: Scheme = "light"
    touch: bool = False
    zoom: float = 1
    script: bool = True
    locale: str = "en-GB"
    timezone: str = "Europe/Vienna"


LOOKS = (
    Look("desktop, light"),
    Look("desktop, dark", scheme="dark"),
    Look("phone, light", 390, 844, touch=True),
    Look("phone, dark", 390, 844, "dark", touch=True),
    Look("desktop at 200 %, without JavaScript", 640, 400, zoom=2, script=False),
    Look("phone without JavaScript", 390, 844, touch=True, script=False),
)


class Contrast(NamedTuple):
    """Something on the page and its two colours."""

    what: str
    ink: str
    ground: str

    @property
    def ratio(self) -> float:
        """1 to 21 (WCAG 2.2)."""
        return contrast(rgb(self.ink), rgb(self.ground))


class Focus(NamedTuple):
    """What shows where the keyboard is."""

    what: str
    style: str
    width: str
    ring: str
    ground: str

    @property
    def can_be_seen(self) -> bool:
        """An outline of 2 pixels or more, 3 to 1 against what is around it (WCAG 2.2, 1.4.11 and 2.4.13)."""
        return self.style == "solid" and float(self.width[:-2]) >= 2 and contrast(rgb(self.ring), rgb(self.ground)) >= 3


class Window:
    """A window that remembers everything that went wrong in it."""

    def __init__(self, page: Page, site: Site, look: Look) -> None:
        self.page, self.site, self.look = page, site, look
        self.complaints: list[str] = []
        page.on("console", self._on_console)
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        if not message.text.startswith("Failed to load resource: the server responded"):  # see _on_response
            self.complaints.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith(self.site.url + "/"):
            self.complaints.append(f"goes elsewhere: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.complaints.append(f"{response.status}: {response.url}")

    # -- what people do

    async def open(self, path: str) -> None:
        """Type an address of the relay."""
        await self.page.goto(path)
        await self._settle()

    async def enter(self, *texts: str) -> None:
        """Fill in where the focus is, Tab between the texts, then Enter, and see the next page."""
        for place, text in enumerate(texts):
            if place:
                await self.page.keyboard.press("Tab")
            await self.page.keyboard.insert_text(text)
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")
        await self._settle()

    async def go(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something that leads to the next page, and see it."""
        async with self.page.expect_navigation():
            await act()
        await self._settle()

    async def tab_into(self, field: str) -> None:
        """Go on to a field with the Tab key, past what stands before it."""
        for _ in range(5):
            await self.page.keyboard.press("Tab")
            if await self.focused() == field:
                return
        raise AssertionError(f"the Tab key does not lead to {field!r}")

    async def choose(self, *passwords: str) -> None:
        """Fill in the form for a new password from its first field on, then Enter, and see the next page."""
        fields = self.page.locator(".secret input")
        for place, text in enumerate(passwords):
            await fields.nth(place).fill(text)
        async with self.page.expect_navigation():
            await fields.nth(len(passwords) - 1).press("Enter")
        await self._settle()

    async def submit(self, button: str) -> None:
        """Press a button by its selector, and see the next page."""
        async with self.page.expect_navigation():
            await self.page.locator(button).click()
        await self._settle()

    async def press(self, role: Literal["button", "link"], name: str) -> None:
        """Click or tap, and see the next page."""
        control = self.page.get_by_role(role, name=name, exact=True)
        async with self.page.expect_navigation():
            await (control.tap() if self.look.touch else control.click())
        await self._settle()

    async def _settle(self) -> None:
        """The focus comes a moment after the page."""
        first = self.page.locator("[autofocus]")
        if await first.count():
            await expect(first).to_be_focused()

    async def tab_to(self, name: str) -> None:
        """Go to a control with the Tab key alone."""
        control = self.page.get_by_role("button", name=name, exact=True).or_(
            self.page.get_by_role("link", name=name, exact=True)
        )
        for _ in range(20):
            await self.page.keyboard.press("Tab")
            if await control.evaluate("control => control === document.activeElement"):
                return
        raise AssertionError(f"the Tab key does not lead to {name!r}")

    async def sign_in(self, person: str, password: str = RIGHT) -> None:
        """Both steps."""
        await self.open("/signin")
        await self.enter(person)
        await self.enter(password)

    # -- what can be measured

    async def title(self) -> str:
        """What the window is called, up to the organisation's name."""
        return (await self.page.title()).rpartition(" \N{EN DASH} ")[0]

    async def focused(self) -> str:
        """The id of what has the focus."""
        return str(await self.page.evaluate("document.activeElement.id"))

    async def width(self) -> int:
        """How wide the page has become; more than the window means scrolling sideways."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth"))

    async def texts(self) -> list[Contrast]:
        """Every text that shows."""
        return [Contrast(*text) for text in await self.page.evaluate(_MEASURE + "texts()")]

    async def edges(self) -> list[Contrast]:
        """The edge of every field."""
        return [Contrast(*edge) for edge in await self.page.evaluate(_MEASURE + "edges()")]

    async def overflowing(self) -> list[str]:
        """Every text that sticks out of its card, its footer or its button."""
        return [str(name) for name in await self.page.evaluate(_MEASURE + "overflowing()")]

    async def small_targets(self) -> list[str]:
        """Everything to be tapped that is lower or narrower than 24 pixels (WCAG 2.2, 2.5.8)."""
        return [str(name) for name in await self.page.evaluate(_MEASURE + "smallTargets()")]

    async def focuses(self) -> list[Focus]:
        """How each control looks when the Tab key leads there; every control of the page is among them."""
        count = int(await self.page.evaluate(_MEASURE + "controls().length"))
        found: dict[str, Focus] = {}
        for _ in range(count + 5):  # Chromium also stops at what can be scrolled, and at the window's own controls
            await self.page.keyboard.press("Tab")
            where, *how = await self.page.evaluate(_MEASURE + "focus()")
            if where:
                found[where] = Focus(where, *how)
        assert len(found) == count
        return list(found.values())


@asynccontextmanager
async def window(chromium: Browser, site: Site, look: Look = LOOKS[0]) -> AsyncIterator[Window]:
    """A new window of a browser that knows nobody. Nothing may go wrong in it."""
    context = await chromium.new_context(
        base_url=site.url,
        ignore_https_errors=True,
        viewport={"width": look.width, "height": look.height},
        device_scale_factor=look.zoom,
        is_mobile=look.touch,
        has_touch=look.touch,
        color_scheme=look.scheme,
        reduced_motion="reduce",  # colours are measured, not waited for
        java_script_enabled=look.script,
        locale=look.locale,
        timezone_id=look.timezone,
    )
    try:
        context.set_default_timeout(10_000)
        made = Window(await context.new_page(), site, look)
        yield made
    finally:
        await context.close()
    assert made.complaints == []


def rgb(colour: str) -> tuple[int, int, int]:
    """A computed colour, `rgb(r, g, b)`, to red, green, blue."""
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour)
    assert found is not None, colour
    return int(found[1]), int(found[2]), int(found[3])


_MEASURE = """
const all = selector => [...document.body.querySelectorAll(selector)];
const controls = () => all("a, button, summary, input:not([type=hidden]):not([tabindex])")
  .filter(element => element.checkVisibility());
const name = element => element.outerHTML.replace(/value="[^"]*"/, "").slice(0, 90);
const skipped = element => element.closest(".hidden:not(:focus), .scroll");
const words = element => [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
const ground = element => {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return "none";
};
const texts = () => all("*")
  .filter(element => !element.closest(".hidden") && element.checkVisibility())
  .filter(element => words(element).length || element.matches("input:not([type=hidden])"))
  .map(element => [name(element), getComputedStyle(element).color, ground(element)]);
const edges = () => controls().filter(element => element.matches("input"))
  .map(element => [name(element), getComputedStyle(element).borderTopColor, ground(element.parentElement)]);
const rectangles = node => {
  const range = document.createRange();
  range.selectNode(node);
  return [...range.getClientRects()];
};
const overflowing = () => all("*").filter(element => !skipped(element) && words(element).some(node => {
  const box = element.closest("button, .button, .tags li, .note, .mark, .card, footer, body").getBoundingClientRect();
  return rectangles(node).some(each => each.left < box.left - 1 || each.right > box.right + 1
    || each.top < box.top - 1 || each.bottom > box.bottom + 1);
})).map(name);
const smallTargets = () => controls().filter(element => !skipped(element)).filter(element => {
  const box = element.getBoundingClientRect();
  return box.width < 24 || box.height < 24;
}).map(name);
const focus = () => {
  const element = document.activeElement, style = getComputedStyle(element);
  if (!controls().includes(element)) return [""];
  return [controls().indexOf(element) + name(element), style.outlineStyle, style.outlineWidth, style.outlineColor,
    ground(element.parentElement)];
};
"""
"""Functions that look at a page."""
