"""The pages in an organisation's name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol import Outcome
from gateway.relay.credentials.attempt import Verdict
from gateway.signin import LANGUAGES, SignInSettings, unnamed_warning
from gateway.signin.assets import Assets
from gateway.signin.branding import contrast, darken, dim, icon, lighten, parse_colour, readable_on, stylesheet
from gateway.signin.errors import BadBranding
from tests.gateway.signin.site import ANNA, serve

COLOURS = ("#000000", "#ffffff", "#ffcc00", "#0b5c6b", "#777777", "#ff0000")


async def test_all_that_can_be_set_is_on_the_page(tmp_path: Path) -> None:
    """Name, logos, colours, picture, help, forgotten passwords, own words; files are served to be kept."""
    files = {name: tmp_path / name for name in ("logo.svg", "dark.svg", "picture.jpg")}
    for name, path in files.items():
        path.write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {name} --></svg>")
    async with serve(
        tmp_path,
        organisation="Acme & Söhne",
        logo_file=files["logo.svg"],
        logo_file_dark=files["dark.svg"],
        background_file=files["picture.jpg"],
        background_colour="#336699",
        colour="#ffcc00",
        support="Call 4711",
        support_url="https://help.example",
        forgot_password_url="https://reset.example",
        texts={"en": {"User name": "Staff number"}},
    ) as site:
        page = (await site.get("/signin"))[1]
        assert "<h1>Sign in to <bdi>Acme &amp; Söhne</bdi></h1>" in page
        for language in LANGUAGES:
            heading = re.search("<h1>(.*)</h1>", (await site.get(f"/signin?language={language}"))[1])
            assert heading is not None
            assert "<bdi>Acme &amp; Söhne</bdi>" in heading[1]
        assert "<title>Sign in \N{EN DASH} Acme &amp; Söhne</title>" in page
        for words in ("Call 4711", 'href="https://help.example"', ">Staff number</label>"):
            assert words in page
        paths = re.findall(r'(?:href|src|srcset)="(/static/[^"]+)"', page)
        style = next(path for path in paths if path.endswith("signin.css"))
        paths += re.findall(r'url\("(/static/[^"]+)"\)', (await site.get(style))[1])[:1]
        assert sorted(path.rpartition("/")[2] for path in paths) == [
            "background",
            "icon.svg",
            "logo",
            "logo-dark",
            "signin.css",
            "signin.js",
        ]
        for path in paths:
            status, _, headers = await site.get(path)
            assert (status, "immutable" in headers["Cache-Control"]) == (200, True)
        assert (await site.get("/static/0000/signin.css"))[0] == 404
        assert (await site.get(f"{paths[0]}x"))[0] == 404
        shown = await site.submit("/signin", step="user", user_name=ANNA)
        assert '<a href="https://reset.example">Forgot your password?</a>' in shown.page
        site.authenticator.next = Verdict(outcome=Outcome.ACCOUNT_DISABLED, password_proven=True)
        refused = (await site.sign_in()).page
        assert refused.count("Call 4711") == 2


def test_colours_can_be_read() -> None:
    """Whatever the organisation chooses, text on it reaches 4.5 to 1, in dark mode too; no placeholder is left over."""
    for colour in COLOURS:
        text = readable_on(parse_colour(colour))
        assert contrast(parse_colour(colour), parse_colour(text)) >= 4.5
        assert contrast(darken(parse_colour(colour)), parse_colour("#f2f5f6")) >= 4.5
        assert contrast(lighten(parse_colour(colour)), parse_colour("#161b22")) >= 6
        assert contrast(dim(parse_colour(colour)), (255, 255, 255)) >= 15
        made = stylesheet(SignInSettings(colour=colour, background_colour=colour), "/static/1/background").content
        assert re.findall(rb"@[\w-]+@", made) == []


def test_the_icon_is_the_initial_whatever_it_is() -> None:
    """Markup in a name stays text; it can be read on any colour."""
    assert b">&lt;</text>" in icon(SignInSettings(organisation="<b>")).content
    assert b">\xc3\x96</text>" in icon(SignInSettings(organisation="österreich")).content
    assert b'fill="#000000">' in icon(SignInSettings(colour="#ffcc00")).content


@pytest.mark.parametrize(
    ("setting", "name", "size", "words"),
    [
        ("logo_file", "logo.gif", 1, "is none of .svg, .png"),
        ("logo_file_dark", "missing.svg", None, "cannot be read (No such file or directory)"),
        ("logo_file", "huge.png", 300_000, "has 300000 bytes, more than 262144"),
        ("background_file", "picture.tiff", 1, "is none of .svg, .png, .jpg, .jpeg, .webp"),
        ("background_file", "huge.jpg", 3_000_000, "more than 2097152"),
    ],
)
def test_a_picture_that_cannot_be_used_is_said_so(
    tmp_path: Path, setting: str, name: str, size: int | None, words: str
) -> None:
    """At the start, not at the first visit; with the setting and the file."""
    if size is not None:
        (tmp_path / name).write_bytes(bytes(size))
    given: dict[str, Any] = {setting: tmp_path / name}
    with pytest.raises(BadBranding) as raised:
        Assets(SignInSettings(**given))
    assert (raised.value.key, str(tmp_path / name) in str(raised.value)) == ((setting,), True)
    assert words in str(raised.value)


def test_a_colour_that_is_none_is_said_so() -> None:
    """Settings from elsewhere than a file are checked as well."""
    with pytest.raises(BadBranding):
        parse_colour("red")


def test_an_administrator_is_warned_while_the_page_has_no_name() -> None:
    """People check it before they type a password."""
    assert "organisation" in unnamed_warning(SignInSettings())
    assert unnamed_warning(SignInSettings(organisation="Example University")) == ""
