"""What this package needs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from gateway.federation.oidc.jose import PrivateKey
from gateway.federation.trusts import Trust


class OwnKey(Protocol):
    """A signing key of this relay (`gateway.federation.keys.SigningKey`)."""

    @property
    def id(self) -> str:
        """The `kid`."""
        ...

    @property
    def ring(self) -> str:
        """`oidc`, or another one, whose keys sign no tokens."""
        ...

    @property
    def algorithm(self) -> str:
        """The one that it is for."""
        ...

    @property
    def private(self) -> PrivateKey:
        """The key itself."""
        ...


class TrustSource(Protocol):
    """Of `gateway.federation.trusts.TrustRegistry` what finding a client needs."""

    def all(self) -> Sequence[Trust]:
        """Those that sign people in."""
        ...

    def get(self, trust_id: str) -> Trust | None:
        """By its id."""
        ...

    def client(self, client_id: str) -> Trust | None:
        """By its client_id."""
        ...


class SigningKeySource(Protocol):
    """Of `gateway.federation.keys.SigningKeys` what signing and reading tokens needs."""

    def active(self, ring: Literal["oidc"], algorithm: str, tried: str = "") -> OwnKey:
        """The key that signs now; tried: id of the one that is tried. Raises NoSigningKey."""
        ...

    def find(self, key: str) -> OwnKey | None:
        """One that is published, by its id."""
        ...

    def jwks(self) -> dict[str, Any]:
        """The key set, plain data for JSON."""
        ...
