"""Federation metadata: which certificates it names, and which one signed it. Hostile input is expected.

The document is SAML metadata with WS-Federation's role descriptors (saml-metadata-2.0-os section 2.3.2, WS-Federation 1.2
section 3.1). It is signed as a whole, by an enveloped signature that is a child of the root. Nothing here trusts the
signer: that is for the caller to compare with what the farm says.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree  # type: ignore[import-untyped]
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from adfs_mgmt.farm.certificate import read_certificate
from adfs_mgmt.farm.errors import Unreadable
from adfs_mgmt.farm.model import Certificate

MAX_BYTES = 5 * 1024 * 1024
MAX_CERTIFICATES = 200
_MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_DS = "{http://www.w3.org/2000/09/xmldsig#}"
_WHAT = "federation metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What one metadata document says."""

    entity_id: str
    signing: tuple[Certificate, ...]
    """In document order, each once."""
    encryption: tuple[Certificate, ...]
    signed_by: Certificate | None
    """Whose key signed the whole document; None where it is not signed or the signature does not hold."""
    signature_problem: str = ""
    """Why `signed_by` is None."""


def read_metadata(data: bytes) -> Metadata:
    """Parse and check a document. CPU only; some 10 ms. Raises Unreadable."""
    root = _parse(data)
    if root.tag != f"{_MD}EntityDescriptor":
        raise Unreadable(_WHAT, "its root is not an EntityDescriptor")
    signer, problem = _signer(data, root)
    return Metadata(
        entity_id=root.get("entityID", ""),
        signing=_certificates(root, "signing"),
        encryption=_certificates(root, "encryption"),
        signed_by=signer,
        signature_problem=problem,
    )


def _parser() -> etree.XMLParser:
    """Fixed encoding, so that what `_reject_doctype` looked at is what is parsed."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
    )


def _parse(data: bytes) -> etree._Element:
    if len(data) > MAX_BYTES:
        raise Unreadable(_WHAT, f"more than {MAX_BYTES} bytes")
    _reject_doctype(data)
    try:
        return etree.fromstring(data, parser=_parser())
    except (etree.LxmlError, ValueError) as error:
        raise Unreadable(_WHAT, "not well-formed XML") from error


def _reject_doctype(data: bytes) -> None:
    """No document type, so no entities: they expand in attributes even where the parser leaves them alone in text."""
    if b"<!DOCTYPE" in data or b"\0" in data:
        raise Unreadable(_WHAT, "it has a document type or is not UTF-8, which AD FS's never is")


def _certificates(root: etree._Element, use: str) -> tuple[Certificate, ...]:
    found = {each.thumbprint: each for each in _each_certificate(root, use)}
    return tuple(found.values())


def _each_certificate(root: etree._Element, use: str) -> Iterator[Certificate]:
    """Of every role. A key descriptor without a use is for both (saml-metadata-2.0-os section 2.4.1.1)."""
    descriptors = [each for each in root.iter(f"{_MD}KeyDescriptor") if each.get("use", use) == use]
    texts = [text for each in descriptors for text in _texts(each.iter(f"{_DS}X509Certificate"))]
    if len(texts) > MAX_CERTIFICATES:
        raise Unreadable(_WHAT, f"more than {MAX_CERTIFICATES} certificates")
    yield from (read_certificate(_decoded(text), f"{_WHAT}, {use} certificate") for text in texts)


def _texts(elements: Iterable[etree._Element]) -> Iterator[str]:
    return (each.text or "" for each in elements)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable(_WHAT, "a certificate is not base64") from error


def _signer(data: bytes, root: etree._Element) -> tuple[Certificate | None, str]:
    """The certificate in the root's own signature, if its key made that signature over the whole document."""
    signatures = root.findall(f"{_DS}Signature")
    if len(signatures) != 1:
        return None, "it is not signed" if not signatures else "it has several signatures"
    texts = list(_texts(signatures[0].iter(f"{_DS}X509Certificate")))
    if len(texts) != 1:
        return None, f"its signature names {len(texts)} certificates instead of one"
    try:
        der = _decoded(texts[0])
        certificate = read_certificate(der, f"{_WHAT}, signing certificate")
        _verify_signature(data, root, x509.load_der_x509_certificate(der))
    except Unreadable as error:
        return None, error.reason
    return certificate, ""


def _verify_signature(data: bytes, root: etree._Element, certificate: x509.Certificate) -> None:
    """Raises Unreadable. Whether the certificate has ended is for others to say: the time is one when it was good."""
    expected = SignatureConfiguration(location="./", expect_references=1, verification_time=certificate.not_valid_before_utc)
    try:
        result = XMLVerifier().verify(
            data, x509_cert=certificate, parser=_parser(), expect_config=expected, id_attribute="ID", validate_schema=True
        )
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError, LookupError) as error:
        raise Unreadable(_WHAT, "its signature does not hold") from error
    signed = None if isinstance(result, list) else result.signed_xml
    if signed is None or signed.tag != root.tag or signed.get("ID") != root.get("ID"):
        raise Unreadable(_WHAT, "its signature covers something else than the document")
