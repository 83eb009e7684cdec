"""Where a new certificate with its key comes from: a PFX file, an ACME server (`certs.acme`), or an answer of a CA.

Each source ends in `checked`: the key is the certificate's, and it is RSA.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, pkcs12

from certs.certificate import Certificate, read_certificate
from certs.errors import CertificateUnreadable, KeyStoreError, SourceError
from certs.files import read_public
from settings import UnusableFile, read_secret

MALFORMED = (ValueError, TypeError, UnsupportedAlgorithm)
"""What the parsers of keys and certificates raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A certificate with its key. Never shown, never logged."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"Material({self.model.thumbprint})"

    @property
    def model(self) -> Certificate:
        """As the planner sees it."""
        return _model(self.certificate)

    @property
    def issuers(self) -> tuple[Certificate, ...]:
        """Its chain, as the planner sees it."""
        return tuple(_model(issuer) for issuer in self.chain)


def from_pfx(path: Path, password_file: Path | None) -> Material:
    """A PFX file; its password from a file of its own, one line end cut off. Raises SourceError."""
    password = _password(password_file) if password_file else None
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(read_public(path), password)
    except FileNotFoundError as error:
        raise SourceError(str(path), "there is no such file", "check its name") from error
    except KeyStoreError as error:
        raise SourceError(str(path), error.problem, "give a PFX file") from error
    except MALFORMED as error:
        if password is None:
            raise SourceError(str(path), "is not a PFX file, or it has a password", "give --password-file") from error
        raise SourceError(str(path), "is not a PFX file, or the password is wrong", "check --password-file") from error
    if key is None or certificate is None:
        raise SourceError(str(path), "contains no certificate with its private key", "export it again, private key included")
    return checked(str(path), key, certificate, tuple(others))


def checked(source: str, key: object, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]) -> Material:
    """The two belong together, and AD FS can use them. Raises SourceError."""
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SourceError(source, "its key is not an RSA key, which AD FS needs", "request a certificate with an RSA key")
    if spki(certificate.public_key()) != spki(key.public_key()):
        raise SourceError(source, "the certificate does not match the private key", "give the certificate for this key")
    return Material(key=key, certificate=certificate, chain=chain)


def from_pem(source: str, key: bytes, chain: bytes) -> Material:
    """What `certs.acme.obtain` answers: a key (PKCS #8) and its chain, both PEM. Raises SourceError."""
    try:
        loaded = load_pem_private_key(key, None)
        certificate, *issuers = x509.load_pem_x509_certificates(chain)
    except MALFORMED as error:
        raise SourceError(source, "returned no readable private key or certificate", "try again") from error
    return checked(source, loaded, certificate, tuple(issuers))


def _model(certificate: x509.Certificate) -> Certificate:
    try:
        return read_certificate(certificate.public_bytes(Encoding.DER))
    except CertificateUnreadable as error:
        raise SourceError("the certificate", str(error), "use another") from error


def _password(path: Path) -> bytes:
    try:
        return read_secret(path).encode()
    except UnusableFile as error:
        raise SourceError(str(path), error.problem, error.remedy or "check --password-file") from error


def spki(key: object) -> bytes:
    """SubjectPublicKeyInfo (RFC 5280 section 4.1) in DER; empty for a key that has none."""
    try:
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]
    except MALFORMED:
        return b""
