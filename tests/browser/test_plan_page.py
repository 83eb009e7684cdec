"""The page of a synchronisation plan, in Chromium: on a phone and a desktop, by day and by night, by keyboard, on paper."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from sync.model import ObjectKind, OperationKind
from sync.plan import AccountProblem, CauseKind, ChangeCause, GuardStop, LimitName, PlanLine, plan_page
from tests.support.browser import Look, Scheme, Site, Window, window
from tests.support.fakes import FakeDirectories
from tests.sync.plan.samples import SCIM, entry, leaving
from tests.sync.plan.test_page import header

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="package")]

SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")
_LONG: Final = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
_RULE: Final = ChangeCause(CauseKind.RULE, "users", "e2")
_MOVE: Final = ChangeCause(CauseKind.OU, f"OU={_LONG},DC=example,DC=com -> OU=Former,DC=example,DC=com", "r7")


def lines() -> list[PlanLine]:
    """Some of every kind, with long names."""
    return [
        leaving(OperationKind.DISABLE, 1, id=1, name=_LONG, causes=(_MOVE,)),
        entry(
            OperationKind.UPDATE,
            2,
            id=2,
            name="Anna Berg",
            causes=(_RULE,),
            set={"userName": f"{_LONG}@example.com", "title": "Prof."},
            before={"userName": "anna@example.com", "room": "1"},
            clear=frozenset({"room"}),
        ),
        entry(OperationKind.LINK, 3, id=3, object=ObjectKind.GROUP, name="VPN users", added={"members": tuple(range(80))}),
        leaving(OperationKind.DELETE, 4, id=4, name="Eva Former", before={"userName": "eva"}, links=3),
        leaving(OperationKind.DELETE, 5, id=5, name="Otto Unseen", held="no evidence: nothing shows that 0102 of ad left"),
        AccountProblem(SCIM, 6, "AnchorChanged", f"its anchor was {_LONG}", name="Ida"),
    ]


@pytest_asyncio.fixture(loop_scope="package", params=[False, True], ids=["closed", "open"])
async def shown(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> AsyncIterator[Window]:
    """A window on the page, with all objects closed or open."""
    stops = (
        GuardStop(LimitName.FIRST_RUN, 3, target=SCIM, decide="first_run:scim"),
        GuardStop(LimitName.DELETIONS, 9, 10, 5, 50, SCIM, causes=((_MOVE.key, 8),)),
    )
    text = "".join(plan_page(header(lines(), stops=stops, marks={"rules": "e2"}), lines()))
    path = tmp_path / "plan.html"
    path.write_text(text.replace("<details", "<details open") if request.param else text, encoding="utf-8")
    async with window(chromium, Site("file://", FakeDirectories({})), Look("plan")) as opened:
        await opened.page.goto(path.as_uri())
        yield opened


async def test_nothing_sticks_out(shown: Window) -> None:
    """No page scrolls sideways, and whatever is tapped is large enough."""
    for width in (320, 390, 640, 1280):
        await shown.page.set_viewport_size({"width": width, "height": 700})
        assert await shown.width() <= width
        found = [*await shown.overflowing(), *await shown.small_targets()]
        # the way past everything stands outside until it has the focus
        assert (width, [name for name in found if 'class="skip"' not in name]) == (width, [])


async def test_everything_can_be_read(shown: Window) -> None:
    """By day and by night every text reaches a contrast of 4.5 to 1."""
    for scheme in SCHEMES:
        await shown.page.emulate_media(color_scheme=scheme)
        texts = await shown.texts()
        assert len(texts) >= 30
        assert [text for text in texts if text.ratio < 4.5] == []


async def test_assistive_technology_can_use_it(shown: Window) -> None:
    """axe-core finds no violation of any of its rules."""
    for scheme in SCHEMES:
        await shown.page.emulate_media(color_scheme=scheme)
        found = (await Axe().run(shown.page)).response
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []
        assert len(found["passes"]) > 15


async def _rows(shown: Window) -> list[str]:
    names = shown.page.locator(".op:visible .name")
    return [text.split()[0][:5] for text in await names.all_inner_texts()]


async def test_kinds_and_causes_filter_together(shown: Window) -> None:
    """With the mouse, and by the keyboard: arrows change the choice."""
    page = shown.page
    assert await _rows(shown) == ["Donau", "Anna", "VPN", "Eva", "Otto"]
    await page.get_by_label("delete (1)", exact=True).click()
    assert await _rows(shown) == ["Eva"]
    await page.get_by_label("held (1)", exact=True).click()
    assert await _rows(shown) == ["Otto"]
    await page.get_by_label("all (5)", exact=True).click()
    await page.get_by_label("rule users edited (1)", exact=True).click()
    assert await _rows(shown) == ["Anna"]
    await page.get_by_label("update (1)", exact=True).focus()
    await page.keyboard.press("ArrowRight")
    assert await page.get_by_label("disable (1)", exact=True).is_checked()
    assert await _rows(shown) == []


async def test_the_keyboard_shows_where_it_is(shown: Window) -> None:
    """The chosen button of a filter and each object have a ring; Enter opens an object."""
    page = shown.page
    await page.locator("#k-all").focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowLeft")
    ring = "input => getComputedStyle(input.nextElementSibling).outline"
    assert "solid 3px" in await page.locator("#k-all").evaluate(ring)
    first = page.locator(".op").first
    was = await first.evaluate("details => details.open")
    await first.locator("summary").focus()
    await page.keyboard.press("Enter")
    assert await first.evaluate("details => details.open") is not was
    outline = await first.locator("summary").evaluate("summary => getComputedStyle(summary).outlineStyle")
    assert outline == "solid"


async def test_on_paper_everything_is_open(shown: Window) -> None:
    """Nobody can open an object on paper, nor choose."""
    await shown.page.emulate_media(media="print")
    assert await shown.page.locator(".op .inner").first.evaluate("inner => inner.getBoundingClientRect().height") > 40
    assert not await shown.page.locator("fieldset").first.is_visible()
