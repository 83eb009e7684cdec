"""The signature over a whole message, by a key of the trust (saml-core-2.0-os section 5.4). CPU only; about 1 ms.

The form is checked before anything is computed: one signature, a child of the root; one reference, to the root by its ID;
the two transforms that SAML allows, in their order; nothing in it that a verifier could be led astray with. Then signxml
verifies, with keys of the trust only (what KeyInfo says is not looked at), and exactly the bytes whose digest was signed are
handed on. Whoever reads parses those again: there is no second view of the document.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree  # type: ignore[import-untyped]
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from certs import Certificate
from foundation.saml.algorithms import (
    DIGESTS,
    RSA_SHA1,
    SignatureAlgorithm,
    TrustedKey,
    fitting,
    signature_algorithm,
    trusted_keys,
)
from foundation.saml.errors import SamlError
from foundation.saml.nodes import DS, MAX_MESSAGE_BYTES, base64_bytes, identifier, local_name, parse_message
from foundation.xml import hardened_parser

ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_EC = f"{{{EXCLUSIVE}}}"
_ID_NAMES = frozenset(("id", "assertionid", "requestid", "responseid"))
MAX_PREFIXES = 200
"""Characters of an InclusiveNamespaces' list."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A message whose signature holds."""

    document: bytes = field(repr=False)
    """What was signed, in canonical form, without its signature: read from here."""
    by: Certificate
    """The one of the trust's certificates whose key made it."""
    sha1: bool
    """The signature or its digest is made with SHA-1."""


def has_signature(data: bytes, what: str, max_bytes: int = MAX_MESSAGE_BYTES) -> bool:
    """Whether the message has a signature of its own: one that has to hold, even where none is wanted. Raises SamlError."""
    return parse_message(data, what, max_bytes).find(f"{DS}Signature") is not None


def verify_enveloped(
    data: bytes,
    certificates: Sequence[Certificate],
    what: str,
    *,
    root_tags: Collection[str],
    sha1: bool = False,
    max_bytes: int = MAX_MESSAGE_BYTES,
    comments: bool = False,
) -> Verified:
    """Verify that the root, which is one of `root_tags` (as lxml writes them), is signed as a whole by the key of one of the
    `certificates`. With `sha1` that algorithm is taken, too; with `comments` a document that has some, which are not in the
    result. Raises SamlError, which names `what`."""
    root = parse_message(data, what, max_bytes, comments=comments)
    if root.tag not in root_tags:
        raise SamlError(what, f"its root is {local_name(root)}")
    signature = _check_signature(root, what)
    algorithm, digest_sha1 = _check_signed_info(signature[0], identifier(root, what), what, sha1)
    for key in fitting(trusted_keys(certificates, what), algorithm):
        document = _verified(data, key, sha1)
        if document is not None:
            return Verified(document, key.certificate, algorithm.sha1 or digest_sha1)
    raise SamlError(what, "its signature does not hold for any certificate of the trust")


# -- form


def _check_signature(root: etree._Element, what: str) -> etree._Element:
    """One, with nothing in it but what is needed (an Object can hide a signed element: XSW 8), over a root whose ID no other
    element shares, in whatever namespace the attribute may be."""
    found = root.findall(f"{DS}Signature")
    if len(found) != 1:
        raise SamlError(what, "it is not signed" if not found else "it has several signatures")
    _check_children(found[0], ("SignedInfo", "SignatureValue"), what, last="KeyInfo")
    _check_base64(found[0][1], what)
    own = identifier(root, what)
    if sum(value == own for element in root.iter(etree.Element) for value in _ids(element)) != 1:
        raise SamlError(what, "its ID is there more than once")
    return found[0]


def _ids(element: etree._Element) -> list[str]:
    return [value for name, value in element.attrib.items() if str(name).rpartition("}")[2].lower() in _ID_NAMES]


