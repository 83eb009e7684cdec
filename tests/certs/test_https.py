"""Certificates for an HTTPS server: every reason for which clients would not take one is told."""

from __future__ import annotations

import datetime as dt
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import unusable_for_https

NOW = 1_800_000_000.0
EMPTY = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def pem_key(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def certificate(*, start: float = NOW - 1, end: float = NOW + 1, usage: x509.ObjectIdentifier | None = None) -> bytes:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name("signin"))
        .issuer_name(name("ca"))
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(dt.datetime.fromtimestamp(start, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(end, dt.UTC))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("*.example.com"), x509.IPAddress(ipaddress.ip_address("2001:db8::7"))]
            ),
            critical=False,
        )
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(OTHER, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("host", ["signin.example.com", "SIGNIN.example.com", "2001:db8::7"])
def test_a_good_one(host: str) -> None:
    """By a wildcard, and by an address; who signed it does not matter."""
    assert unusable_for_https(certificate(), pem_key(KEY), host, NOW) == []


@pytest.mark.parametrize(
    ("chain", "key", "host", "said"),
    [
        (b"", pem_key(KEY), "a.example.com", "the certificate is not PEM"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            b"",
            "a.example.com",
            "the certificate is not PEM",
        ),
        (certificate(), pem_key(OTHER), "a.example.com", "the key does not belong to this certificate"),
        (certificate(), b"nonsense", "a.example.com", "the key is not a private key in PEM"),
        (certificate(), certificate(), "a.example.com", "the key is not a private key in PEM"),
        (certificate(), pem_key(KEY, b"x"), "a.example.com", "the key is encrypted"),
        (certificate(end=NOW), pem_key(KEY), "a.example.com", "the certificate has expired"),
        (certificate(start=NOW + 60, end=NOW + 120), pem_key(KEY), "a.example.com", "not valid yet"),
        (certificate(), pem_key(KEY), "example.com", "not for example.com, but for *.example.com, 2001:db8::7"),
        (certificate(), pem_key(KEY), "192.0.2.1", "not for 192.0.2.1"),
        (certificate(usage=ExtendedKeyUsageOID.CLIENT_AUTH), pem_key(KEY), "a.example.com", "not for servers"),
    ],
)
def test_what_is_wrong(chain: bytes, key: bytes, host: str, said: str) -> None:
    """One sentence, and nothing else."""
    found = unusable_for_https(chain, key, host, NOW)
    assert len(found) == 1
    assert said in found[0]


def test_several_reasons_are_told_together() -> None:
    """So that a second attempt need not find the next one."""
    assert len(unusable_for_https(certificate(end=NOW), pem_key(OTHER), "example.com", NOW)) == 3
