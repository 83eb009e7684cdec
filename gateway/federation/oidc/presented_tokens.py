"""Tokens that a client shows to ask about them, or to give them back: whose they are, and whether they are good."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import digest_of
from gateway.federation.oidc.jose import JwtRefused
from gateway.federation.oidc.refresh_tokens import grant_id_in
from gateway.federation.oidc.tokens import AccessToken
from gateway.federation.trusts import Trust
from gateway.store import GrantRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedToken:
    """A token of a client that is enabled, with what it hangs on."""

    trust: Trust
    """Whom it was given to."""
    access: AccessToken | None = None
    """What it says; None for a refresh token."""
    grant: GrantRecord | None = field(default=None, repr=False)
    """None for an access token that hangs on none."""
    is_spent: bool = False
    """A refresh token that was replaced, or never was one."""

    @property
    def kind(self) -> str:
        """As in `token_type_hint` (RFC 7009 section 2.1)."""
        return "refresh_token" if self.access is None else "access_token"


class PresentedTokens:
    """Finds them. A hint of the token's type is not needed: the two cannot be taken for each other."""

    def __init__(self, context: OidcContext) -> None:
        self._context = context

    async def find(self, text: str, now: float) -> PresentedToken | None:
        """None for what is no access or refresh token of ours, or is over. Raises StoreUnavailable."""
        try:
            grant_id = grant_id_in(text)
        except InvalidGrant:
            return await self._find_access_token(text, now)
        grant = await self._context.store.grants.get(digest_of(grant_id), now)
        trust = self._context.trusts.get(grant.trust) if grant is not None else None
        if grant is None or trust is None:
            return None
        return PresentedToken(trust=trust, grant=grant, is_spent=grant.current != digest_of(text))

    async def _find_access_token(self, text: str, now: float) -> PresentedToken | None:
        try:
            token = self._context.tokens.read_access_token(text, now)
        except JwtRefused:
            return None
        trust = self._context.trusts.client(token.client_id)
        if trust is None or not token.grant:
            return PresentedToken(trust=trust, access=token) if trust is not None else None
        grant = await self._context.store.grants.get(bytes.fromhex(token.grant), now)
        if grant is None or grant.trust != trust.id:
            return None
        return PresentedToken(trust=trust, access=token, grant=grant)
