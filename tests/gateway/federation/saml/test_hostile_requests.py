"""What an attacker may send to the address for sign-on, over HTTP: the rows of the attack table at the door itself."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from lxml import etree  # type: ignore[import-untyped]
from structlog.testing import capture_logs

from foundation.saml import sign_element
from foundation.saml.redirect_binding import deflate
from tests.foundation.saml.parties import party, text, tree
from tests.foundation.saml.signing import by_rsa, hand_signed
from tests.foundation.saml.test_signature_attacks import SIGNATURE, WRAPPINGS
from tests.gateway.federation.saml.conftest import Provider
from tests.gateway.federation.saml.service_provider import ACS, OTHER_ACS, answer_in, authn_request, by_post, own_keys
from tests.gateway.signin.site import Site


async def refused(site: Site, data: dict[str, str] | None = None, path: str = "/saml/sso") -> bool:
    """A page of ours that says nothing, no form that posts anything, and the reason in the log."""
    with capture_logs() as logs:
        status, page, _ = await site.request("POST" if data is not None else "GET", path, data=data)
    reasons = [entry["reason"] for entry in logs if entry["event"] == "saml.unproven"]
    return status == 400 and "SAMLResponse" not in page and len(reasons) == 1 and reasons[0] not in page


def redirected(document: bytes) -> str:
    """The path of a request that nobody signed."""
    return f"/saml/sso?SAMLRequest={quote(base64.b64encode(deflate(document)).decode(), safe='')}"


@pytest.fixture
async def strict(site: Site, provider: Provider) -> Site:
    """Somebody is signed in, and the trust demands signed requests: what is taken is answered at once."""
    await provider.change(require_signed_requests=True)
    await site.sign_in()
    return site


@pytest.mark.parametrize("same_id", [False, True], ids=["another ID", "same ID"])
@pytest.mark.parametrize("wrap", WRAPPINGS, ids=[f"S0{number}" for number in range(1, 9)])
async def test_a_genuine_request_wrapped_into_another(
    strict: Site, wrap: Callable[[etree._Element, etree._Element, etree._Element], None], same_id: bool
) -> None:
    """S01-S08: a request of the party that went over the wire, and one of the attacker's around it."""
    signed = tree(sign_element(authn_request(strict.now), "_request1", own_keys().key, own_keys().certificate))
    found = signed.find(SIGNATURE)
    signed.remove(found)
    evil = tree(authn_request(strict.now, ID="_request1" if same_id else "_evil", AssertionConsumerServiceURL=OTHER_ACS))
    wrap(copy.deepcopy(signed), copy.deepcopy(found), evil)
    assert await refused(strict, by_post(text(evil)))


async def test_a_form_that_has_a_field_twice(site: Site) -> None:
    """S21: two readers would take two different ones."""
    await site.sign_in()
    field = f"SAMLRequest={quote(by_post(authn_request(site.now))['SAMLRequest'], safe='')}"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, expected in ((f"{field}&{field}", 400), (field, 200)):
        assert (await site.request("POST", "/saml/sso", data=body, headers=kind))[0] == expected


LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (number, b"&a%d;" % (number - 1) * 10) for number in range(1, 10))
DOCUMENTS: dict[str, Callable[[bytes], bytes]] = {
    "S09 comment in the Issuer": lambda good: good.replace(b"wiki.example.com/saml<", b"wiki.example.com/<!-- -->saml<"),
    "S10 external entity": lambda good: b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + good,
    "S10 external subset": lambda good: b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/">' + good,
    "S11 laughs": lambda good: b'<!DOCTYPE a [<!ENTITY a0 "ha">' + LAUGHS + b"]>" + good,
    "S12 instruction in the Issuer": lambda good: good.replace(b"wiki.example.com/saml<", b"wiki.<?x y?>example.com/saml<"),
    "S29 attributes": lambda good: good.replace(b" ID=", b" ".join([b"", *(b'a%d=""' % n for n in range(9000)), b"ID="])),
    "S29 depth": lambda good: good.replace(b"</p:AuthnRequest>", b"<a>" * 9000 + b"</a>" * 9000 + b"</p:AuthnRequest>"),
    "S29 invalid UTF-8": lambda good: good.replace(b"wiki", b"\xff\xfe", 1),
    "S29 UTF-16": lambda good: good.decode().encode("utf-16"),
    "S29 UTF-7": lambda _: b"<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-",
    "S29 NUL": lambda good: good.replace(b"wiki", b"wi\0ki", 1),
    "S29 half of one": lambda good: good[: len(good) // 2],
}


@pytest.mark.parametrize("change", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_document_that_is_none(strict: Site, change: Callable[[bytes], bytes]) -> None:
    """By form and by address, whether or not the trust demands signatures: nobody is named, so nobody is asked."""
    data = change(authn_request(strict.now))
    assert await refused(strict, by_post(data))
    path = redirected(data)
    assert len(path) > 8000 or await refused(strict, path=path)  # no server takes a longer line


@pytest.mark.parametrize("size", [300_000, 5_000_000], ids=["S16 300 kB", "S16 5 MB"])
async def test_what_becomes_large_is_not_inflated(strict: Site, size: int) -> None:
    """S16: a few bytes that would fill the memory."""
    assert await refused(strict, path=redirected(b" " * size))


async def test_what_is_large_already_is_not_read(strict: Site) -> None:
    """S29: a form of more than half a megabyte."""
    assert await refused(strict, by_post(b" " * 600_000))


def _by_mallory(document: bytes) -> bytes:
    """With Mallory's key, and Mallory's certificate beside it."""
    mallory = party("mallory")
    return sign_element(document, "_request1", mallory.key, mallory.certificate)


def _without_key_info(document: bytes) -> bytes:
    return sign_element(document, "_request1", party("mallory").key, None)


def _sha1(info: str) -> str:
    return info.replace("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1")


SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "S14 what was signed is not what is there": lambda good: sign_element(good, "_request1", own_keys().key, None).replace(
        ACS.encode(), OTHER_ACS.encode()
    ),
    "S18 a certificate of the attacker's": _by_mallory,
    "S18 no certificate at all": _without_key_info,
    "S19 SHA-1": lambda good: hand_signed(good, _sha1, sign=by_rsa(own_keys().key, hashes.SHA1())),  # noqa: S303 - what must not be taken
    "S20 no signature": lambda good: good,
}


@pytest.mark.parametrize("signed", SIGNATURES.values(), ids=SIGNATURES)
async def test_a_signature_that_proves_nothing(strict: Site, signed: Callable[[bytes], bytes]) -> None:
    """The trust's keys alone count, over the bytes that are read."""
    assert await refused(strict, by_post(signed(authn_request(strict.now))))


async def test_the_same_request_as_the_party_signs_it_is_taken(strict: Site) -> None:
    """All that is refused above differs from this in one thing; signed by hand it is taken, too."""
    for document in (
        sign_element(authn_request(strict.now), "_request1", own_keys().key, None),
        hand_signed(authn_request(strict.now, ID="_request2"), sign=by_rsa(own_keys().key)),
    ):
        _, page, _ = await strict.request("POST", "/saml/sso", data=by_post(document))
        assert answer_in(page).status == ["Success"]
