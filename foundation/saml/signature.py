"""The enveloped signature over all of one element (XML Signature, section 2.2). CPU only.

Nothing here trusts the signer: that is for the caller to compare. What a signature says counts for the element that came
back from the verification and for no other, so that a signed element cannot be hidden in, or beside, one that is not.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree  # type: ignore[import-untyped]
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from certs import Certificate, read_certificate
from foundation.saml.errors import SamlError
from foundation.xml import hardened_parser, parse_xml

DS = "{http://www.w3.org/2000/09/xmldsig#}"
_METHODS = frozenset(method for method in SignatureMethod if "HMAC" not in method.name)


@dataclass(frozen=True, slots=True)
class Signed:
    """An element whose signature holds."""

    by: Certificate
    element: etree._Element
    """What was signed, and nothing else: read from here."""
    sha1: bool
    """The signature or its digest is made with SHA-1."""


def verify_signature(data: bytes, what: str, id_attribute: str, *, sha1: bool = False) -> Signed:
    """Verify that the document's root is signed, as a whole, by the certificate that its own signature names. Raises
    SamlError, which names `what`. With `sha1` that algorithm is taken, too."""
    root = parse_xml(data, what, len(data))
    signatures = root.findall(f"{DS}Signature")
    if len(signatures) != 1:
        raise SamlError(what, "it is not signed" if not signatures else "it has several signatures")
    found = list(texts(signatures[0].iter(f"{DS}X509Certificate")))
    if len(found) != 1:
        raise SamlError(what, f"its signature names {len(found)} certificates instead of one")
    der = decoded(found[0], what)
    certificate = read_certificate(der, f"{what}, signing certificate")
    signed = _verified(data, root, what, id_attribute, x509.load_der_x509_certificate(der), sha1)
    return Signed(certificate, signed, _uses_sha1(signatures[0]))


def texts(elements: Iterable[etree._Element]) -> Iterator[str]:
    """The text of each."""
    return (element.text or "" for element in elements)


def decoded(text: str, what: str) -> bytes:
    """Base64 with any white space. Raises SamlError."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlError(what, "a certificate is not base64") from error


def _verified(
    data: bytes, root: etree._Element, what: str, id_attribute: str, certificate: x509.Certificate, sha1: bool
) -> etree._Element:
    """Whether the certificate has expired is for others to say: the time is one when it was good."""
    expected = SignatureConfiguration(
        location="./",
        expect_references=1,
        verification_time=certificate.not_valid_before_utc,
        signature_methods=frozenset(method for method in _METHODS if sha1 or "SHA1" not in method.name),
        digest_algorithms=frozenset(algorithm for algorithm in DigestAlgorithm if sha1 or "SHA1" not in algorithm.name),
    )
    try:
        result = XMLVerifier().verify(
            data,
            x509_cert=certificate,
            parser=hardened_parser(),
            expect_config=expected,
            id_attribute=id_attribute,
            validate_schema=True,
        )
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError, LookupError) as error:
        raise SamlError(what, "its signature does not hold") from error
    signed = None if isinstance(result, list) else result.signed_xml
    if signed is None or signed.tag != root.tag or signed.get(id_attribute) != root.get(id_attribute):
        raise SamlError(what, "its signature covers something else than the document")
    return signed


def _uses_sha1(signature: etree._Element) -> bool:
    methods = signature.iter(f"{DS}SignatureMethod", f"{DS}DigestMethod")
    return any(method.get("Algorithm", "").endswith("sha1") for method in methods)
