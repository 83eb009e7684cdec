"""Whom a domain controller's certificate comes from: the one authority that a new agent has to be told to trust. Pure.

Windows sends a chain without its root, as TLS allows (RFC 8446 section 4.4.2). What is missing may be in the system's
store, or stand in the directory itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

_LONGEST_CHAIN = 10
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate as somebody decides about it."""

    der: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, 64 lower-case hexadecimal digits."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def printed_fingerprint(self) -> str:
        """The same in pairs of capitals with colons, as Windows and OpenSSL print it."""
        digits = self.fingerprint.upper()
        return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))

    @property
    def subject(self) -> str:
        """RFC 4514."""
        return x509.load_der_x509_certificate(self.der).subject.rfc4514_string()

    @property
    def issuer(self) -> str:
        """RFC 4514."""
        return x509.load_der_x509_certificate(self.der).issuer.rfc4514_string()

    @property
    def not_after(self) -> float:
        """Unix seconds."""
        return x509.load_der_x509_certificate(self.der).not_valid_after_utc.timestamp()

    @property
    def pem(self) -> bytes:
        """For `tls.ca_file`."""
        return x509.load_der_x509_certificate(self.der).public_bytes(serialization.Encoding.PEM)


def certificates_in(content: bytes) -> tuple[ShownCertificate, ...]:
    """Of a file: PEM with one or more, or one in DER, as Windows exports it. Raises ValueError for what is neither."""
    try:
        if b"-----BEGIN CERTIFICATE-----" in content:
            return tuple(ShownCertificate(_der(found)) for found in x509.load_pem_x509_certificates(content))
        return (ShownCertificate(_der(x509.load_der_x509_certificate(content))),)
    except _UNREADABLE as error:
        raise ValueError("it holds no certificate (PEM or DER)") from error


def root_of(chain: Sequence[bytes], more: Iterable[bytes] = ()) -> ShownCertificate | None:
    """The self-signed authority at the end of a chain (DER, the server's first), however the rest is ordered.

    more: certificates of authorities (DER) that may fill what the server did not send. None where the end is not among them,
    or is no authority's: then nobody but the certificate itself can be trusted.
    """
    pool = [found for found in map(_parsed, (*chain[1:], *more)) if found is not None and _is_authority(found)]
    current = _parsed(chain[0]) if chain else None
    for _ in range(_LONGEST_CHAIN):
        if current is None:
            return None
        if _issued(current, current):
            return ShownCertificate(_der(current)) if _is_authority(current) else None
        current = next((issuer for issuer in pool if _issued(issuer, current)), None)
    return None


def _issued(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    """By name and by signature."""
    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, *_UNREADABLE):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return False


def _parsed(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except _UNREADABLE:
        return None


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)
