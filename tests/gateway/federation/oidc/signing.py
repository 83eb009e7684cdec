"""Keys of the tests: made once, they cost time."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey, RSAKey

from gateway.federation.oidc.jose import PrivateKey


@dataclass(frozen=True)
class OwnTestKey:
    """A signing key as the relay has it."""

    id: str
    algorithm: str
    private: PrivateKey = field(repr=False)
    ring: str = "oidc"


@functools.cache
def rsa_key(_name: str = "") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def ec_key(_name: str = "") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class FakeKeys:
    """For `SigningKeySource`: one key for each algorithm, and one of another ring that must never sign a token."""

    def __init__(self) -> None:
        self.keys = [
            OwnTestKey("rsa-1", "RS256", rsa_key("own")),
            OwnTestKey("ec-1", "ES256", ec_key("own")),
            OwnTestKey("saml-1", "RS256", rsa_key("saml"), "saml"),
        ]

    def active(self, ring: str, algorithm: str, tried: str = "") -> OwnTestKey:
        return next(key for key in self.keys if (key.ring, key.algorithm) == (ring, algorithm))

    def find(self, key: str) -> OwnTestKey | None:
        return next((own for own in self.keys if own.id == key), None)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [public_jwk(own.private, own.id, own.algorithm) for own in self.keys if own.ring == "oidc"]}


def public_jwk(private: PrivateKey, key_id: str, algorithm: str) -> dict[str, Any]:
    made = RSAKey.import_key(private) if isinstance(private, rsa.RSAPrivateKey) else ECKey.import_key(private)
    return {**made.as_dict(private=False), "kid": key_id, "alg": algorithm, "use": "sig"}
