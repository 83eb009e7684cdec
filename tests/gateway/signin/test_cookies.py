"""What cookies and forms are signed with."""

from __future__ import annotations

import time

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.signin import CookieSigner, DeviceCookie, FormToken
from gateway.signin.cookies import DEVICE, FORM, SESSION, digest, read_cookie
from tests.support.keys import FixedKeyring

ANNA = "anna@corp.example.com"
LIFETIME = 1000.0


@pytest.fixture
def keyring() -> FixedKeyring:
    return FixedKeyring()


@pytest.mark.parametrize(("user", "other"), [("straße", "strasse"), ("smith", "ſmith")])  # noqa: RUF001
def test_a_device_is_known_for_one_of_two_whom_a_directory_tells_apart(keyring: FixedKeyring, user: str, other: str) -> None:
    """Or a neighbour's own browser would give them a second budget of guesses."""
    device = DeviceCookie(CookieSigner(keyring, "devices"), LIFETIME, time.time)
    assert device.knows(device.make(user), user)
    assert not device.knows(device.make(user), other)
    assert not device.knows(device.make(other), user)


async def test_a_device_is_known_until_the_second_roll(keyring: FixedKeyring) -> None:
    """Two keys are valid at a time; a new cookie is signed with the newest."""
    device = DeviceCookie(CookieSigner(keyring, "devices"), LIFETIME, time.time)
    cookie = device.make(ANNA)
    assert device.knows(cookie, ANNA.upper())
    assert device.knows(device.make(ANNA.upper()), ANNA)
    assert not device.knows(cookie, "ben@corp.example.com")
    assert not device.knows("x" + cookie, ANNA)
    await keyring.roll()
    assert device.knows(cookie, ANNA)
    newer = device.make(ANNA)
    await keyring.roll()
    assert not device.knows(cookie, ANNA)
    assert device.knows(newer, ANNA)


def test_no_use_takes_the_signature_of_another(keyring: FixedKeyring) -> None:
    """A form's token is no device's cookie, even over the same text."""
    form, device = FormToken(CookieSigner(keyring, "forms")), CookieSigner(keyring, "devices")
    token = form.token("text")
    assert form.fits("text", token)
    assert not form.fits("", form.token(""))
    assert not device.fits(token, "text")


def test_no_part_of_a_device_cookie_can_be_moved_to_its_neighbour(keyring: FixedKeyring) -> None:
    """joanna's is not anna's, whatever is cut off the name and put before it."""
    device = DeviceCookie(CookieSigner(keyring, "devices"), LIFETIME, lambda: 5000.0)
    made, nonce, signature = device.make("jo" + ANNA).split(".")
    assert device.knows(f"{made}.{nonce}.{signature}", "jo" + ANNA)
    for cookie in (
        f"{made}.{nonce}jo.{signature}",
        f"{made}{nonce[0]}.{nonce[1:]}jo.{signature}",
        f"{nonce}jo.{signature}",
        f"{made}.{nonce}..{signature}",
    ):
        assert not device.knows(cookie, ANNA)
        assert not device.knows(cookie, "jo" + ANNA)
    signer = CookieSigner(keyring, "devices")
    assert not signer.fits(signer.sign("ab", "c"), "a", "bc")
    assert not signer.fits(signer.sign("ab", "c"), "abc")


def test_a_device_cookie_ends_here_too(keyring: FixedKeyring) -> None:
    """One that was stolen is in no browser that would drop it; its date cannot be changed."""
    now = 5000.0
    device = DeviceCookie(CookieSigner(keyring, "devices"), LIFETIME, lambda: now)
    cookie = device.make(ANNA)
    made, rest = cookie.split(".", 1)
    now += LIFETIME
    assert device.knows(cookie, ANNA)
    now += 1.0
    assert not device.knows(cookie, ANNA)
    assert not device.knows(f"{int(made) + 100}.{rest}", ANNA)
    now -= LIFETIME + 3.0  # another node's clock is two seconds behind
    assert device.knows(cookie, ANNA)


@pytest.mark.parametrize(
    "garbage", ["", ".", "..", "...", "a.b.c", "\udcff.\udcff.\udcff", "9" * 5000, "1.2." + "x" * 5000, "-1.x.y", "nan.x.y"]
)
def test_garbage_is_no_device_cookie(keyring: FixedKeyring, garbage: str) -> None:
    """Nor an error."""
    assert not DeviceCookie(CookieSigner(keyring, "devices"), LIFETIME, time.time).knows(garbage, ANNA)


def sent(*headers: str) -> str:
    """What counts as the session of a browser that sent these `Cookie` headers."""
    given = CIMultiDict([("Cookie", header) for header in headers])
    return read_cookie(make_mocked_request("GET", "/", headers=given), SESSION)


@pytest.mark.parametrize(
    "header",
    [
        f"{SESSION}=mine",
        f"a=b; {SESSION}=mine; c=d",
        f"a=b;{SESSION}=mine;c",
        f";; \t{SESSION}=mine\t ;",
        f"{DEVICE}=x; {FORM}=y; {SESSION}=mine",
    ],
)
def test_our_cookie_is_found(header: str) -> None:
    """Wherever it stands."""
    assert sent(header) == "mine"


@pytest.mark.parametrize(
    "header",
    [
        "",
        SESSION,
        f"{SESSION}=",
        f"x=y {SESSION}=theirs",
        f'x="y; {SESSION}-no=1"; z=, {SESSION}=theirs',
        f"x=y,{SESSION}=theirs",
        f"\u2000{SESSION}=theirs",
        f"\u00a0{SESSION}=theirs",
        f"\x0b{SESSION}=theirs",
        f"\x0c{SESSION}=theirs",
        f"\ufeff{SESSION}=theirs",
        f"{SESSION.upper()}=theirs",
        f"{SESSION}\u200b=theirs",
        f'"{SESSION}"=theirs',
        f"={SESSION}=theirs",
        f"{SESSION}=mine; {SESSION}=theirs",
        f"{SESSION}=mine; {SESSION}=mine",
        f"{SESSION}=; {SESSION}=theirs",
    ],
)
def test_what_a_neighbour_can_set_is_not_ours(header: str) -> None:
    """Other sites under the same domain may set any cookie but one with our very name; of two nobody knows whose each is."""
    assert sent(header) == ""


def test_several_headers_are_one_list() -> None:
    """A proxy between HTTP/2 and HTTP/1.1 may leave them apart."""
    assert sent("a=b", f"{SESSION}=mine") == "mine"
    assert sent(f"{SESSION}=mine", f"{SESSION}=theirs") == ""
    assert sent(f'{SESSION}="mine"') == '"mine"'


def test_bytes_that_are_no_text_stay_what_they_are() -> None:
    """Two cookies that differ are never one and the same."""
    assert len({digest(value) for value in ("?", "\udcff", "\udcfe", "\ufffd")}) == 4
