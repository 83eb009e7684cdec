"""What a relay takes of new settings while it serves, and that it takes all of it or nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app import RELOADED, Relay, ServerSettings, serving
from gateway.protocol import Outcome
from gateway.relay import AdmissionSettings
from gateway.relay.credentials.admission import AdmissionRequest, Admitted
from settings import Unfit
from tests.gateway.test_certificate import renew, served
from tests.support.visitors import browser

NOW = 1_700_000_000.0
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


@pytest.fixture
async def relay(settings: ServerSettings) -> AsyncIterator[Relay]:
    async with serving(settings) as running:
        yield running


async def page(settings: ServerSettings, path: str = "/signin") -> str:
    async with browser(settings) as get:
        return (await get(path))[1].decode()


def look(settings: ServerSettings, **signin: Any) -> ServerSettings:
    return replace(settings, signin=replace(settings.signin, **signin))


async def test_the_pages_look_as_the_new_settings_say(relay: Relay, settings: ServerSettings, tmp_path: Path) -> None:
    """Name, colour, logo and texts; style sheet and logo under addresses of their own."""
    logo(tmp_path, LOGO)
    before = await page(settings)
    taken = await relay.reload(
        look(
            settings, organisation="Example Ltd", colour="#aa0000", logo_file=tmp_path / "logo.svg", support_url="tel:+49301"
        )
    )
    after = await page(settings)
    assert taken == RELOADED
    assert "Example Ltd" not in before
    assert all(words in after for words in ("Example Ltd", 'href="tel:+49301"', "/static/"))
    style = after.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert "#aa0000" in await page(settings, style)


def logo(directory: Path, content: bytes) -> None:
    (directory / "logo.svg").write_bytes(content)


async def test_a_logo_that_was_replaced_is_read_anew(relay: Relay, settings: ServerSettings, tmp_path: Path) -> None:
    """Settings that have not changed name the same file."""
    logo(tmp_path, LOGO)
    new = look(settings, logo_file=tmp_path / "logo.svg")
    await relay.reload(new)
    before = await page(settings)
    logo(tmp_path, LOGO + b"<!-- -->")
    await relay.reload(new)
    assert logo_address(await page(settings)) != logo_address(before) != ""


def logo_address(text: str) -> str:
    return text.partition('<img src="')[2].partition('"')[0]


async def test_sessions_and_limits_are_the_new_ones(relay: Relay, settings: ServerSettings) -> None:
    """What was counted before stays, and is judged by them."""
    assert await wrong_passwords(relay, 2) == 2
    await relay.reload(replace(settings, admission=AdmissionSettings(threshold=3)))
    assert await wrong_passwords(relay, 3) == 1


async def wrong_passwords(relay: Relay, most: int) -> int:
    """How many more are admitted of one person."""
    admission = relay.lockouts.admission
    for number in range(most):
        request = AdmissionRequest(user_name="anna@corp.example.com", password=os.urandom(8).hex(), address="192.0.2.1")
        admitted = await admission.check(request, NOW)
        if not isinstance(admitted, Admitted):
            return number
        await admission.settle(admitted, Outcome.WRONG_CREDENTIAL, NOW, account=b"", account_key="")
    return most


@pytest.mark.parametrize("wrong", ["logo_file", "tls_key"])
async def test_what_cannot_be_used_changes_nothing(
    relay: Relay, settings: ServerSettings, tmp_path: Path, wrong: str
) -> None:
    """Not even what stands beside it and could."""
    before, certificate = await page(settings), await served(settings)
    if wrong == "tls_key":
        renew(settings, key=False)
        new = look(settings, organisation="Example Ltd")
    else:
        renew(settings)
        new = look(settings, organisation="Example Ltd", logo_file=tmp_path / "missing.svg")
    with pytest.raises(Unfit) as refused:
        await relay.reload(new)
    assert refused.value.key == (("server", "tls_key") if wrong == "tls_key" else ("server", "signin", "logo_file"))
    assert "Example Ltd" not in await page(settings)
    assert len(await page(settings)) == len(before)
    assert await served(settings) == certificate


async def test_a_renewed_certificate_is_served_immediately(relay: Relay, settings: ServerSettings) -> None:
    """At another path, too; from then on that is looked at."""
    other = settings.tls_certificate or Path()
    new = renew(settings)
    moved = replace(
        settings, tls_certificate=link(other, "moved.pem"), tls_key=link(settings.tls_key or Path(), "moved.key")
    )
    await relay.reload(moved)
    assert await served(settings) == new
    newer = renew(settings)
    await relay.housekeeping.tidy()
    assert await served(settings) == newer


def link(path: Path, name: str) -> Path:
    made = path.with_name(name)
    made.symlink_to(path)
    return made


async def test_https_instead_of_plain_http_needs_a_restart(settings: ServerSettings) -> None:
    """It is said, by what was taken."""
    plain = replace(settings, tls_certificate=None, tls_key=None)
    async with serving(plain) as relay:
        assert await relay.reload(settings) == ("signin", "admission")
        assert await relay.reload(plain) == ("signin", "admission")


async def test_every_part_that_was_given_settings_gets_the_new_ones(relay: Relay, settings: ServerSettings) -> None:
    """Sessions, pages, API, familiar browsers, lockout in memory and store, open requests."""
    new = replace(
        look(settings, session_idle=60.0, device_lifetime=120.0), admission=AdmissionSettings(address_rate=7, records=9)
    )
    await relay.reload(new)
    assert {part._settings.session_idle for part in (relay.pages, relay.sessions, relay.api)} == {60.0}
    assert relay._device._lifetime == 120.0
    assert relay.refusals._open._per_address == 7
    assert relay.lockouts._records._settings.records == 9
