"""Who a certificate names, and whether that may be believed. `verify_…` raises, it never returns a bool.

A machine certificate names its holder in one URI of the subject alternative name, `urn:isthmus:<role>:<name>`; the
subject's CN is for people's eyes only.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs.errors import CertificateRefused

LEEWAY = 300.0
"""Seconds by which clocks may differ when validity is judged."""
MAX_DER = 8192
_URN = "urn:isthmus:"
_KNOWN_CRITICAL = frozenset(
    {x509.BasicConstraints.oid, x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid, x509.SubjectAlternativeName.oid}
)

UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the parser raises for a certificate or a request that is none; not all of it is a ValueError."""
PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey


class Role(enum.StrEnum):
    """What a machine is to the others."""

    AGENT = "agent"
    RELAY = "relay"

    def urn(self, name: str) -> str:
        """The URI that names a machine of this role."""
        return f"{_URN}{self.value}:{name}"


_SIGNATURE_HEAD = b"\x03\x41\x00"
"""BIT STRING of 64 bytes, no bit unused (X.690 section 8.6.2). The signature is not part of what is signed, and parsers let
unused bits through: one certificate would have several fingerprints."""


@dataclass(frozen=True, slots=True)
class VerifiedPeer:
    """Who a verified certificate names. Times are Unix seconds; `fingerprint` is SHA-256 of the DER, in hex."""

    name: str
    role: Role
    serial: int
    public_key: PublicKey
    fingerprint: str
    not_before: float
    not_after: float


def verify_certificate(
    der: bytes, *, authority: x509.Certificate, role: Role, now: float, leeway: float = LEEWAY
) -> VerifiedPeer:
    """Accept a machine certificate that exactly this authority issued for this role (RFC 5280 section 6, one step).

    `now` is Unix seconds. Raises CertificateRefused.
    """
    certificate = _parse(der)
    try:
        # RFC 5280 section 6.1.3 (a)(1) and (4): the signature by the authority's key, and its name as the issuer's
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, *UNREADABLE) as error:
        raise CertificateRefused("wrong_authority", "not issued by the authority that is pinned here") from error
    if not der.endswith(_SIGNATURE_HEAD + certificate.signature):
        raise CertificateRefused("malformed", "its signature is not in the one encoding that DER has for it")
    _check_extensions(certificate)
    name = _name_of(certificate, role)
    not_before, not_after = _check_validity(certificate, name, now, leeway)
    _check_validity(authority, "the authority that issued it", now, leeway)
    return VerifiedPeer(name, role, certificate.serial_number, _key_of(certificate), fingerprint(der), not_before, not_after)


def verify_signature(peer: VerifiedPeer, signature: bytes, data: bytes) -> None:
    """Accept a signature by the peer's key. Raises CertificateRefused."""
    verify_with(peer.public_key, signature, data)


def verify_with(key: PublicKey, signature: bytes, data: bytes) -> None:
    """Accept an Ed25519 signature, or ECDSA with SHA-256. Raises CertificateRefused."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise CertificateRefused("bad_signature", "the signature does not fit") from None


def fingerprint(der: bytes) -> str:
    """SHA-256 in lower-case hex."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def _parse(der: bytes) -> x509.Certificate:
    if len(der) > MAX_DER:
        raise CertificateRefused("malformed", f"{len(der)} bytes, at most {MAX_DER} are read")
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.extensions  # noqa: B018 - parsed lazily: raise now
    except UNREADABLE as error:
        raise CertificateRefused("malformed", "not a DER certificate") from error
    return certificate


def _check_extensions(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        # section 4.2: a critical extension that is not processed limits the certificate in a way that nobody would enforce
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            raise CertificateRefused("malformed", f"critical extension {extension.oid.dotted_string} is not known")
        # section 4.2.1.9: an authority below ours, were there one, could name any machine
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            raise CertificateRefused("wrong_role", "an authority's certificate is not a machine's")


def _check_validity(certificate: x509.Certificate, holder: str, now: float, leeway: float) -> tuple[float, float]:
    """Return begin and end of validity (section 4.1.2.5), Unix seconds. Raises CertificateRefused."""
    not_before, not_after = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    if now > not_after + leeway:
        raise CertificateRefused("expired", f"that of {holder} ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M}Z")
    if now < not_before - leeway:
        raise CertificateRefused(
            "not_yet_valid", f"that of {holder} begins {not_before - now:.0f} s from now: check this machine's clock"
        )
    return not_before, not_after


def _name_of(certificate: x509.Certificate, role: Role) -> str:
    """From the one URI of ours in the subject alternative name (section 4.2.1.6); several would let the reader choose."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise CertificateRefused("wrong_role", "no subject alternative name") from None
    urns = [urn for urn in names.get_values_for_type(x509.UniformResourceIdentifier) if urn.startswith(_URN)]
    if len(urns) != 1:
        raise CertificateRefused("wrong_role", f"{len(urns)} names of ours instead of one")
    prefix = role.urn("")
    if not urns[0].startswith(prefix) or len(urns[0]) == len(prefix):
        raise CertificateRefused("wrong_role", f"{urns[0]} is not the name of a machine of role {role.value}")
    return urns[0][len(prefix) :]


def _key_of(certificate: x509.Certificate) -> PublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateRefused("wrong_key", "its key cannot be read") from error
    return checked_key(key)


def checked_key(key: object) -> PublicKey:
    """Accept Ed25519 (RFC 8410) and ECDSA P-256 keys (RFC 5480). Raises CertificateRefused."""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise CertificateRefused("wrong_key", "its key is neither Ed25519 nor ECDSA P-256")
