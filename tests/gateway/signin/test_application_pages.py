"""The pages about applications: what they say, and that a yes comes from nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.signin import LANGUAGES
from tests.gateway.signin.gallery import GALLERY, HOSTILE, LONG, Gallery
from tests.gateway.signin.site import FORM, ScreenReader, Site, serve, token_in


@pytest.fixture
def gallery() -> Gallery:
    return Gallery(HOSTILE)


@pytest.fixture
async def site(tmp_path: Path, gallery: Gallery) -> AsyncIterator[Site]:
    async with serve(tmp_path, gallery, support="Help desk: +43 1 4711") as made:
        yield made


@pytest.mark.parametrize("name", GALLERY)
async def test_a_page_can_be_read_by_everybody(site: Site, name: str) -> None:
    """In every language; ids stand once, fields have labels, and nothing of a stranger's is markup."""
    for language in LANGUAGES:
        _, page, headers = await site.get(f"/gallery/{name}?language={language}")
        read = ScreenReader(page)
        assert headers["Content-Language"] == language
        assert len(read.ids) == len(set(read.ids))
        assert set(read.described) <= set(read.ids)
        assert {field["id"] for field in read.inputs} <= read.labels
        assert (read.tags.count("h1"), read.tags.count("b"), read.tags.count("berg")) == (1, 0, 0)
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "consent",
            ["Your name and user name", "Your groups", "Access while you aren't signed in", "payroll:read", HOSTILE],
        ),
        ("consent-identity", ["That it is you", "Anna <Berg>"]),
        ("device", ["in front of you", "WDJB-MJHT"]),
        ("device-unknown", ["This code isn't valid", "WDJB-MJHX"]),
        ("device-question", ["203.0.113.9", "WDJB-MJHT", HOSTILE, "Anna <Berg>", "don't connect it"]),
        ("device-connected", ["Your device is connected.", "close this window"]),
        ("apps", [HOSTILE, "Shop", LONG, "https://wiki.example.com/?a=1&b=2"]),
        ("no-apps", ["no applications"]),
        ("no-access", [f"Ask {HOSTILE}", "isn't allowed to use this application"]),
        ("logout", [HOSTILE, "Stay signed in"]),
        (
            "signed-out",
            ["signed out", "not reached", "sign out there yourself", "may still be signed in", f"Back to {HOSTILE}"],
        ),
        ("stale", ["Go back to the application", "+43 1 4711"]),
    ],
)
async def test_a_page_says_what_it_is_about(site: Site, name: str, words: list[str]) -> None:
    """Each of these, as text."""
    shown = await site.open(f"/gallery/{name}")
    assert [text for text in words if text not in shown.page] == []


async def test_whom_everybody_left_there_is_no_warning(site: Site) -> None:
    """Nor a way back that nobody gave."""
    page = (await site.open("/gallery/signed-out-everywhere")).page
    assert "may still be" not in page
    assert "Back to" not in page


async def test_a_question_that_nobody_asked_for_names_no_application(site: Site) -> None:
    """As of a logout without one."""
    assert "asks whether" not in (await site.open("/gallery/logout-alone")).page


@pytest.mark.parametrize("name", ["consent", "device-question", "logout"])
async def test_an_answer_comes_with_what_the_form_held(site: Site, gallery: Gallery, name: str) -> None:
    """Unchanged, with the button that was pressed."""
    token = token_in((await site.get(f"/gallery/{name}"))[1])
    fields = {"csrf": token, "state": HOSTILE, "answer": "allow"}
    assert (await site.request("POST", "/gallery/answer", data=fields))[0] == 200
    assert gallery.answers == [fields]


@pytest.mark.parametrize("attack", ["no token", "other browser", "cross-site", "address"])
async def test_nobody_says_yes_for_somebody_else(site: Site, gallery: Gallery, attack: str) -> None:
    """A form of another site, or of another browser, or a link."""
    fields = {"csrf": token_in((await site.get("/gallery/consent"))[1]), "answer": "allow"}
    if attack == "no token":
        fields["csrf"] = ""
    elif attack == "other browser":
        site.cookies[FORM] = "another"
    elif attack == "cross-site":
        site.headers["Sec-Fetch-Site"] = "cross-site"
    method = "GET" if attack == "address" else "POST"
    status, _, _ = await site.request(method, "/gallery/answer", data=fields)
    assert status in {303, 403, 405}
    assert gallery.answers == []


async def test_where_an_application_is_tried_its_logo_is_shown(site: Site) -> None:
    """As in the list of applications; its letter where it has none."""
    _, page, _ = await site.get("/gallery/trial")
    assert '<li><a href="/saml/start/wiki"><img class="mark" src="/logos/d1" alt="">' in page
    assert '<li><a href="https://x/"><span class="mark"' in page
