"""Attacks on signed messages, by the rows of the attack table: each is refused, or what is read is what was signed.

The attacker has a message that a trusted party has signed, and no key that is trusted. Sources: Somorovsky and others, "On
Breaking SAML" (2012), with SAMLRaider's eight forms of wrapping; what was found since in ruby-saml, node-saml, pysaml2,
php-saml and signxml (the CVE numbers stand at the forms); "The Fragile Lock" (PortSwigger, 2025).
"""

from __future__ import annotations

import base64
import copy
import time
import tracemalloc
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree  # type: ignore[import-untyped]

from certs import Certificate
from foundation.saml import (
    AUTHN_REQUEST,
    LOGOUT_REQUEST,
    SamlError,
    read_authn_request,
    read_logout_request,
    sign_element,
    verify_enveloped,
)
from foundation.saml.algorithms import MAX_CERTIFICATES, trusted_keys
from tests.foundation.saml.parties import (
    DS,
    ENTITY,
    SAML,
    SAMLP,
    authn_request,
    elliptic_party,
    logout_request,
    party,
    response,
    text,
    tree,
)
from tests.foundation.saml.signing import EXCLUSIVE, TRANSFORMS, by_hmac, by_rsa, hand_signed, signature, signed_info

RESPONSE, ASSERTION = f"{{{SAMLP}}}Response", f"{{{SAML}}}Assertion"
ROOTS = (AUTHN_REQUEST, LOGOUT_REQUEST, RESPONSE, ASSERTION)
SIGNATURE = f"{{{DS}}}Signature"
XML_DSIG = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"


def verify(data: bytes, keys: list[Certificate] | None = None, *, sha1: bool = False) -> bytes:
    return verify_enveloped(data, keys or [party().certificate], "message", root_tags=ROOTS, sha1=sha1).document


def assert_refused(data: bytes, keys: list[Certificate] | None = None, *, sha1: bool = False) -> None:
    with pytest.raises(SamlError, match="message: "):
        verify(data, keys, sha1=sha1)


# -- S01 to S08: wrapping


def assertion(name: str) -> bytes:
    return text(tree(response(name=name)).find(ASSERTION))


MESSAGES: dict[str, Callable[[str], bytes]] = {
    "AuthnRequest": lambda name: authn_request("_request1", issuer=name),
    "LogoutRequest": lambda name: logout_request("_logout1", name=name),
    "Response": lambda name: response("_response1", name=name),
    "Assertion": assertion,
}
GOOD, EVIL = "https://good.example", "https://evil.example"


def put(parent: etree._Element, child: etree._Element) -> None:
    """After the Issuer."""
    parent.insert(1, child)


