"""An X.509 certificate as data, read from its DER (RFC 5280)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.errors import CertificateUnreadable
from certs.thumbprint import thumbprint_of

MAX_DER = 65536
"""Bytes. A certificate with hundreds of names has some ten thousand."""
_MALFORMED = (
    ValueError,
    TypeError,  # of a bit string in a name
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One X.509 certificate, wherever it was seen."""

    thumbprint: str
    """SHA-1 of the DER, 40 upper-case hexadecimal digits, as Windows shows it."""
    subject: str
    issuer: str
    not_before: float | None
    """Unix seconds; None where only the thumbprint is known."""
    not_after: float | None
    names: tuple[str, ...] = ()
    """dNSName of the subject alternative names."""
    server_auth: bool = False
    """Extended key usage has id-kp-serverAuth, or is absent."""
    self_signed: bool = False
    der: bytes = field(default=b"", repr=False)

    def left(self, now: float) -> float:
        """Seconds until it ends, negative afterwards; infinite where its end is not known."""
        return math.inf if self.not_after is None else self.not_after - now

    def ended(self, now: float) -> bool:
        """Whether it is known to have ended."""
        return self.left(now) <= 0

    def begun(self, now: float) -> bool:
        """Whether it is not known to begin later."""
        return self.not_before is None or self.not_before <= now

    def outlasts(self, other: Certificate) -> bool:
        """Whether it is known to end later."""
        return self.not_after is not None and other.not_after is not None and self.not_after > other.not_after


def last_to_end(certificates: Iterable[Certificate]) -> Certificate | None:
    """The one that ends last, by thumbprint where several do; one whose end is not known where there is no other."""
    return max(certificates, key=lambda row: (row.not_after is not None, row.not_after or 0.0, row.thumbprint), default=None)


def read_certificate(der: bytes, what: str = "certificate") -> Certificate:
    """One certificate, whatever its state. Raises CertificateUnreadable, which names `what`."""
    if len(der) > MAX_DER:
        raise CertificateUnreadable(what, f"{len(der)} bytes, at most {MAX_DER} are read")
    try:
        with warnings.catch_warnings():  # of countries that have not two letters: they exist, and nothing depends on them
            warnings.filterwarnings("ignore", "Attribute's length", UserWarning)
            return _read(x509.load_der_x509_certificate(der), der)
    except _MALFORMED as error:
        raise CertificateUnreadable(what, "not an X.509 certificate in DER") from error


def covers(certificate: Certificate, name: str) -> bool:
    """Whether a client would accept the certificate for this DNS name (RFC 6125 section 6.4.3: one leftmost label)."""
    wanted = name.lower().rstrip(".")
    _, _, parent = wanted.partition(".")
    return any(own.lower() in {wanted, f"*.{parent}"} for own in certificate.names)


def _read(parsed: x509.Certificate, der: bytes) -> Certificate:
    return Certificate(
        thumbprint=thumbprint_of(der),
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        not_before=parsed.not_valid_before_utc.timestamp(),
        not_after=parsed.not_valid_after_utc.timestamp(),
        names=_extension(parsed, _names, ()),
        server_auth=_extension(parsed, _server_auth, True),
        self_signed=_self_signed(parsed),
        der=der,
    )


def _extension(parsed: x509.Certificate, read: Callable[[x509.Extensions], T], absent: T) -> T:
    try:
        return read(parsed.extensions)
    except x509.ExtensionNotFound:
        return absent


def _names(extensions: x509.Extensions) -> tuple[str, ...]:
    found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return tuple(found.get_values_for_type(x509.DNSName))


def _server_auth(extensions: x509.Extensions) -> bool:
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return ExtendedKeyUsageOID.SERVER_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def _self_signed(parsed: x509.Certificate) -> bool:
    """By its signature. One whose key we cannot check counts by its names."""
    if parsed.subject != parsed.issuer:
        return False
    try:
        parsed.verify_directly_issued_by(parsed)
    except InvalidSignature:
        return False
    except _MALFORMED:
        return True
    return True
