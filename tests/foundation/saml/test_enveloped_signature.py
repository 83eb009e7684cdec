"""Signed messages: what is made here holds, by anybody's verifier, and what is verified is what is read."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from lxml import etree  # type: ignore[import-untyped]
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from foundation.saml import (
    AUTHN_REQUEST,
    SamlError,
    has_signature,
    read_authn_request,
    sign_element,
    verify_enveloped,
)
from tests.foundation.saml.parties import DS, ENTITY, SAML, SAMLP, authn_request, elliptic_party, party, response, tree
from tests.foundation.saml.signing import canonical, hand_signed

EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
RESPONSE, ASSERTION = f"{{{SAMLP}}}Response", f"{{{SAML}}}Assertion"


def signed(**options: Any) -> bytes:
    return sign_element(authn_request(), "_request1", party().key, party().certificate, **options)


def by_signxml(data: bytes, key: Any = None, **options: Any) -> bytes:
    """As another implementation signs it; without KeyInfo's certificate."""
    signer = XMLSigner(SignatureConstructionMethod.enveloped, c14n_algorithm=EXCLUSIVE, **options)
    root = tree(data)
    made = signer.sign(root, key=key or party().key, reference_uri=root.get("ID"), always_add_key_value=True)
    return bytes(etree.tostring(made))


def test_what_is_signed_is_verified_and_read() -> None:
    """The document that comes back is the one that went in, without the signature."""
    verified = verify_enveloped(signed(), [party().certificate], "request", root_tags=[AUTHN_REQUEST])
    assert verified.by is party().certificate
    assert not verified.sha1
    assert read_authn_request(verified.document) == read_authn_request(authn_request())
    assert b"Signature" not in verified.document


def test_the_signature_stands_after_the_issuer() -> None:
    """Where the schema wants it (saml-schema-protocol-2.0, RequestAbstractType)."""
    assert [etree.QName(child).localname for child in tree(signed())] == ["Issuer", "Signature"]
    assert tree(signed())[1].findtext(f".//{{{DS}}}X509Certificate") == base64.b64encode(party().certificate.der).decode()


def test_another_verifier_agrees() -> None:
    """signxml with its own defaults takes an assertion and the response around it, umlauts and all."""
    data = sign_element(response(), "_assertion1", party().key, party().certificate)
    data = sign_element(data, "_response1", party().key, party().certificate)
    certificate = x509.load_der_x509_certificate(party().certificate.der)
    for location in ("./", f"./{ASSERTION}/"):
        expected = SignatureConfiguration(location=location, verification_time=certificate.not_valid_before_utc)
        result = XMLVerifier().verify(data, x509_cert=certificate, expect_config=expected, id_attribute="ID")
        assert not isinstance(result, list)
        assert "Köln &amp; Bonn".encode() in result.signed_data


def test_an_assertion_taken_out_of_its_response_holds() -> None:
    """Exclusive canonicalization: what is around it does not matter."""
    data = sign_element(response(), "_assertion1", party().key, None)
    alone = etree.tostring(tree(data).find(ASSERTION), with_tail=False)
    verified = verify_enveloped(alone, [party().certificate], "assertion", root_tags=[ASSERTION])
    assert tree(verified.document).findtext(f".//{{{SAML}}}AttributeValue") == "Köln & Bonn"


@pytest.mark.parametrize("method", [SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512])
def test_the_signature_of_another_implementation_holds(method: SignatureMethod) -> None:
    """With every RSA algorithm that is taken."""
    data = by_signxml(authn_request(), signature_algorithm=method)
    assert verify_enveloped(data, [party().certificate], "request", root_tags=[AUTHN_REQUEST]).by is party().certificate


def test_a_signature_by_an_elliptic_curve_holds() -> None:
    """ECDSA with P-256."""
    key, certificate = elliptic_party()
    data = by_signxml(authn_request(), key, signature_algorithm=SignatureMethod.ECDSA_SHA256)
    keys = [party().certificate, certificate]
    assert verify_enveloped(data, keys, "request", root_tags=[AUTHN_REQUEST]).by is certificate


def test_each_of_a_trusts_keys_is_tried() -> None:
    """During a rollover a party has two."""
    keys = [party("old").certificate, party().certificate]
    assert verify_enveloped(signed(), keys, "request", root_tags=[AUTHN_REQUEST]).by is party().certificate


def test_prefixes_that_are_kept() -> None:
    """InclusiveNamespaces of the reference, as OpenSAML writes it, is taken."""
    kept = f'c14n#"><ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE.value}" PrefixList="xs"/></ds:Transform></ds:Transforms>'
    data = hand_signed(
        response(),
        lambda info: info.replace('c14n#"/></ds:Transforms>', kept),
        digested=canonical(tree(response()), ("xs",)),
    )
    verified = verify_enveloped(data, [party().certificate], "response", root_tags=[RESPONSE])
    assert b"xmlns:xs=" in verified.document


def test_sha1_only_where_the_trust_says_so() -> None:
    """And the result says that it was."""
    data = signed(sha1=True)
    with pytest.raises(SamlError, match="SHA-1, which this trust does not allow"):
        verify_enveloped(data, [party().certificate], "request", root_tags=[AUTHN_REQUEST])
    assert verify_enveloped(data, [party().certificate], "request", root_tags=[AUTHN_REQUEST], sha1=True).sha1
    assert not verify_enveloped(signed(), [party().certificate], "request", root_tags=[AUTHN_REQUEST], sha1=True).sha1


def test_a_message_without_signature() -> None:
    """Seen before a trust's rule is asked whether it may be so."""
    assert has_signature(signed(), "request")
    assert not has_signature(authn_request(), "request")
    with pytest.raises(SamlError, match="request: it is not signed"):
        verify_enveloped(authn_request(), [party().certificate], "request", root_tags=[AUTHN_REQUEST])


@pytest.mark.parametrize(
    ("data", "element_id", "reason"),
    [
        (authn_request(), "_other", "0 elements"),
        (authn_request(inside=f'<x ID="_request1">{ENTITY}</x>'), "_request1", "2 elements"),
        (authn_request("a b"), "a b", "1 elements"),
        (b"<a", "a", "not well-formed"),
    ],
    ids=["no such ID", "twice", "no identifier", "no XML"],
)
def test_what_cannot_be_signed(data: bytes, element_id: str, reason: str) -> None:
    """A mistake of ours: said, not signed."""
    with pytest.raises(SamlError, match=reason):
        sign_element(data, element_id, party().key, None)


def test_nothing_is_signed_twice() -> None:
    """A second signature would be refused by everybody."""
    with pytest.raises(SamlError, match="signed already"):
        sign_element(signed(), "_request1", party().key, None)