def xsw1(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    signature.append(signed)
    put(evil, signature)


def xsw2(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    put(evil, signature)
    put(evil, signed)


def xsw3(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    put(signed, signature)
    evil.insert(0, signed)


def xsw4(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    put(signed, signature)
    evil.append(signed)


def xsw5(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    put(evil, signature)
    evil.append(signed)


def xsw6(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    etree.SubElement(signature, f"{{{DS}}}KeyInfo").append(signed)
    put(evil, signature)


def xsw7(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    put(evil, copy.deepcopy(signature))
    put(signed, signature)
    extensions = etree.Element(f"{{{SAMLP}}}Extensions")
    extensions.append(signed)
    evil.insert(2, extensions)


def xsw8(signed: etree._Element, signature: etree._Element, evil: etree._Element) -> None:
    etree.SubElement(signature, f"{{{DS}}}Object").append(signed)
    put(evil, signature)


WRAPPINGS = [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8]


@pytest.mark.parametrize("same_id", [False, True], ids=["another ID", "same ID"])
@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("wrap", WRAPPINGS, ids=[f"S0{number}" for number in range(1, 9)])
def test_a_signed_message_wrapped_into_another(
    wrap: Callable[[etree._Element, etree._Element, etree._Element], None], message: str, same_id: bool
) -> None:
    """S01, S02, S03, S04, S05, S06, S07, S08: the signature is genuine and the evil message is at the root."""
    root = tree(MESSAGES[message](GOOD))
    own = root.get("ID")
    signed = tree(sign_element(text(root), own, party().key, party().certificate))
    assert GOOD.encode() in verify(text(signed))
    found = signed.find(SIGNATURE)
    signed.remove(found)
    evil = tree(MESSAGES[message](EVIL))
    evil.set("ID", own if same_id else "_evil")
    wrap(signed, found, evil)
    assert_refused(text(evil))


def test_a_signed_response_with_another_assertion_beside() -> None:
    """S03, S04: an assertion's own signature says nothing of the response around it."""
    root = tree(sign_element(response(name=GOOD), "_assertion1", party().key, None))
    evil = copy.deepcopy(root.find(ASSERTION))
    evil.remove(evil.find(SIGNATURE))
    root.insert(1, evil)
    assert_refused(text(root))


# -- S09, S12: text and markup that two readers see differently


def signed_request(request: bytes = authn_request()) -> bytes:
    return hand_signed(request)


@pytest.mark.parametrize("hidden", ["<!-- -->", "<?x y?>", "<![CDATA[]]><!---->"])
def test_comments_and_instructions_do_not_cut_a_text(hidden: str) -> None:
    """S09, S12: canonical forms leave comments out, so the signature still holds (CVE-2017-11428); node's canonical form
    wrote an instruction's content as text."""
    data = signed_request(logout_request(name="anna@corp.example.com.evil.example"))
    assert_refused(data.replace(b".com.evil", f".com{hidden}.evil".encode()))


def test_a_section_of_characters_is_text() -> None:
    """S09: CDATA is read in whole; the digest is the same."""
    data = signed_request(logout_request(name="anna@corp.example.com.evil.example"))
    read = read_logout_request(verify(data.replace(b".com.evil", b".com<![CDATA[.evil]]>")))
    assert read.name_id is not None
    assert read.name_id.value == "anna@corp.example.com.evil.example"


@pytest.mark.parametrize(
    "declared",
    ['xmlns:x="1"', 'xmlns:x="relative/address"', 'xmlns:x="../a"'],
)
def test_a_canonical_form_that_fails_is_no_empty_text(declared: str) -> None:
    """S12: libxml2 makes no canonical form of relative namespaces; the digest of nothing must not be taken for it ("void
    canonicalization", CVE-2025-66568)."""
    data = hand_signed(authn_request(), digested=b"")
    assert_refused(data)
    assert_refused(data.replace(b"<saml:Issuer>", f"<saml:Issuer {declared}>".encode()))
    assert_refused(data.replace(b" ID=", f" {declared} ID=".encode()))


@pytest.mark.parametrize(
    "attribute",
    ['samlp:ID="_request1"', 'xmlns:x="urn:x" x:ID="_request1"', 'xml:id="_request1"', 'Id="_request1"', 'id="_request1"'],
)
def test_another_attribute_with_the_same_name(attribute: str) -> None:
    """S12, S15: the ID is found by the attribute's whole name, and no other may hold the same value ("attribute
    pollution")."""
    evil = authn_request("_evil").replace(b' ID="_evil"', f' {attribute} ID="_evil"'.encode())
    root = tree(evil)
    signed = tree(signed_request())
    root.insert(1, signed.find(SIGNATURE))
    assert_refused(text(root))
    same = tree(signed_request(authn_request("_request1", inside=f"<samlp:Extensions {attribute}/>")))
    assert_refused(text(same))


def test_a_signature_of_another_namespace_is_none() -> None:
    """S12: `Signature` by its local name only (CVE-2025-25291)."""
    assert_refused(signed_request().replace(DS.encode(), b"urn:x"))
    two = tree(signed_request())
    two.insert(1, etree.Element("{urn:x}Signature"))
    assert_refused(text(two))


# -- S10, S11, S29: what is no document


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + authn_request(), id="S10 external entity"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/">%x;]>' + authn_request(), id="S10 parameter"),
        pytest.param(b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/">' + authn_request(), id="S10 external subset"),
        pytest.param(b'<!DOCTYPE a [<!ATTLIST a ID ID "_request1">]>' + authn_request(), id="S10 default attribute"),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY a "ha">'
            + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
            + b"]>"
            + authn_request(inside="&a9;"),
            id="S11 laughs",
        ),
        pytest.param(
            b'<!DOCTYPE a [<!ENTITY a "' + b"a" * 50_000 + b'">]>' + authn_request(inside="&a;" * 10_000), id="S11 quadratic"
        ),
        pytest.param(authn_request(inside="&a;"), id="S11 unknown entity"),
        pytest.param(authn_request(inside="x" * 10_000_000), id="S29 10 MB"),
        pytest.param(authn_request(attributes=" ".join(f'a{n}=""' for n in range(100_000))), id="S29 100000 attributes"),
        pytest.param(authn_request(attributes=" ".join(f'a{n}=""' for n in range(12_000))), id="S29 12000 attributes"),
        pytest.param(authn_request(inside="<a>" * 10_000 + "</a>" * 10_000), id="S29 depth 10000"),
        pytest.param(authn_request(inside="<a>" * 200 + "</a>" * 200), id="S29 depth 200"),
        pytest.param(authn_request().replace(b"grafana", b"\xff\xfe"), id="S29 invalid UTF-8"),
        pytest.param(authn_request().replace(b"grafana", b"\xed\xa0\x80"), id="S29 surrogate"),
        pytest.param(authn_request().replace(b"grafana", b"\xc0\xaf"), id="S29 overlong UTF-8"),
        pytest.param(b"<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-", id="S29 UTF-7"),
        pytest.param(authn_request().decode().encode("utf-16"), id="S29 UTF-16"),
        pytest.param(authn_request().decode().encode("utf-32"), id="S29 UTF-32"),
        pytest.param(authn_request().replace(b"grafana", b"gra\0fana"), id="S29 NUL"),
        pytest.param(authn_request().replace(b"grafana", b"&#0;"), id="S29 NUL by number"),
        pytest.param(authn_request().replace(b"grafana", b"&#x1f;"), id="S29 control character"),
        pytest.param(b"", id="S29 nothing"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused_early(data: bytes) -> None:
    """S10, S11, S29: within 50 ms and 16 MB."""
    begun = time.process_time()
    assert_refused(data)
    assert time.process_time() - begun < 0.05
    tracemalloc.start()
    try:
        assert_refused(data)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_the_encoding_that_is_declared_is_not_asked() -> None:
    """S12, S29: a document is UTF-8, whatever it says of itself."""
    declared = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + authn_request(issuer="https://köln.example")
    assert (
        read_authn_request(verify(hand_signed(authn_request(issuer="https://köln.example")))).issuer
        == "https://köln.example"
    )
    assert read_authn_request(declared).issuer == "https://köln.example"


# -- S13 to S19: what a signature may say of itself


def swap(old: str, new: str) -> Callable[[str], str]:
    def change(info: str) -> str:
        assert old in info
        return info.replace(old, new, 1)

    return change


def inside_digest(info: str) -> str:
    return info.replace("</ds:DigestValue>", "<!--x--></ds:DigestValue>")


def transform(algorithm: str, inside: str = "") -> str:
    return f'<ds:Transform Algorithm="{algorithm}">{inside}</ds:Transform>'


FORGED = base64.b64encode(bytes(32)).decode()
ENVELOPED_ONLY = f'<ds:Transform Algorithm="{XML_DSIG}enveloped-signature"/>'
ENVELOPED_WITH_MORE = transform(f"{XML_DSIG}enveloped-signature", "<ds:XPath>true()</ds:XPath>")
XPATH = transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>true()</ds:XPath>")
XSLT = transform("http://www.w3.org/TR/1999/REC-xslt-19991116", '<a xmlns="http://www.w3.org/1999/XSL/Transform"/>')
C14N = f'<ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>'
METHOD = f'<ds:SignatureMethod Algorithm="{MORE}rsa-sha256"/>'
DIGEST = '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
LENGTH = "<ds:HMACOutputLength>1</ds:HMACOutputLength>"
SECOND = (
    f'<ds:Reference URI=""><ds:Transforms>{TRANSFORMS}</ds:Transforms><ds:DigestMethod '
    f'Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>{FORGED}</ds:DigestValue></ds:Reference>'
)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(swap(TRANSFORMS, TRANSFORMS + XPATH), id="S17 XPath"),
        pytest.param(swap(TRANSFORMS, ENVELOPED_ONLY + XPATH), id="S17 XPath in place of the canonical form"),
        pytest.param(swap(TRANSFORMS, ENVELOPED_ONLY + XSLT), id="S17 XSLT"),
        pytest.param(swap(TRANSFORMS, transform(f"{XML_DSIG}base64")), id="S17 base64"),
        pytest.param(swap(TRANSFORMS, ENVELOPED_ONLY), id="S17 no canonical form"),
        pytest.param(swap(TRANSFORMS, transform(EXCLUSIVE)), id="S17 not enveloped"),
        pytest.param(swap(TRANSFORMS, transform(EXCLUSIVE) + ENVELOPED_ONLY), id="S17 the other way round"),
        pytest.param(swap(TRANSFORMS, ENVELOPED_ONLY + ENVELOPED_ONLY), id="S17 twice"),
        pytest.param(swap(TRANSFORMS, ENVELOPED_ONLY + transform(f"{EXCLUSIVE}WithComments")), id="S17 with comments"),
        pytest.param(
            swap(TRANSFORMS, ENVELOPED_ONLY + transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315")),
            id="S17 inclusive",
        ),
        pytest.param(
            swap(TRANSFORMS, ENVELOPED_ONLY + transform(EXCLUSIVE, "<ds:XPath>true()</ds:XPath>")), id="S17 hidden XPath"
        ),
        pytest.param(
            swap(
                TRANSFORMS,
                ENVELOPED_ONLY
                + transform(EXCLUSIVE, f'<InclusiveNamespaces xmlns="{EXCLUSIVE}" PrefixList="{"a " * 200}"/>'),
            ),
            id="S17 many prefixes",
        ),
        pytest.param(swap(C14N, C14N.replace("c14n#", "c14n#WithComments")), id="S17 SignedInfo with comments"),
        pytest.param(swap(C14N, C14N.replace(EXCLUSIVE, "urn:x")), id="S17 SignedInfo in another form"),
        pytest.param(swap("</ds:Reference>", f"</ds:Reference>{SECOND}"), id="S17 two references"),
        pytest.param(swap("<ds:Reference", f"{SECOND}<ds:Reference"), id="S17 two references, other order"),
        pytest.param(swap('URI="#_request1"', 'URI=""'), id="S17 empty address"),
        pytest.param(swap(' URI="#_request1"', ""), id="S17 no address"),
        pytest.param(swap("#_request1", "https://127.0.0.1:1/"), id="S17 elsewhere"),
        pytest.param(swap("#_request1", "##_request1"), id="S15 two marks"),
        pytest.param(swap("#_request1", "#xpointer(/)"), id="S15 xpointer of the root"),
        pytest.param(swap("#_request1", "#xpointer(id('_request1'))"), id="S15 xpointer"),
        pytest.param(swap("#_request1", "#_other"), id="S15 another ID"),
        pytest.param(inside_digest, id="S13 comment in the digest"),
        pytest.param(swap("</ds:DigestValue>", "<x/></ds:DigestValue>"), id="S13 element in the digest"),
        pytest.param(swap("<ds:DigestValue>", f"<ds:DigestValue>{FORGED}</ds:DigestValue><ds:DigestValue>"), id="S13 two"),
        pytest.param(swap("<ds:DigestValue>", "<ds:DigestValue>!"), id="S13 no base64"),
        pytest.param(swap("xmlenc#sha256", "xmldsig-more#md5"), id="S19 MD5"),
        pytest.param(swap("http://www.w3.org/2001/04/xmlenc#sha256", f"{XML_DSIG}sha1"), id="S19 digest SHA-1"),
        pytest.param(swap(f"{MORE}rsa-sha256", f"{MORE}rsa-md5"), id="S19 RSA with MD5"),
        pytest.param(swap(f"{MORE}rsa-sha256", f"{XML_DSIG}dsa-sha1"), id="S19 DSA"),
        pytest.param(swap(f"{MORE}rsa-sha256", ""), id="S19 no algorithm"),
        pytest.param(swap(METHOD, METHOD.replace("/>", f">{LENGTH}</ds:SignatureMethod>")), id="S19 length of a secret"),
        pytest.param(
            swap(DIGEST, DIGEST.replace("/>", "><x xmlns='urn:x'/></ds:DigestMethod>")), id="S19 digest with more in it"
        ),
        pytest.param(swap(ENVELOPED_ONLY, ENVELOPED_WITH_MORE), id="S17 enveloped with something in it"),
        pytest.param(swap("rsa-sha256", "ecdsa-sha256"), id="S19 another algorithm"),
    ],
)
def test_what_a_signature_may_not_say(change: Callable[[str], str]) -> None:
    """S13, S15, S17, S19: SignedInfo is signed rightly by a trusted key, and yet its form is refused."""
    verify(hand_signed(authn_request()))
    assert_refused(hand_signed(authn_request(), change))


def test_a_second_signed_info() -> None:
    """S13: the one that is verified is not the one that is read (CVE-2025-29774)."""
    for at in (0, 1, 3):
        root = tree(signed_request())
        forged = tree(signed_info("#_request1", b"evil").encode())
        root.find(SIGNATURE).insert(at, forged)
        assert_refused(text(root))
    inside = tree(signed_request())
    inside.find(SIGNATURE)[0].append(tree(signed_info("#_request1", b"evil").encode()))
    assert_refused(text(inside))


def test_a_value_with_something_in_it() -> None:
    """S13: the signature's value is text, too."""
    for change in (b"<!-- -->", b"<x/>", b"!"):
        assert_refused(signed_request().replace(b"</ds:SignatureValue>", change + b"</ds:SignatureValue>"))
    empty = tree(signed_request())
    empty.find(f"{SIGNATURE}/{{{DS}}}SignatureValue").text = None
    assert_refused(text(empty))


def test_only_what_was_signed_is_handed_on() -> None:
    """S14: what is not in the digest's bytes is not there to be read: the signature, and what its KeyInfo says
    (CVE-2025-54369, CVE-2025-54419)."""
    data = hand_signed(authn_request(), key_info="<ds:KeyInfo><ds:KeyName>evil</ds:KeyName></ds:KeyInfo>")
    assert verify(data) == etree.tostring(tree(authn_request()), method="c14n", exclusive=True)


def test_an_id_that_is_there_twice() -> None:
    """S15: in an extension, whose content nobody reads (CVE-2024-45409)."""
    assert_refused(signed_request(authn_request(inside='<samlp:Extensions><a ID="_request1"/></samlp:Extensions>')))


def test_several_signatures() -> None:
    """S17: two that hold are one too many."""
    root = tree(signed_request())
    root.insert(2, copy.deepcopy(root.find(SIGNATURE)))
    assert_refused(text(root))
    assert_refused(hand_signed(signed_request()))


def test_what_a_signature_may_not_hold() -> None:
    """S08, S17: an Object, a second KeyInfo, anything after them, though no digest covers it."""
    key_info = "<ds:KeyInfo><ds:KeyName>a</ds:KeyName></ds:KeyInfo>"
    verify(hand_signed(authn_request(), key_info=key_info))
    for more in (
        "<ds:Object><x/></ds:Object>",
        key_info,
        "<x/>",
        f"<ds:Object>{text(tree(authn_request())).decode()}</ds:Object>",
    ):
        assert_refused(hand_signed(authn_request(), key_info=key_info + more))
        assert_refused(hand_signed(authn_request(), key_info=more + key_info))


MALLORY = party("mallory")
KEY_INFOS = {
    "certificate": "<ds:X509Data><ds:X509Certificate>{cert}</ds:X509Certificate></ds:X509Data>",
    "key": "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{n}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
    "</ds:KeyValue>",
    "name": "<ds:KeyName>grafana</ds:KeyName>",
    "elsewhere": '<ds:RetrievalMethod URI="http://127.0.0.1:1/key"/>',
    "here": '<ds:RetrievalMethod URI="#_key"/>',
    "DER": '<d:DEREncodedKeyValue xmlns:d="http://www.w3.org/2009/xmldsig11#">{spki}</d:DEREncodedKeyValue>',
}


@pytest.mark.parametrize("kind", KEY_INFOS)
def test_a_key_that_the_message_brings_along(kind: str) -> None:
    """S18: of the attacker, with his signature (CVE-2021-21239); it is never looked at."""
    public = MALLORY.key.public_key()
    numbers = public.public_numbers().n.to_bytes(256, "big")
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    values = {name: base64.b64encode(value).decode() for name, value in
              {"cert": MALLORY.certificate.der, "n": numbers, "spki": spki}.items()}  # fmt: skip
    key_info = f"<ds:KeyInfo>{KEY_INFOS[kind].format(**values)}</ds:KeyInfo>"
    forged = hand_signed(authn_request(issuer=EVIL), sign=by_rsa(MALLORY.key), key_info=key_info)
    assert_refused(forged)
    genuine = hand_signed(authn_request(), key_info=key_info)
    assert read_authn_request(verify(genuine)).issuer == ENTITY


def test_another_partys_key() -> None:
    """S20: a good signature by a key of another trust."""
    assert_refused(hand_signed(authn_request(), sign=by_rsa(MALLORY.key)))
    with pytest.raises(SamlError, match="no certificate"):
        verify_enveloped(signed_request(), [], "message", root_tags=ROOTS)


def test_the_signature_taken_away() -> None:
    """S20: an unsigned message is never verified."""
    root = tree(signed_request())
    root.remove(root.find(SIGNATURE))
    assert_refused(text(root))


@pytest.mark.parametrize("method", ["hmac-sha256", "hmac-sha1"])
def test_the_public_key_as_a_shared_secret(method: str) -> None:
    """S19: everybody knows it (GHSA-c27r-x354-4m68)."""
    public = party().key.public_key()
    name = f"{MORE}{method}" if method.endswith("256") else f"{XML_DSIG}{method}"
    for form in (Encoding.PEM, Encoding.DER):
        secret = public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
        forged = hand_signed(authn_request(), swap(f"{MORE}rsa-sha256", name), sign=by_hmac(secret))
        assert_refused(forged, sha1=True)


def test_sha1_without_the_trusts_switch() -> None:
    """S19: as AD FS of 2012 R2 signs."""
    old = by_rsa(party().key, hashes.SHA1())  # noqa: S303 - what is tested
    data = hand_signed(authn_request(), swap(f"{MORE}rsa-sha256", f"{XML_DSIG}rsa-sha1"), sign=old)
    assert_refused(data)
    verify(data, sha1=True)


def test_a_short_key() -> None:
    """S19: RSA with 1,024 bits, though the trust names it."""
    short = party("short", 1024)
    assert_refused(hand_signed(authn_request(), sign=by_rsa(short.key)), [short.certificate])


def test_only_so_many_keys_are_tried() -> None:
    """S19: whoever writes hundreds into metadata makes no message take hundreds of verifications; short curves are none."""
    many = [party(f"key {number}").certificate for number in range(2)] * (MAX_CERTIFICATES // 2)
    assert len(trusted_keys([*many, party().certificate], "message")) == MAX_CERTIFICATES
    with pytest.raises(SamlError, match="no certificate whose key"):
        trusted_keys([elliptic_party("p224", ec.SECP224R1())[1]], "message")


def test_another_message_than_was_expected() -> None:
    """S20: a signed LogoutRequest is no AuthnRequest, whoever signed it."""
    data = signed_request(logout_request())
    with pytest.raises(SamlError, match="its root is LogoutRequest"):
        verify_enveloped(data, [party().certificate], "message", root_tags=[AUTHN_REQUEST])


def test_a_signature_of_another_message() -> None:
    """S20: taken from one message of the party and put into another."""
    root = tree(authn_request("_request1", issuer=EVIL))
    put(root, tree(signed_request()).find(SIGNATURE))
    assert_refused(text(root))
    other = tree(authn_request("_request1"))
    put(other, signature(signed_info("#_request1", b""), by_rsa(party().key)))
    assert_refused(text(other))


GENUINE = signed_request(logout_request())


@given(st.integers(0, len(GENUINE) - 1), st.binary(min_size=1, max_size=8), st.integers(0, 8))
def test_a_damaged_message_is_refused_or_means_the_same(at: int, put_in: bytes, cut: int) -> None:
    """S14: damage anywhere, and what is verified still says what was signed."""
    try:
        document = verify(GENUINE[:at] + put_in + GENUINE[at + cut :])
    except SamlError:
        return
    assert read_logout_request(document) == read_logout_request(logout_request())
