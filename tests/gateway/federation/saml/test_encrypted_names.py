"""Names that are encrypted: those of parties for us, with the ring `decrypting`, and ours for parties."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree  # type: ignore[import-untyped]

from certs import Certificate, KeyState, read_certificate
from foundation.saml import NameIdentifier, decrypt_element, encrypt_name, read_name_id
from gateway.federation.keys.material import make_key
from tests.foundation.saml.parties import party
from tests.gateway.federation.saml.conftest import Provider
from tests.gateway.federation.saml.service_provider import (
    ENTITY,
    NAMES,
    Answer,
    answer_in,
    authn_request,
    by_redirect,
    own_keys,
    pem,
)
from tests.gateway.federation.saml.test_logout import (
    Known,
    both,
    followed,
    further,
    logout,
    request_in,
    response_in,
    sent,
    shop_trust,
    signed_in,
)
from tests.gateway.federation.saml.test_logout_soap import answered, signed, soap
from tests.gateway.signin.site import ANNA, Site

ENCRYPTED = "urn:oasis:names:tc:SAML:2.0:nameid-format:encrypted"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


async def certificates(site: Site) -> list[Certificate]:
    """For which the metadata says one may encrypt, in their order."""
    root = etree.fromstring((await site.get("/saml/metadata"))[1].encode())
    spaces = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": NAMES["ds"]}
    found = root.xpath("//md:KeyDescriptor[@use='encryption']//ds:X509Certificate/text()", namespaces=spaces)
    return [read_certificate(base64.b64decode(text)) for text in found]


async def put_key(site: Site, provider: Provider, state: KeyState, *, ahead: float = 0.0) -> Certificate:
    """One more in the ring; what a rollover does is tested where it is made."""
    record = make_key("decrypting", "RSA", host="signin.example.com", state=state, now=site.now + ahead, lifetime=9e6)
    unit = site.store.unit()
    unit.put_signing_key(record)
    await unit.commit()
    await provider.keys.load()
    return read_certificate(record.certificate)


async def test_the_metadata_says_what_to_encrypt_for(site: Site, provider: Provider) -> None:
    """The key in use, then the next one. One that ends is shown to nobody new, for it will be gone before they use it."""
    current = await certificates(site)
    active = provider.keys.active("decrypting", "RSA").record.certificate
    assert current == [read_certificate(active)]
    await put_key(site, provider, KeyState.NEXT)
    await put_key(site, provider, KeyState.RETIRING)
    published = await put_key(site, provider, KeyState.PUBLISHED)
    assert await certificates(site) == [*current, published]
    _, page, _ = await site.get("/saml/metadata")
    methods = re.findall(r'EncryptionMethod Algorithm="[^"]+#([^"]+)"', page)
    assert methods[:3] == ["aes256-gcm", "aes128-gcm", "rsa-oaep-mgf1p"]


async def test_a_key_that_is_about_to_end_is_shown_until_then(site: Site, provider: Provider) -> None:
    """Its successor takes over in a moment that lies ahead: until then it is the one in use."""
    leaving = await put_key(site, provider, KeyState.RETIRING, ahead=50)
    assert leaving in await certificates(site)
    site.now += 51
    assert leaving not in await certificates(site)


@pytest.mark.parametrize("state", [KeyState.ACTIVE, KeyState.PUBLISHED, KeyState.RETIRING])
async def test_each_published_key_opens_a_name(site: Site, provider: Provider, state: KeyState) -> None:
    """Parties read the metadata in their own time."""
    wiki, _ = await both(site, provider)
    certificate = await put_key(site, provider, state)
    await followed(site, sent(encrypt_name(logout(site.now, wiki), certificate), own_keys()))
    assert not await signed_in(site)


async def test_by_soap_too(site: Site, provider: Provider) -> None:
    """The same checks; without an index the name alone finds the session."""
    wiki, _ = await both(site, provider)
    (certificate,) = await certificates(site)
    document = encrypt_name(logout(site.now, Known(wiki.name, "")), certificate)
    _, envelope = await soap(site, signed(document))
    assert answered(provider, envelope).status[0].endswith("Success")
    assert not await signed_in(site)


@pytest.mark.parametrize("accepted", [False, True])
async def test_cbc_by_the_switch_of_the_trust(site: Site, provider: Provider, accepted: bool) -> None:
    """python3-saml and older ones know nothing else; the signature around it is verified before."""
    await provider.change(accept_cbc=accepted)
    wiki, _ = await both(site, provider)
    (certificate,) = await certificates(site)
    await followed(site, sent(encrypt_name(logout(site.now, wiki), certificate, "aes128-cbc"), own_keys()))
    assert await signed_in(site) is not accepted


def _flipped(document: bytes, number: int) -> bytes:
    """One bit of the wrapped key (0), or of the content (1)."""
    found = list(re.finditer(rb"<xenc:CipherValue>([^<]*)<", document))[number]
    raw = bytearray(base64.b64decode(found[1]))
    raw[30] ^= 1
    return document[: found.start(1)] + base64.b64encode(bytes(raw)) + document[found.end(1) :]


BAD: dict[str, Callable[[float, Known, Certificate], bytes]] = {
    "key damaged": lambda now, wiki, our: _flipped(encrypt_name(logout(now, wiki), our), 0),
    "content damaged": lambda now, wiki, our: _flipped(encrypt_name(logout(now, wiki), our), 1),
    "CBC damaged": lambda now, wiki, our: _flipped(encrypt_name(logout(now, wiki), our, "aes128-cbc"), 1),
    "for another": lambda now, wiki, _: encrypt_name(logout(now, wiki), party("shop").certificate),
    "PKCS 1 version 1.5": lambda now, wiki, our: encrypt_name(logout(now, wiki), our).replace(b"rsa-oaep-mgf1p", b"rsa-1_5"),
    "unknown cipher": lambda now, wiki, our: encrypt_name(logout(now, wiki), our).replace(b"aes256-gcm", b"tripledes-cbc"),
    "no encrypted key": lambda now, wiki, our: encrypt_name(logout(now, wiki), our).replace(b"xenc:EncryptedKey", b"xenc:K"),
    "no name in it": lambda now, wiki, our: encrypt_name(logout(now, replace(wiki, name="<x/>")), our),
    "another's name": lambda now, wiki, our: encrypt_name(logout(now, replace(wiki, name=f"{wiki.name}x")), our),
    "another's name, no index": lambda now, _, our: encrypt_name(logout(now, Known("somebody", "")), our),
}


@pytest.mark.parametrize("made", BAD.values(), ids=BAD)
async def test_whatever_is_wrong_with_a_ciphertext_the_answer_is_one(
    site: Site, provider: Provider, made: Callable[[float, Known, Certificate], bytes]
) -> None:
    """S26: damage, another key and another name look alike to the party, so that its answers decrypt nothing."""
    await provider.change(accept_cbc=True)
    wiki, _ = await both(site, provider)
    (certificate,) = await certificates(site)
    _, _, headers = await site.get(sent(made(site.now, wiki, certificate), own_keys()))
    response, _ = response_in(provider, headers["Location"])
    assert [code.rpartition(":")[2] for code in response.status] == ["Requester", "RequestDenied"]
    assert response.message == ""
    assert await signed_in(site)


async def test_where_there_is_no_such_session_nothing_is_decrypted(site: Site, provider: Provider) -> None:
    """It has ended already: that is a success, and says nothing about the ciphertext."""
    wiki, _ = await both(site, provider)
    for number, certificate in enumerate((party("shop").certificate, *(await certificates(site)))):
        document = encrypt_name(logout(site.now, Known(wiki.name, "_gone"), ID=f"_{number}"), certificate)
        _, _, headers = await site.get(sent(document, own_keys()))
        assert response_in(provider, headers["Location"])[0].succeeded


async def test_an_unsigned_request_has_nothing_decrypted(
    site: Site, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S26: strangers cannot ask, nor make the relay work."""
    wiki, _ = await both(site, provider)
    (certificate,) = await certificates(site)
    monkeypatch.setattr(provider.context.keys, "published", None)
    assert (await site.get(sent(encrypt_name(logout(site.now, wiki), certificate), None)))[0] == 400


