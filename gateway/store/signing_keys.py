"""Keys that sign tokens and open what is encrypted for us, in rings. Kind of state: lasting; in memory a copy, by the
generation `signing_keys`. Private keys are sealed with a key of the keyring (use `signing keys`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

GENERATION = "signing_keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRecord:
    """One key. The states are those of `certs.policy.KeyState`."""

    id: str
    """Of a JWK the `kid` (RFC 7638 thumbprint); of a certificate its SHA-256 thumbprint."""
    ring: str
    """`oidc`, `saml`, `decrypting`."""
    algorithm: str
    """`RS256`, `ES256`, `PS256`; of SAML `RSA`."""
    certificate: bytes
    """DER; empty for OpenID Connect."""
    private: bytes = field(repr=False)
    """PKCS #8 DER. In the database it is sealed."""
    state: str
    since: float
    created_at: float
    not_after: float
    waiting_for: frozenset[str] = frozenset()
    """Trusts that must acknowledge it before it may be promoted."""
    version: int = 1


class SigningKeyStore(Protocol):
    """Rings of keys."""

    async def all(self) -> list[SigningKeyRecord]:
        """Every key that is not forgotten, by when it was made. Raises StoreUnavailable, KeysUnreadable."""
        ...


# UnitOfWork gets: put_signing_key(record) [insert where version is 1, else raises SigningKeyChanged where the kept version
# is not record.version - 1] and forget_signing_key(id), both raising the generation `signing_keys`.
