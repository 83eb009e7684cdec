"""Federation metadata: which certificates it names, and which one signed it. Hostile input is expected.

The document is SAML metadata with WS-Federation's role descriptors (saml-metadata-2.0-os section 2.3.2, WS-Federation 1.2
section 3.1). It is signed as a whole, by an enveloped signature that is a child of the root. Nothing here trusts the
signer: that is for the caller to compare with what the farm says.
"""

from __future__ import annotations

import functools

from lxml import etree  # type: ignore[import-untyped]

from certs import Certificate, CertificateUnreadable, read_certificate
from foundation.saml.errors import SamlError, as_saml_error
from foundation.saml.model import Metadata
from foundation.saml.signature import DS, decoded, texts, verify_signature
from foundation.xml import parse_xml

MAX_METADATA_BYTES = 5 * 1024 * 1024
MAX_CERTIFICATES = 200
_REMEMBERED_BYTES = 256 * 1024
"""What AD FS serves has some 50 KB."""
_MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
_WHAT = "federation metadata"


def read_metadata(data: bytes) -> Metadata:
    """Parse and check a document. CPU only; some 10 ms, once for the same bytes. Raises SamlError."""
    with as_saml_error():
        return _remembered(data) if len(data) <= _REMEMBERED_BYTES else _read(data)


def _read(data: bytes) -> Metadata:
    root = parse_xml(data, _WHAT, MAX_METADATA_BYTES)
    if root.tag != f"{_MD}EntityDescriptor":
        raise SamlError(_WHAT, "its root is not an EntityDescriptor")
    signer, problem = _signer(data)
    signing, unreadable = key_certificates(root, "signing")
    encryption, more = key_certificates(root, "encryption")
    unreadable = tuple(dict.fromkeys((*unreadable, *more)))
    if unreadable and not signing and not encryption:
        raise SamlError(_WHAT, "; ".join(unreadable))
    return Metadata(
        entity_id=root.get("entityID", ""),
        signing=signing,
        encryption=encryption,
        signed_by=signer,
        signature_problem=problem,
        unreadable=unreadable,
    )


_remembered = functools.lru_cache(maxsize=64)(_read)
"""Nodes of a farm serve the same document, and a rollover looks at them again and again."""


def key_certificates(root: etree._Element, use: str) -> tuple[tuple[Certificate, ...], tuple[str, ...]]:
    """Of every role in it, each once, and why others cannot be read. A key descriptor without a use is for both
    (saml-metadata-2.0-os section 2.4.1.1)."""
    descriptors = [descriptor for descriptor in root.iter(f"{_MD}KeyDescriptor") if descriptor.get("use", use) == use]
    found = [text for descriptor in descriptors for text in texts(descriptor.iter(f"{DS}X509Certificate"))]
    if len(found) > MAX_CERTIFICATES:
        raise SamlError(_WHAT, f"more than {MAX_CERTIFICATES} certificates")
    read: dict[str, Certificate] = {}
    unreadable = []
    for number, text in enumerate(found, 1):
        try:
            certificate = read_certificate(decoded(text, _WHAT), f"{_WHAT}, {use} certificate")
        except (CertificateUnreadable, SamlError) as error:
            unreadable.append(f"{use} certificate {number}: {error.reason}")
        else:
            read[certificate.thumbprint] = certificate
    return tuple(read.values()), tuple(unreadable)


def _signer(data: bytes) -> tuple[Certificate | None, str]:
    """The certificate in the root's own signature, if its key made that signature over the whole document."""
    try:
        return verify_signature(data, _WHAT, "ID").by, ""
    except SamlError as error:
        return None, error.reason
