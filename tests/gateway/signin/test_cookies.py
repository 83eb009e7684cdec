"""What cookies and forms are signed with."""

from __future__ import annotations

import pytest

from gateway.signin import CookieSigner, DeviceCookie, FormToken
from tests.support.keys import FixedKeyring

ANNA = "anna@corp.example.com"


@pytest.fixture
def keyring() -> FixedKeyring:
    return FixedKeyring()


async def test_a_device_is_known_until_the_second_roll(keyring: FixedKeyring) -> None:
    """Two keys are valid at a time; a new cookie is signed with the newest."""
    device = DeviceCookie(CookieSigner(keyring, "devices"))
    cookie = device.make(ANNA)
    assert device.knows(cookie, ANNA.upper())
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
    assert not device.fits("text", token)
