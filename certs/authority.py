"""The relay's issuing authority: a self-signed certificate, its Ed25519 key, and the certificates of machines."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.errors import CertificateRefused, KeyStoreError
from certs.files import atomic_write, private_directory, read_private, read_public
from certs.verify import MAX_DER, UNREADABLE, PublicKey, Role, checked_key, fingerprint

LIFETIME = 30 * 86400.0
"""Seconds that a machine's certificate lives, unless said otherwise."""
AUTHORITY_LIFETIME = 10 * 365 * 86400.0
BACKDATED = 300.0
"""Seconds that a certificate's validity begins before it is issued, for clocks that are behind."""
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")


def check_name(name: str) -> str:
    """Return `name` if a machine may bear it: letters, digits, dot, dash, underscore, at most 63. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"machine name {name!r}: letters, digits, '.', '-' and '_', at most 63, beginning with a letter or a digit"
        )
    return name


class IssuedCertificate(NamedTuple):
    """What the books need of a certificate."""

    serial: int
    not_after: float
    """Unix seconds."""


class Authority:
    """Issues machine certificates. The key stays in `directory` (mode 0700) and in this object."""

    def __init__(self, certificate: x509.Certificate, key: ed25519.Ed25519PrivateKey) -> None:
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, directory: Path, *, name: str, now: float) -> Authority:
        """Make a new authority. Raises KeyStoreError where one is there already: it would orphan every agent."""
        private_directory(directory)
        if (directory / "authority.key").exists():
            raise KeyStoreError(directory, "holds an authority already", "keep it: all agents pin it")
        key = ed25519.Ed25519PrivateKey.generate()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, subject, key.public_key(), now, AUTHORITY_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
            .sign(key, None)
        )
        atomic_write(directory / "authority.pem", certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        atomic_write(directory / "authority.key", _pem(key))
        return cls(certificate, key)

    @classmethod
    def load(cls, directory: Path) -> Authority:
        """Load it. Raises KeyStoreError; FileNotFoundError where there is none."""
        try:
            certificate = x509.load_pem_x509_certificate(read_public(directory / "authority.pem"))
            key = serialization.load_pem_private_key(read_private(directory / "authority.key"), None)
        except (TypeError, *UNREADABLE) as error:  # TypeError: the key is under a passphrase
            raise KeyStoreError(directory, "its authority cannot be read", "restore it from the backup") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey) or key.public_key() != certificate.public_key():
            raise KeyStoreError(directory, "key and certificate do not belong together", "restore them from the backup")
        return cls(certificate, key)

    @property
    def certificate_der(self) -> bytes:
        """The authority's certificate, DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER, hex: what tokens carry and agents pin."""
        return fingerprint(self.certificate_der)

    def describe(self, certificate: bytes) -> IssuedCertificate:
        """Serial number and end of a certificate (DER) that was issued here."""
        parsed = x509.load_der_x509_certificate(certificate)
        return IssuedCertificate(parsed.serial_number, parsed.not_valid_after_utc.timestamp())

    def issue(self, csr: bytes, *, name: str, role: Role, now: float, lifetime: float = LIFETIME) -> bytes:
        """Return a certificate (DER) for the key of `csr` (PKCS #10, DER; RFC 2986).

        The request proves possession of the key and nothing else: name, role and extensions are ours.
        Raises CertificateRefused; ValueError for a name that no machine may bear.
        """
        key = _proven_key(csr)
        issuer = self.certificate.subject
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, check_name(name))])
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH if role is Role.AGENT else ExtendedKeyUsageOID.SERVER_AUTH]
        certificate = (
            _builder(subject, issuer, key, now, lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(role.urn(name))]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, None)
        )
        return certificate.public_bytes(serialization.Encoding.DER)


def _proven_key(csr: bytes) -> PublicKey:
    if len(csr) > MAX_DER:
        raise CertificateRefused("malformed", f"certificate request of {len(csr)} bytes, at most {MAX_DER} are read")
    try:
        request = x509.load_der_x509_csr(csr)
        valid = request.is_signature_valid
        key = request.public_key()
    except UNREADABLE as error:
        raise CertificateRefused("malformed", "not a DER certificate request") from error
    if not valid:
        raise CertificateRefused("bad_signature", "the certificate request is not signed by its own key")
    return checked_key(key)


def _builder(subject: x509.Name, issuer: x509.Name, key: PublicKey, now: float, lifetime: float) -> x509.CertificateBuilder:
    begins = dt.datetime.fromtimestamp(int(now - BACKDATED), dt.UTC)
    ends = dt.datetime.fromtimestamp(int(now + lifetime), dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
