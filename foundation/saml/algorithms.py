"""Which signatures are made and taken, and with which keys. Pure.

An algorithm that is not here does not exist: no HMAC (whoever knows a public key could make it), no MD5, no DSA; SHA-1 only
where a trust says so (XML Signature 1.1 section 6.1 for the names).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from certs import Certificate
from foundation.saml.errors import SamlError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
MIN_RSA_BITS = 2048
MIN_CURVE_BITS = 256
MAX_CERTIFICATES = 8
"""Of one trust, that a signature is tried with."""
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_ENC = "http://www.w3.org/2001/04/xmlenc#"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """One way of signing."""

    uri: str
    elliptic: bool
    digest: type[hashes.HashAlgorithm]
    digest_uri: str
    """Of the digest that goes with it where it is used to sign."""

    @property
    def sha1(self) -> bool:
        """Whether only a trust's switch allows it."""
        return self.digest is hashes.SHA1

    def sign(self, key: rsa.RSAPrivateKey, data: bytes) -> bytes:
        """By an RSA key (PKCS #1 version 1.5, RFC 8017 section 8.2)."""
        return key.sign(data, padding.PKCS1v15(), self.digest())

    def fits(self, key: PublicKey) -> bool:
        """Whether a signature of this kind can be by that key."""
        return self.elliptic == isinstance(key, ec.EllipticCurvePublicKey)

    def verify(self, key: PublicKey, signature: bytes, data: bytes) -> bool:
        """Whether the key made the signature over the data."""
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, data, padding.PKCS1v15(), self.digest())
            else:
                key.verify(_der(signature, key.key_size), data, ec.ECDSA(self.digest()))
        except (InvalidSignature, ValueError):
            return False
        return True


DIGESTS = {
    f"{_ENC}sha256": hashes.SHA256,
    f"{_MORE}sha384": hashes.SHA384,
    f"{_ENC}sha512": hashes.SHA512,
    f"{_DSIG}sha1": hashes.SHA1,
}
RSA_SHA256 = SignatureAlgorithm(f"{_MORE}rsa-sha256", False, hashes.SHA256, f"{_ENC}sha256")
RSA_SHA1 = SignatureAlgorithm(f"{_DSIG}rsa-sha1", False, hashes.SHA1, f"{_DSIG}sha1")
SIGNATURES = {
    algorithm.uri: algorithm
    for algorithm in (
        RSA_SHA256,
        SignatureAlgorithm(f"{_MORE}rsa-sha384", False, hashes.SHA384, f"{_MORE}sha384"),
        SignatureAlgorithm(f"{_MORE}rsa-sha512", False, hashes.SHA512, f"{_ENC}sha512"),
        SignatureAlgorithm(f"{_MORE}ecdsa-sha256", True, hashes.SHA256, f"{_ENC}sha256"),
        SignatureAlgorithm(f"{_MORE}ecdsa-sha384", True, hashes.SHA384, f"{_MORE}sha384"),
        SignatureAlgorithm(f"{_MORE}ecdsa-sha512", True, hashes.SHA512, f"{_ENC}sha512"),
        RSA_SHA1,
    )
}
"""By the name that XML Signature gives it."""


def signature_algorithm(uri: str, what: str, *, sha1: bool) -> SignatureAlgorithm:
    """The one of that name. Raises SamlError, which names `what`."""
    algorithm = SIGNATURES.get(uri)
    if algorithm is None:
        raise SamlError(what, "its signature is of a kind that is not taken")
    if algorithm.sha1 and not sha1:
        raise SamlError(what, "its signature is made with SHA-1, which this trust does not allow")
    return algorithm


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that may sign, and the certificate it is known by."""

    certificate: Certificate
    parsed: x509.Certificate
    key: PublicKey


def trusted_keys(certificates: Sequence[Certificate], what: str) -> list[TrustedKey]:
    """Those of a trust's certificates whose keys are strong enough. Whether a certificate has expired is for others to say.
    Raises SamlError where none is left."""
    found = [key for key in map(_trusted_key, certificates[:MAX_CERTIFICATES]) if key is not None]
    if not found:
        raise SamlError(what, "the trust has no certificate whose key could verify its signature")
    return found


def fitting(keys: Iterable[TrustedKey], algorithm: SignatureAlgorithm) -> Iterable[TrustedKey]:
    """Those that can have made a signature of this kind."""
    return (key for key in keys if algorithm.fits(key.key))


@functools.lru_cache(maxsize=1024)
def _trusted_key(certificate: Certificate) -> TrustedKey | None:
    try:
        parsed = x509.load_der_x509_certificate(certificate.der)
        key = parsed.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPublicKey):
        return TrustedKey(certificate, parsed, key) if key.key_size >= MIN_RSA_BITS else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return TrustedKey(certificate, parsed, key) if key.key_size >= MIN_CURVE_BITS else None
    return None


def _der(signature: bytes, bits: int) -> bytes:
    """XML Signature writes r and s side by side (1.1 section 6.4.3), `cryptography` takes them in DER."""
    half = (bits + 7) // 8
    if len(signature) != 2 * half:
        raise ValueError("of another length")
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
