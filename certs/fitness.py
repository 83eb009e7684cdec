"""Whether a certificate can be used for what it is meant for: sentences that say what is wrong, and what to do. Pure."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.certificate import Certificate, covers

Purpose = Literal["signatures", "encryption", "tls"]
DAY = 86400.0
_RSA_BITS = 2048
"""Fewest that are taken: NIST SP 800-57 allows them until 2030."""


def unfit_for(certificate: Certificate, purpose: Purpose, now: float, least: float = DAY) -> list[str]:
    """Why it cannot be used for that; `least`: seconds that it must still be valid."""
    name = f"certificate {certificate.thumbprint} ({certificate.subject})"
    wrong = []
    if not certificate.begun(now):
        wrong.append(f"{name} is not valid yet; wait, or check the clocks here and at the CA")
    if certificate.not_after is None:
        wrong.append(f"the expiry date of {name} is not known, because the certificate cannot be read; use another")
    elif certificate.ended(now):
        wrong.append(f"{name} has expired; use another")
    elif certificate.left(now) < least:
        days = certificate.left(now) / DAY
        wrong.append(f"{name} expires in {days:.0f} days, sooner than the required {least / DAY:.0f}; use a newer one")
    return wrong + [f"{name} {problem}" for problem in _usage(certificate.der, purpose)]


def uncovered(certificate: Certificate, wanted: Sequence[str]) -> list[str]:
    """DNS names that it does not cover, in one sentence."""
    missing = [name for name in wanted if not covers(certificate, name)]
    if not missing:
        return []
    return [f"certificate {certificate.thumbprint} does not cover {', '.join(missing)}; request one that does"]


def untrusted(certificate: Certificate) -> list[str]:
    """Why browsers would not take it from a server, whatever its names."""
    name, wrong = f"certificate {certificate.thumbprint}", []
    if not certificate.server_auth:
        wrong.append(f"{name} is not valid for servers (no Server Authentication usage); request one that is")
    if certificate.self_signed:
        wrong.append(f"{name} is self-signed, so no browser trusts it; use one from a CA")
    return wrong


def broken_chain(leaf: Certificate, issuers: Sequence[Certificate], now: float) -> list[str]:
    """Each certificate must be signed by the next, up to the last that was given, and none may have expired."""
    wrong, current = [], leaf
    rest = list(issuers)
    while rest:
        issuer = next((candidate for candidate in rest if candidate.subject == current.issuer), None)
        if issuer is None:
            break
        rest.remove(issuer)
        if not _signed_by(current.der, issuer.der):
            wrong.append(f"{current.subject} was not signed by the key of {issuer.subject}; the chain is wrong")
        if issuer.ended(now):
            wrong.append(f"{issuer.subject}, which issued it, has expired")
        current = issuer
        if current.self_signed:
            break
    return wrong


@functools.lru_cache(maxsize=256)
def _usage(der: bytes, purpose: Purpose) -> tuple[str, ...]:
    """Key, and key usage (RFC 5280 section 4.2.1.3), where there is a DER to look at."""
    if not der:
        return ()
    try:
        parsed = x509.load_der_x509_certificate(der)
        key, usage = parsed.public_key(), _key_usage(parsed)
    except (ValueError, x509.DuplicateExtension) as error:
        return (f"cannot be read ({error}); use another",)
    wrong = []
    if not isinstance(key, rsa.RSAPublicKey):
        wrong.append("has no RSA key, which AD FS needs; use another")
    elif key.key_size < _RSA_BITS:
        wrong.append(f"has an RSA key of {key.key_size} bits, less than {_RSA_BITS}; use another")
    signs = usage is None or usage.digital_signature
    encrypts = usage is None or usage.key_encipherment or usage.data_encipherment
    if purpose == "signatures" and not signs:
        wrong.append("may not be used for signatures (key usage lacks digitalSignature); use another")
    if not encrypts and (purpose == "encryption" or (purpose == "tls" and not signs)):
        wrong.append("may not be used for encryption (key usage lacks keyEncipherment); use another")
    return tuple(wrong)


def _key_usage(parsed: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


@functools.lru_cache(maxsize=64)
def _signed_by(der: bytes, issuer: bytes) -> bool:
    if not (der and issuer):
        return False
    try:
        x509.load_der_x509_certificate(der).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
