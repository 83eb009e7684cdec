"""A machine's identity: its key, its certificate, and the authority it pins, in one directory.

    identity.pem       current: private key, certificate, authority (one file, so that they change together)
    pending.key        a key whose certificate has been asked for

A crash between any two steps leaves the current identity working: the one file is replaced as a whole.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from certs.authority import _pem
from certs.errors import CertificateRefused, KeyStoreError
from certs.files import atomic_write, private_directory, read_private
from certs.verify import UNREADABLE, Role, verify_certificate

RENEW_AT = 2 / 3
"""Share of a certificate's life after which it is renewed."""
STAGGER = 0.05
"""Share of the life over which machines spread their renewals."""


def renewal_due(not_before: float, not_after: float, now: float, name: str) -> bool:
    """Whether to renew: at two thirds of the life, earlier or later by a share that depends on the name."""
    spread = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32 * 2 - 1
    return now >= not_before + (not_after - not_before) * (RENEW_AT + STAGGER * spread)


class MachineIdentity:
    """What a machine proves itself with. Ed25519; the private key never leaves `directory`."""

    def __init__(
        self, directory: Path, key: ed25519.Ed25519PrivateKey, certificate: x509.Certificate, authority: x509.Certificate
    ) -> None:
        self.directory = directory
        self.certificate, self.authority = certificate, authority
        self._key = key

    @staticmethod
    def begin(directory: Path, *, name: str) -> bytes:
        """Make a new key, keep it as pending, and return the certificate request (PKCS #10, DER) for it.

        An identity that is already there stays as it is until `install`. Raises KeyStoreError.
        """
        private_directory(directory)
        key = ed25519.Ed25519PrivateKey.generate()
        atomic_write(directory / "pending.key", _pem(key))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, None)
        return request.public_bytes(serialization.Encoding.DER)

    @classmethod
    def install(
        cls, directory: Path, certificate: bytes, authority: bytes, *, name: str, role: Role, now: float
    ) -> MachineIdentity:
        """Make the pending key and this certificate (both DER) the identity. Raises CertificateRefused, KeyStoreError."""
        try:
            key = _load_key(directory, read_private(directory / "pending.key"))
        except FileNotFoundError as error:
            raise KeyStoreError(directory, "no certificate was asked for", "begin an enrolment") from error
        try:
            pinned = x509.load_der_x509_certificate(authority)
        except UNREADABLE as error:
            raise CertificateRefused("malformed", "the authority's certificate cannot be read") from error
        peer = verify_certificate(certificate, authority=pinned, role=role, now=now)
        if peer.public_key != key.public_key():
            raise CertificateRefused("wrong_key", "it was issued for another key")
        if peer.name != name:
            raise CertificateRefused("wrong_role", f"it names {peer.name}, not {name}")
        issued = x509.load_der_x509_certificate(certificate)
        content = _pem(key) + _pem_of(issued) + _pem_of(pinned)
        atomic_write(directory / "identity.pem", content)
        (directory / "pending.key").unlink()
        return cls(directory, key, issued, pinned)

    @classmethod
    def load(cls, directory: Path, *, real: bool = False) -> MachineIdentity:
        """Load it. real: `directory` may not be a link. Raises KeyStoreError; FileNotFoundError where this machine was never
        enrolled."""
        content = read_private(directory / "identity.pem", in_real=real)
        try:
            certificate, authority = x509.load_pem_x509_certificates(content)
        except UNREADABLE as error:
            raise KeyStoreError(directory, "the identity cannot be read", "enrol this machine anew") from error
        key = _load_key(directory, content)
        if key.public_key() != certificate.public_key():
            raise KeyStoreError(directory, "key and certificate do not belong together", "enrol this machine anew")
        return cls(directory, key, certificate, authority)

    def begin_renewal(self) -> bytes:
        """Make the next key and return the certificate request for it, DER."""
        return self.begin(self.directory, name=self.name)

    def finish_renewal(self, certificate: bytes, now: float) -> MachineIdentity:
        """Return the renewed identity: same name, role and authority. Raises CertificateRefused, KeyStoreError."""
        authority = self.authority.public_bytes(serialization.Encoding.DER)
        return self.install(self.directory, certificate, authority, name=self.name, role=self.role, now=now)

    def sign(self, data: bytes) -> bytes:
        """Sign with the private key (Ed25519, RFC 8032)."""
        return self._key.sign(data)

    @cached_property
    def _urn(self) -> list[str]:
        names = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)[0].split(":", 3)

    @property
    def name(self) -> str:
        """The name that the authority gave."""
        return self._urn[3]

    @property
    def role(self) -> Role:
        """Agent or relay."""
        return Role(self._urn[2])

    @property
    def certificate_der(self) -> bytes:
        """DER of the certificate that the authority issued (RFC 5280)."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def serial(self) -> int:
        """The certificate's serial number."""
        return self.certificate.serial_number

    @property
    def not_before(self) -> float:
        """Begin of validity, Unix seconds."""
        return self.certificate.not_valid_before_utc.timestamp()

    @property
    def not_after(self) -> float:
        """End of validity, Unix seconds."""
        return self.certificate.not_valid_after_utc.timestamp()


def _load_key(directory: Path, pem: bytes) -> ed25519.Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyStoreError(directory, "the key cannot be read", "enrol this machine anew") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise KeyStoreError(directory, "the key is not Ed25519", "enrol this machine anew")
    return key


def _pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
