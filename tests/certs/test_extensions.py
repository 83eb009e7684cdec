"""Extensions of a machine's certificate: a critical one that is not checked here is refused (RFC 5280 section 4.2)."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from certs import CertificateRefused, Role, verify_certificate

NOW = time.time()
KEY = ed25519.Ed25519PrivateKey.generate()
OURS = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:isthmus:agent:a1")])
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
LIMITED = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.com")], excluded_subtrees=None)
USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def certificate(*extensions: tuple[x509.ExtensionType, bool]) -> x509.Certificate:
    """By one authority, with these extensions; of each, whether it is critical."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime.fromtimestamp(NOW - 3600, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(NOW + 3600, dt.UTC))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(KEY, None)


AUTHORITY = certificate((x509.BasicConstraints(ca=True, path_length=0), True))


def verify(*extensions: tuple[x509.ExtensionType, bool]) -> str:
    """The name that it is accepted for."""
    der = certificate((OURS, False), *extensions).public_bytes(serialization.Encoding.DER)
    return verify_certificate(der, authority=AUTHORITY, role=Role.AGENT, now=NOW).name


@pytest.mark.parametrize(
    "extension",
    [UNKNOWN, LIMITED, x509.TLSFeature([x509.TLSFeatureType.status_request])],
    ids=["unknown to everybody", "name constraints", "TLS feature"],
)
def test_a_critical_extension_that_is_not_checked(extension: x509.ExtensionType) -> None:
    """It limits what the certificate is good for, in a way that is not looked at: refused, and the error names it."""
    with pytest.raises(CertificateRefused, match=f"critical extension {extension.oid.dotted_string}") as caught:
        verify((extension, True))
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize("extension", [UNKNOWN, LIMITED], ids=["unknown to everybody", "name constraints"])
def test_the_same_extension_when_it_is_not_critical(extension: x509.ExtensionType) -> None:
    """It is advice, and left aside."""
    assert verify((extension, False)) == "a1"


def test_critical_extensions_that_the_authority_itself_puts_in() -> None:
    """Basic constraints, key usage and extended key usage."""
    known = (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (USAGE, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), True),
    )
    assert verify(*known) == "a1"


def test_an_authority_is_no_machine() -> None:
    """Were there one below ours, it could name any machine (RFC 5280 section 4.2.1.9)."""
    assert verify((x509.BasicConstraints(ca=False, path_length=None), True)) == "a1"
    with pytest.raises(CertificateRefused, match="an authority's certificate") as caught:
        verify((x509.BasicConstraints(ca=True, path_length=None), True))
    assert caught.value.reason == "wrong_role"


def test_a_certificate_names_one_machine() -> None:
    """With two names the reader would choose, and two readers might choose differently."""
    urns = [x509.UniformResourceIdentifier(f"urn:isthmus:{name}") for name in ("agent:a1", "agent:a2", "relay:r1")]
    for names in ([urns[0], urns[1]], [urns[0], urns[2]], [x509.UniformResourceIdentifier("urn:other:a1")]):
        der = certificate((x509.SubjectAlternativeName(names), False)).public_bytes(serialization.Encoding.DER)
        with pytest.raises(CertificateRefused, match="names of ours instead of one"):
            verify_certificate(der, authority=AUTHORITY, role=Role.AGENT, now=NOW)
