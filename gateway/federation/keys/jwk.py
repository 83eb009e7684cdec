"""Public keys as JSON Web Keys (RFC 7517), and their names (RFC 7638). Pure."""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_P256_BYTES = 32


def public_jwk(public: RSAPublicKey | EllipticCurvePublicKey, *, id_: str, algorithm: str) -> dict[str, str]:
    """A key that verifies signatures: RSA (RFC 7518 section 6.3.1) or P-256 (6.2.1)."""
    return {**_members(public), "use": "sig", "alg": algorithm, "kid": id_}


def key_id(public: RSAPublicKey | EllipticCurvePublicKey) -> str:
    """The thumbprint: SHA-256 over the required members in the order of their names, without white space, base64url."""
    canonical = json.dumps(_members(public), sort_keys=True, separators=(",", ":"))
    return _text(hashlib.sha256(canonical.encode()).digest())


def _members(public: RSAPublicKey | EllipticCurvePublicKey) -> dict[str, str]:
    if isinstance(public, RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    point = public.public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": _number(point.x, _P256_BYTES), "y": _number(point.y, _P256_BYTES)}


def _number(value: int, size: int = 0) -> str:
    """Big-endian; without leading zeros unless a size is given."""
    return _text(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
