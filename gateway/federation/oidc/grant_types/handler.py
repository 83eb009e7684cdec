"""What every grant type has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.federation.oidc.issuance import TokenRequest


class GrantType(Protocol):
    """Redeems one kind of grant."""

    @property
    def name(self) -> str:
        """Value of `grant_type`."""
        ...

    async def redeem(self, asked: TokenRequest) -> Mapping[str, Any]:
        """The answer's members. Raises OAuthError, StoreError, SigningKeyError."""
        ...
