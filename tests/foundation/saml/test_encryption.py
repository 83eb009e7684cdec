"""Encrypted assertions and names: whoever holds the key reads them, and nobody can ask his way to it."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from certs import read_certificate
from foundation.saml import (
    CIPHERS,
    SamlError,
    decrypt_element,
    encrypt_element,
    encrypt_name,
    read_name_id,
    sign_element,
    verify_enveloped,
)
from tests.foundation.saml.parties import DS, SAML, elliptic_party, party, response, text, tree

ASSERTION = f"{{{SAML}}}Assertion"
ENC, ENC11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
NAME = f'<saml:NameID xmlns:saml="{SAML}">anna</saml:NameID>'.encode()
SHA1 = hashes.SHA1()  # noqa: S303 - of OAEP


def encrypted(cipher: str = "aes256-gcm") -> bytes:
    """The EncryptedAssertion alone."""
    signed = sign_element(response(), "_assertion1", party("idp").key, None)
    whole = tree(encrypt_element(signed, "_assertion1", party().certificate, cipher))
    assert whole.find(ASSERTION) is None
    return bytes(etree.tostring(whole.find(f"{{{SAML}}}EncryptedAssertion"), with_tail=False))


@pytest.mark.parametrize("cipher", CIPHERS)
def test_who_holds_the_key_reads_it(cipher: str) -> None:
    """The assertion comes out as it was signed, prefixes of the response among it; a wrong key before it does not matter."""
    cbc = cipher.endswith("cbc")
    found = decrypt_element(encrypted(cipher), [party("other").key, party().key], "assertion", cbc=cbc)
    verified = verify_enveloped(found, [party("idp").certificate], "assertion", root_tags=[ASSERTION])
    assert "Köln &amp; Bonn".encode() in verified.document
    assert tree(found).nsmap["xs"] == "http://www.w3.org/2001/XMLSchema"


def test_a_wrong_key_never_reads_cbc() -> None:
    """What a made-up key gives ends like padding in one of 16 cases: the right key is tried all the same."""
    data, keys = encrypted("aes128-cbc"), [party("other").key, party().key]
    assert len({decrypt_element(data, keys, "assertion", cbc=True) for _ in range(100)}) == 1


@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_name_is_encrypted_before_the_assertion_is_signed(cipher: str) -> None:
    """The signature is over the ciphertext (errata 05, E43): nobody needs the key to verify it."""
    signed = sign_element(encrypt_name(response(), party().certificate, cipher), "_assertion1", party("idp").key, None)
    (assertion,) = tree(signed).iter(ASSERTION)
    document = etree.tostring(assertion, with_tail=False)
    verify_enveloped(document, [party("idp").certificate], "assertion", root_tags=[ASSERTION])
    subject = assertion.find(f"{{{SAML}}}Subject")
    assert subject[0].tag == f"{{{SAML}}}EncryptedID"
    secret = etree.tostring(subject[0], with_tail=False)
    assert b"anna" not in signed
    name = read_name_id(decrypt_element(secret, [party().key], "name", cbc=cipher.endswith("cbc")))
    assert name.value.startswith("anna")


@pytest.mark.parametrize("names", [0, 2])
def test_only_a_message_with_one_name_has_it_encrypted(names: int) -> None:
    """A mistake of ours: said, before anything is sent."""
    document = f'<x xmlns:saml="{SAML}">{"<saml:NameID>a</saml:NameID>" * names}</x>'.encode()
    with pytest.raises(SamlError, match=f"{names} names"):
        encrypt_name(document, party().certificate)


def test_nothing_readable_is_left_in_the_response() -> None:
    """Neither the name nor the groups."""
    data = encrypt_element(response(), "_assertion1", party().certificate)
    assert b"anna" not in data
    assert "Köln".encode() not in data
    assert b"Status" in data


def test_each_encryption_is_another() -> None:
    """Fresh keys and nonces."""
    one, two = (re.findall(rb"<xenc:CipherValue>([^<]*)<", encrypted()) for _ in range(2))
    assert not set(one) & set(two)


def test_cbc_only_by_the_switch() -> None:
    """S26: it is not authenticated."""
    with pytest.raises(SamlError, match="not taken"):
        decrypt_element(encrypted("aes256-cbc"), [party().key], "assertion")


def name_element(
    used: padding.AsymmetricPadding,
    method: str,
    *,
    key: bytes = bytes(32),
    beside: bool = False,
    plain: bytes = NAME,
    recipient: str = "grafana",
) -> bytes:
    """An EncryptedID as others write it."""
    nonce = os.urandom(12)
    content = base64.encodebytes(nonce + AESGCM(key).encrypt(nonce, plain, None)).decode()
    wrapped = base64.b64encode(party(recipient).key.public_key().encrypt(key, used)).decode()
    encrypted_key = (
        f"<xenc:EncryptedKey>{method}<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedKey>"
    )
    inside = "" if beside else f"<ds:KeyInfo>{encrypted_key}</ds:KeyInfo>"
    return (
        f'<saml:EncryptedID xmlns:saml="{SAML}" xmlns:xenc="{ENC}" xmlns:ds="{DS}"><xenc:EncryptedData>'
        f'<xenc:EncryptionMethod Algorithm="{ENC11}aes256-gcm"/>{inside}'
        f"<xenc:CipherData><xenc:CipherValue>{content}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
        f"{encrypted_key if beside else ''}</saml:EncryptedID>"
    ).encode()


def method(algorithm: str, inside: str = "") -> str:
    return f'<xenc:EncryptionMethod Algorithm="{algorithm}">{inside}</xenc:EncryptionMethod>'


def digest(uri: str) -> str:
    return f'<ds:DigestMethod Algorithm="{uri}"/>'


def mgf(name: str) -> str:
    return f'<x:MGF xmlns:x="{ENC11}" Algorithm="{ENC11}{name}"/>'


def oaep(mask: hashes.HashAlgorithm, used: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(mask), used, None)


LABEL = "<xenc:OAEPparams>eA==</xenc:OAEPparams>"
MGF1P = method(f"{ENC}rsa-oaep-mgf1p")


@pytest.mark.parametrize(
    ("used", "written"),
    [
        (oaep(SHA1, SHA1), MGF1P),
        (oaep(SHA1, hashes.SHA256()), method(f"{ENC}rsa-oaep-mgf1p", digest(f"{ENC}sha256"))),
        (oaep(SHA1, SHA1), method(f"{ENC11}rsa-oaep")),
        (oaep(hashes.SHA256(), hashes.SHA256()), method(f"{ENC11}rsa-oaep", digest(f"{ENC}sha256") + mgf("mgf1sha256"))),
    ],
    ids=["mgf1p", "mgf1p with SHA-256", "1.1", "1.1 with SHA-256"],
)
@pytest.mark.parametrize("beside", [False, True], ids=["in KeyInfo", "beside the data"])
def test_a_name_that_others_have_encrypted(used: padding.OAEP, written: str, beside: bool) -> None:
    """Every form of OAEP that is in use, and both places of the key (saml-core-2.0-os section 2.2.4)."""
    data = name_element(used, written, beside=beside)
    assert read_name_id(decrypt_element(data, [party().key], "name")).value == "anna"


def with_second_key(written: str) -> bytes:
    """The first one opens."""
    second = re.search(rb"<xenc:EncryptedKey>.*</xenc:EncryptedKey>", name_element(oaep(SHA1, SHA1), written))
    assert second is not None
    return GENUINE.replace(b"</ds:KeyInfo>", second[0] + b"</ds:KeyInfo>")


PREFIXED = b"<saml:NameID>anna</saml:NameID>"


def test_a_text_that_uses_the_prefixes_around_it() -> None:
    """As xmlsec writes it: what is declared around the ciphertext counts (xmlenc-core, "Text Wrapping")."""
    found = decrypt_element(name_element(PLAIN_OAEP, MGF1P, plain=PREFIXED), [party().key], "name")
    assert read_name_id(found).value == "anna"


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(PREFIXED + PREFIXED, id="two"),
        pytest.param(b"x" + PREFIXED, id="text before"),
        pytest.param(PREFIXED + b"x", id="text after"),
        pytest.param(PREFIXED + b"</in><in>", id="out of its place"),
        pytest.param(b"<other:NameID>anna</other:NameID>", id="unknown prefix"),
        pytest.param(b'<!DOCTYPE x [<!ENTITY a "anna">]>' + PREFIXED, id="S10"),
        pytest.param(PREFIXED.replace(b"anna", b"an<!-- -->na"), id="S09"),
    ],
)
def test_a_text_that_is_no_single_element(plain: bytes) -> None:
    """Whoever encrypts decides what stands there: it is a stranger's text like any other."""
    with pytest.raises(SamlError):
        decrypt_element(name_element(PLAIN_OAEP, MGF1P, plain=plain), [party().key], "name")