# -- who a request to sign in is about


def about(now: float, certificate: Certificate, name: str, cipher: str = "aes256-gcm") -> bytes:
    document = authn_request(now, f"<a:Subject><a:NameID>{name}</a:NameID></a:Subject>")
    return encrypt_name(document, certificate, cipher)


@pytest.mark.parametrize(
    ("name", "cipher", "keys", "status"),
    [
        (ANNA, "aes256-gcm", own_keys(), ["Success"]),
        ("ben@corp.example.com", "aes256-gcm", own_keys(), ["Responder", "UnknownPrincipal"]),
        (ANNA, "aes256-gcm", None, ["Responder", "RequestUnsupported"]),
        (ANNA, "aes128-cbc", own_keys(), ["Responder", "RequestUnsupported"]),
    ],
    ids=["the person", "somebody else", "not signed", "CBC"],
)
async def test_a_subject_may_be_encrypted(
    site: Site, provider: Provider, name: str, cipher: str, keys: Any, status: list[str]
) -> None:
    """In signed requests, with an authenticated cipher: then it is treated as a plain one."""
    await provider.change(accept_cbc=True)
    await site.sign_in()
    (certificate,) = await certificates(site)
    _, page, _ = await site.get(by_redirect(about(site.now, certificate, name, cipher), keys=keys))
    assert answer_in(page).status == status


