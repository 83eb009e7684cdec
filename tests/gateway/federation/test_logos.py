"""Logos of applications: what is a picture, who keeps it, and how browsers get it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from gateway.administrator import Administrator
from gateway.federation.logos import LARGEST_LOGO, LogoUnusable, media_type_of
from gateway.relay import ActRefused
from gateway.store import LogoRecord, Store
from tests.gateway.federation.oidc.stand import APP, OTHER, OidcStand, oidc_stand
from tests.gateway.store.conftest import opener, pair, store, url
from tests.gateway.store.test_trusts import generation, put, remove, trust

__all__ = ["opener", "pair", "store", "url"]

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b080010002001011100ffd9")

SIZE_OF_60_000 = bytes.fromhex("ffc0000b08ea60ea6001011100")
"""To a browser. Whoever takes the TEM before it, which has no length, for a segment reads on behind it."""


def png(width: int = 3, height: int = 2) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + b"\x7f" * min(width, 9) for _ in range(min(height, 9))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_what_is_a_picture() -> None:
    """By its content; as large as may be."""
    assert media_type_of(png()) == media_type_of(png(2048, 2048)) == "image/png"
    assert media_type_of(JPEG) == "image/jpeg"
    assert media_type_of(png().ljust(LARGEST_LOGO, b"\0")) == "image/png"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither PNG nor JPEG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "neither PNG nor JPEG"),
        (b"GIF89a" + b"\0" * 30, "neither PNG nor JPEG"),
        (b"<html>" + png(), "neither PNG nor JPEG"),
        (png()[:20], "neither PNG nor JPEG"),
        (JPEG[:22], "neither PNG nor JPEG"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 5, "neither PNG nor JPEG"),
        (JPEG[:2] + b"\xff\x01" + SIZE_OF_60_000.ljust(0xFFC0, b"\0") + JPEG[2:], "neither PNG nor JPEG"),
        (png().ljust(LARGEST_LOGO + 1, b"\0"), "more than 102400"),
        (png(2049, 1), "2049 by 1 pixels"),
        (png(1, 60_000), "60000 pixels"),
        (png(0, 1), "0 by 1 pixels"),
    ],
)
def test_what_is_none(content: bytes, words: str) -> None:
    """Documents, other formats, damage, and what would fill a browser's memory."""
    with pytest.raises(LogoUnusable, match=words):
        media_type_of(content)


async def test_every_node_has_them(pair: tuple[Store, Store]) -> None:
    """A logo is told by the generation, belongs to a trust, and goes with it."""
    logo = LogoRecord(trust="wiki", digest="d1", media_type="image/png", content=b"1")
    assert not await pair[0].logos.put(logo)
    assert not await pair[0].logos.index()
    await put(pair[0], trust())
    before = await generation(pair[0], "trusts")
    assert await pair[0].logos.put(logo)
    assert await generation(pair[1], "trusts") == before + 1
    assert await pair[1].logos.find("d1") == logo
    assert await pair[1].logos.put(replace(logo, digest="d2", content=b"2"))
    assert (await pair[0].logos.index(), await pair[0].logos.find("d1")) == ({"wiki": "d2"}, None)
    assert (await pair[0].logos.remove("wiki"), await pair[1].logos.remove("wiki")) == (True, False)
    assert await pair[0].logos.put(logo)
    await remove(pair[1], "wiki", 1)
    assert not await pair[0].logos.index()


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    consenting = replace(APP, start_url="https://app.example.com/", oidc=replace(APP.oidc, consent="always"))
    async with oidc_stand(tmp_path, consenting, OTHER) as made:
        yield made


async def test_pages_show_it_from_here(stand: OidcStand) -> None:
    """On the sign-in page, at consent and among the applications, with the type that it has; others have none."""
    admin, browser = Administrator(stand.relay.settings), stand.browser()
    view = await admin.put_logo("app", png(), "app.png")
    picture = f'<img class="application" src="/logos/{view.digest}" alt="Application">'
    shown = await browser.authorize()
    assert picture in shown.page
    assert picture in (await browser.sign_in(shown)).page
    other = await stand.browser().authorize(client_id="other", redirect_uri=OTHER.oidc.redirect_uris[0])
    apps = (await browser.open("/apps")).page
    assert f'<img class="mark" src="/logos/{view.digest}" alt="">' in apps
    assert "/logos/" not in other.page
    address = f"{stand.issuer}/logos/{view.digest}"
    async with stand.client.get(address) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "image/png", png())
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Cache-Control"] == "public, max-age=86400, immutable"
    for tag, status in ((headers["ETag"], 304), (f"W/{headers['ETag']}", 304), ('"other"', 200)):
        async with stand.client.get(address, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, bool(await answer.read())) == (status, status == 200)
    trail = await stand.relay.store.audit.entries(kind="trust.logo_changed", limit=9)
    assert [(entry.event.subject, entry.event.detail["source"]) for entry in trail] == [("app", "app.png")]
    assert (await admin.put_logo("app", b"", "")).digest == ""
    assert await status_of(stand.client, address) == await status_of(stand.client, f"{stand.issuer}/logos/{'0' * 64}") == 404
    assert "/logos/" not in (await browser.open("/apps")).page


async def test_what_is_refused_over_the_socket(stand: OidcStand) -> None:
    """And a logo of no trust."""
    admin = Administrator(stand.relay.settings)
    for name, content, words in (
        ("app", b"<svg/>", "neither PNG"),
        ("nobody", png(), "no trust"),
        ("nobody", b"", "no trust"),
    ):
        with pytest.raises(ActRefused, match=words):
            await admin.put_logo(name, content, "x")
    assert (await admin.put_logo("app", png().ljust(LARGEST_LOGO, b"\0"), "x")).media_type == "image/png"


async def status_of(client: aiohttp.ClientSession, address: str) -> int:
    async with client.get(address) as answer:
        return answer.status