PLAIN_OAEP = oaep(SHA1, SHA1)
GENUINE = name_element(PLAIN_OAEP, MGF1P)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(name_element(padding.PKCS1v15(), method(f"{ENC}rsa-1_5")), id="PKCS 1 version 1.5"),
        pytest.param(name_element(PLAIN_OAEP, MGF1P.replace("></", f">{LABEL}</")), id="label"),
        pytest.param(name_element(PLAIN_OAEP, MGF1P.replace("mgf1p", "x")), id="unknown"),
        pytest.param(name_element(PLAIN_OAEP, method(f"{ENC}rsa-oaep-mgf1p", digest("urn:x"))), id="digest"),
        pytest.param(name_element(PLAIN_OAEP, method(f"{ENC11}rsa-oaep", mgf("x"))), id="mask"),
        pytest.param(name_element(PLAIN_OAEP, method(f"{ENC}rsa-oaep-mgf1p", mgf("mgf1sha1"))), id="mask where none is due"),
        pytest.param(GENUINE.replace(b"aes256-gcm", b"aes192-gcm"), id="content"),
        pytest.param(GENUINE.replace(b"xenc:CipherValue", b"xenc:CipherReference"), id="elsewhere"),
        pytest.param(GENUINE.replace(b"xenc:EncryptedKey", b"xenc:Key"), id="no key"),
        pytest.param(with_second_key(method("urn:x")), id="a second key"),
        pytest.param(GENUINE.replace(b"<xenc:CipherValue>", b"<xenc:CipherValue>!"), id="base64"),
        pytest.param(GENUINE.replace(b"</xenc:CipherValue>", b"<x/></xenc:CipherValue>"), id="element in a value"),
        pytest.param(GENUINE.replace(b"EncryptedID", b"Other"), id="root"),
        pytest.param(NAME, id="plain"),
        pytest.param(b"<a", id="no XML"),
    ],
)
def test_what_is_not_taken(data: bytes) -> None:
    """S26: forms that let an attacker ask, or lead elsewhere, are refused before a key is touched."""
    with pytest.raises(SamlError, match="name: "):
        decrypt_element(data, [party().key], "name")