def _check_signed_info(signed_info: etree._Element, own: str, what: str, sha1: bool) -> tuple[SignatureAlgorithm, bool]:
    _check_children(signed_info, ("CanonicalizationMethod", "SignatureMethod", "Reference"), what)
    canonical, method, reference = signed_info
    _check_exclusive(canonical, what)
    _check_children(method, (), what)
    _check_children(reference, ("Transforms", "DigestMethod", "DigestValue"), what)
    transforms, digest, value = reference
    if reference.get("URI") != f"#{own}":
        raise SamlError(what, "its signature refers to something else than the whole of it")
    _check_children(transforms, ("Transform", "Transform"), what)
    _check_children(transforms[0], (), what)
    if transforms[0].get("Algorithm") != ENVELOPED:
        raise SamlError(what, "its signature transforms it in a way that is not taken")
    _check_exclusive(transforms[1], what)
    _check_children(digest, (), what)
    _check_base64(value, what)
    return signature_algorithm(method.get("Algorithm", ""), what, sha1=sha1), _check_digest(digest, what, sha1)


def _check_children(element: etree._Element, names: Sequence[str], what: str, last: str = "") -> None:
    """Exactly these, in this order, perhaps with the last one more."""
    tags = [child.tag for child in element]
    expected = [f"{DS}{name}" for name in names]
    if tags != expected and not (last and tags == [*expected, f"{DS}{last}"]):
        raise SamlError(what, f"the {local_name(element)} of its signature is not made up as SAML wants it")


def _check_exclusive(element: etree._Element, what: str) -> None:
    """Exclusive canonicalization without comments; it may name prefixes that are kept."""
    inside = [child.tag for child in element]
    if element.get("Algorithm") != EXCLUSIVE or inside not in ([], [f"{_EC}InclusiveNamespaces"]):
        raise SamlError(what, "its signature transforms it in a way that is not taken")
    if inside and (len(element[0]) or not 0 < len(element[0].get("PrefixList", "")) <= MAX_PREFIXES):
        raise SamlError(what, "its signature names prefixes in a way that is not taken")


def _check_base64(element: etree._Element, what: str) -> None:
    """Text only: libraries differ in what they make of more (CVE-2025-29775)."""
    if len(element) or not base64_bytes(element.text or "", what, local_name(element)):
        raise SamlError(what, f"its {local_name(element)} is not base64")


def _check_digest(method: etree._Element, what: str, sha1: bool) -> bool:
    """Whether it is SHA-1."""
    uri = str(method.get("Algorithm", ""))
    if uri not in DIGESTS:
        raise SamlError(what, "its digest is of a kind that is not taken")
    if uri == RSA_SHA1.digest_uri and not sha1:
        raise SamlError(what, "its digest is made with SHA-1, which this trust does not allow")
    return uri == RSA_SHA1.digest_uri


# -- proof


def _verified(data: bytes, key: TrustedKey, sha1: bool) -> bytes | None:
    """The bytes that this key has signed. Whether its certificate has expired is for others to say: the time is one when it
    was good."""
    expected = SignatureConfiguration(
        location="./",
        expect_references=1,
        ignore_ambiguous_key_info=True,
        verification_time=key.parsed.not_valid_before_utc,
        signature_methods=_METHODS_WITH_SHA1 if sha1 else _METHODS,
        digest_algorithms=_DIGESTS_WITH_SHA1 if sha1 else _DIGESTS,
    )
    try:
        result = XMLVerifier().verify(
            data,
            x509_cert=key.parsed,
            parser=hardened_parser(),
            expect_config=expected,
            id_attribute="ID",
            validate_schema=True,
        )
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError, LookupError):
        return None
    return None if isinstance(result, list) else result.signed_data


_METHODS_WITH_SHA1 = frozenset(
    method for method in SignatureMethod if method.name.startswith(("RSA_SHA", "ECDSA_SHA")) and "SHA3_" not in method.name
)
_METHODS = frozenset(method for method in _METHODS_WITH_SHA1 if "SHA1" not in method.name)
_DIGESTS_WITH_SHA1 = frozenset(digest for digest in DigestAlgorithm if digest.value in DIGESTS)
_DIGESTS = frozenset(digest for digest in _DIGESTS_WITH_SHA1 if digest is not DigestAlgorithm.SHA1)