@pytest.mark.parametrize("encrypted", [True, False])
async def test_a_subject_that_was_encrypted_stands_on_no_page(site: Site, provider: Provider, encrypted: bool) -> None:
    """A party that got hold of what another one has encrypted for us would read it there; a plain one fills the field."""
    (certificate,) = await certificates(site)
    plain = authn_request(site.now, f"<a:Subject><a:NameID>{ANNA}</a:NameID></a:Subject>")
    shown = await site.open(by_redirect(about(site.now, certificate, ANNA) if encrypted else plain, keys=own_keys()))
    assert 'name="user_name"' in shown.page
    assert (ANNA in shown.page) is not encrypted


# -- names of ours


def name_in(element: bytes) -> NameIdentifier:
    """As the party whose key is `own_keys` reads it."""
    return read_name_id(decrypt_element(element, [own_keys().key], "EncryptedID"))


def told_name(answer: Answer, *, encrypted: bool) -> NameIdentifier:
    """In the Subject stands one name, of one kind."""
    children = [child.tag.rpartition("}")[2] for child in answer.find("//a:Subject")[0]]
    assert children == ["EncryptedID" if encrypted else "NameID", "SubjectConfirmation"]
    (element,) = answer.find("//a:Subject/*[1]")
    document = etree.tostring(element, with_tail=False)
    return name_in(document) if encrypted else read_name_id(document)


@pytest.mark.parametrize("sign", ["assertion", "response", "both"])
async def test_the_trust_has_names_encrypted(site: Site, provider: Provider, sign: str) -> None:
    """Only the name, under the signatures: they hold over the ciphertext."""
    await provider.change(encrypt_name_id=True, encryption_certificate=pem(own_keys()), sign=sign)
    await site.sign_in()
    answer = answer_in((await site.get(by_redirect(authn_request(site.now))))[1])
    assert len(told_name(answer, encrypted=True).value) == 43
    assert answer.attributes()["urn:oid:0.9.2342.19200300.100.1.1"] == [ANNA]
    assert len(answer.signed_ids(provider.keys.active("saml", "RSA").certificate)) == (2 if sign == "both" else 1)