def flip(data: bytes, number: int, at: int) -> bytes:
    """One bit of the first (the key) or second (the content) ciphertext."""
    found = list(re.finditer(rb"<xenc:CipherValue>([^<]*)<", data))[number]
    raw = bytearray(base64.b64decode(found[1]))
    raw[at % len(raw)] ^= 1
    return data[: found.start(1)] + base64.b64encode(bytes(raw)) + data[found.end(1) :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(flip(GENUINE, 0, 5), id="key damaged"),
        pytest.param(flip(GENUINE, 1, 0), id="nonce damaged"),
        pytest.param(flip(GENUINE, 1, 20), id="content damaged"),
        pytest.param(flip(GENUINE, 1, -1), id="tag damaged"),
        pytest.param(name_element(oaep(SHA1, SHA1), MGF1P, recipient="other"), id="another's key"),
        pytest.param(name_element(oaep(SHA1, SHA1), MGF1P, key=bytes(16)), id="key of another length"),
    ],
)
def test_one_answer_whatever_is_wrong_with_a_ciphertext(data: bytes) -> None:
    """S26: damaged content and a key for somebody else look alike."""
    with pytest.raises(SamlError) as caught:
        decrypt_element(data, [party().key], "name")
    assert caught.value.reason == "it cannot be decrypted"


def test_about_one_time_whatever_is_wrong_with_a_ciphertext() -> None:
    """S26: a key that does not open goes the whole way, too."""

    def took(data: bytes) -> float:
        best = 1.0
        for _ in range(40):
            begun = time.process_time()
            with pytest.raises(SamlError):
                decrypt_element(data, [party().key], "name")
            best = min(best, time.process_time() - begun)
        return best

    key, content = took(flip(GENUINE, 0, 5)), took(flip(GENUINE, 1, 20))
    assert abs(key - content) < 0.5 * max(key, content)


def test_no_more_keys_than_a_few_are_tried() -> None:
    """Each costs a private operation."""
    inside = re.search(rb"<xenc:EncryptedKey>.*</xenc:EncryptedKey>", GENUINE)
    assert inside is not None
    with pytest.raises(SamlError, match="5 encrypted keys"):
        decrypt_element(GENUINE.replace(inside[0], inside[0] * 5), [party().key], "name")


def change_id(data: bytes) -> bytes:
    return data.replace(b"_assertion1", b"_other")


@pytest.mark.parametrize("change", [change_id, lambda data: text(tree(data).find(ASSERTION))], ids=["no ID", "alone"])
def test_only_an_assertion_in_a_response_is_encrypted(change: Callable[[bytes], bytes]) -> None:
    """A mistake of ours: said."""
    with pytest.raises(SamlError):
        encrypt_element(change(response()), "_assertion1", party().certificate)


def test_a_key_that_cannot_encrypt() -> None:
    """An elliptic one, or a short one: nothing is sent that others could read."""
    for certificate in (elliptic_party()[1], party("short", 1024).certificate):
        with pytest.raises(SamlError, match="not RSA with 2048 bits"):
            encrypt_element(response(), "_assertion1", certificate)


def test_a_key_that_cannot_be_read() -> None:
    """Of a kind that nobody knows: a certificate with it can be read."""
    rsa_encryption = bytes.fromhex("06092a864886f70d010101")
    unknown = party().certificate.der.replace(rsa_encryption, rsa_encryption[:-1] + b"\x2d")
    with pytest.raises(SamlError, match="cannot be read"):
        encrypt_element(response(), "_assertion1", read_certificate(unknown))


CBC = encrypted("aes128-cbc")


@given(st.sampled_from([GENUINE, CBC]), st.integers(0, 5000), st.binary(max_size=4), st.integers(0, 4))
def test_damage_is_refused_or_harmless(data: bytes, at: int, put: bytes, cut: int) -> None:
    """No other exception; with GCM never another text."""
    at %= len(data)
    try:
        found = decrypt_element(data[:at] + put + data[at + cut :], [party().key], "name", cbc=True)
    except SamlError:
        return
    assert data is CBC or found == NAME
