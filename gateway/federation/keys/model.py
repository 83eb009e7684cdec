"""Signing keys as they are used: which one signs at a moment, which are published. Pure.

                    since                     since
    next ─► published │ ─► active ············· │ ─► retiring ─► forgotten

Two moments decide, so that all nodes change in the same one however long each takes to read of it: a key that is to take
over is kept as `active` with a `since` that lies ahead, and the one it replaces as `retiring` with the same `since`. Until
then the latter signs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from certs import KeyState
from gateway.store import SigningKeyRecord

Ring = Literal["oidc", "saml", "decrypting"]
"""`oidc` signs tokens, `saml` messages and metadata; `decrypting` opens what is encrypted for us."""
PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey

ALGORITHMS: dict[Ring, tuple[str, ...]] = {"oidc": ("RS256", "ES256", "PS256"), "saml": ("RSA",), "decrypting": ("RSA",)}
"""Of each ring; each algorithm has keys of its own (RFC 8725 section 3.1)."""
PUBLISHED = (KeyState.ACTIVE, KeyState.PUBLISHED, KeyState.RETIRING)
"""States whose keys partners are shown, in that order: some take the first that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that can be used."""

    id: str
    """Of a JWK the `kid`, of a certificate its SHA-256 thumbprint."""
    ring: str
    algorithm: str
    state: KeyState
    since: float
    """When it came, or comes, into its state; Unix seconds."""
    private: PrivateKey = field(repr=False)
    certificate: x509.Certificate | None
    record: SigningKeyRecord


def signing_at(keys: Iterable[SigningKey], now: float) -> SigningKey | None:
    """Of the keys of one ring and algorithm the one that signs.

    Where a clock went back behind the very first key, that one: it is the only one there is.
    """
    active = newest(key for key in keys if key.state is KeyState.ACTIVE)
    if active is not None and active.since <= now:
        return active
    return newest(key for key in keys if key.state is KeyState.RETIRING and key.since > now) or active


def may_be_tried(key: SigningKey, ring: Ring, algorithm: str) -> bool:
    """Whether it may sign for somebody who tries it: partners are shown it, and nobody has replaced or deleted it since."""
    return (key.ring, key.algorithm) == (ring, algorithm) and key.state in {KeyState.PUBLISHED, KeyState.ACTIVE}


def newest(keys: Iterable[SigningKey]) -> SigningKey | None:
    """The one that came into its state last."""
    return max(keys, key=lambda key: (key.since, key.id), default=None)