async def test_a_request_has_the_name_encrypted(site: Site, provider: Provider) -> None:
    """Errata 05, E6: of which kind the name is, says the trust. Another request of the same party gets a plain one."""
    await provider.change(encryption_certificate=pem(own_keys()), name_id_format=TRANSIENT)
    await site.sign_in()
    wanted = authn_request(site.now, f'<p:NameIDPolicy Format="{ENCRYPTED}"/>')
    name = told_name(answer_in((await site.get(by_redirect(wanted)))[1]), encrypted=True)
    assert name.format == TRANSIENT
    plain = answer_in((await site.get(by_redirect(authn_request(site.now, ID="_request2"))))[1])
    assert told_name(plain, encrypted=False).format == TRANSIENT


@pytest.mark.parametrize(
    ("fields", "inside", "status"),
    [
        ({"encrypt": True}, "", "RequestDenied"),
        ({"encrypt_name_id": True}, "", "RequestDenied"),
        ({}, f'<p:NameIDPolicy Format="{ENCRYPTED}"/>', "RequestDenied"),
    ],
    ids=["assertion", "name", "asked for"],
)
async def test_what_cannot_be_encrypted_is_not_sent(
    site: Site, provider: Provider, fields: dict[str, Any], inside: str, status: str
) -> None:
    """The metadata of the party has no certificate for that (any more): a status, and no assertion in the open."""
    await provider.change(**fields, metadata_url="https://wiki.example.com/metadata")
    await site.sign_in()
    answer = answer_in((await site.get(by_redirect(authn_request(site.now, inside), keys=own_keys())))[1])
    assert (answer.status, answer.find("//a:Assertion")) == (["Responder", status], [])


async def join_encrypted(site: Site, policy: str = "") -> Known:
    answer = answer_in((await site.get(by_redirect(authn_request(site.now, policy))))[1])
    index = answer.text("//a:AuthnStatement/@SessionIndex")
    return Known(told_name(answer, encrypted=True).value, index)


@pytest.mark.parametrize("policy", ["", f'<p:NameIDPolicy Format="{ENCRYPTED}"/>'], ids=["by the trust", "asked for"])
async def test_the_name_is_encrypted_in_our_logout_request_too(site: Site, provider: Provider, policy: str) -> None:
    """What was given encrypted does not stand in an address a little later."""
    await provider.change(
        encrypt_name_id=not policy, encryption_certificate=pem(own_keys()), logout_url="https://wiki.example.com/slo"
    )
    await provider.trusted(shop_trust())
    await site.sign_in()
    known = await join_encrypted(site, policy)
    _, _, headers = await site.post("/signout")
    _, page, _ = await followed(site, headers["Location"])
    asked = request_in(provider, further(page))
    assert asked.name_id is None
    assert name_in(asked.encrypted_name_id).value == known.name
    assert asked.session_indexes == (known.index,)


async def test_a_logout_request_whose_name_cannot_be_encrypted_is_not_sent(site: Site, provider: Provider) -> None:
    """The certificate has gone meanwhile: the page says that the application was not reached."""
    fields = {"encrypt_name_id": True, "logout_url": "https://wiki.example.com/slo"}
    await provider.change(**fields, encryption_certificate=pem(own_keys()))
    await site.sign_in()
    await join_encrypted(site)
    await provider.change(encryption_certificate="", metadata_url="https://wiki.example.com/metadata")
    _, _, headers = await site.post("/signout")
    _, page, _ = await followed(site, headers["Location"])
    assert "not reached" in page


async def test_a_name_that_was_encrypted_is_known_in_the_open(site: Site, provider: Provider) -> None:
    """A party that was given it encrypted may ask with it as it is."""
    await provider.change(
        encrypt_name_id=True, encryption_certificate=pem(own_keys()), logout_url="https://wiki.example.com/slo"
    )
    await site.sign_in()
    known = await join_encrypted(site)
    await followed(site, sent(logout(site.now, known, issuer=ENTITY), own_keys()))
    assert not await signed_in(site)
