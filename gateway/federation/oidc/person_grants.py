"""Grants of a person that hang on no browser session: of a device, and of a password that an application brought."""

from __future__ import annotations

from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import GrantDetails, digest_of, write_details
from gateway.federation.oidc.issuance import IssuedGrant, TokenRequest
from gateway.federation.oidc.refresh_tokens import new_refresh_token
from gateway.federation.trusts import Trust
from gateway.store import GrantRecord


class PersonGrants:
    """They end by themselves, by revocation, and with the account.

    Between a person's yes and the device's next poll there is no grant yet. So that whatever ends grants in that time ends
    this one, too, a reservation stands in its place.
    """

    def __init__(self, context: OidcContext) -> None:
        self._context = context

    async def reserve(self, request: str, trust: Trust, details: GrantDetails, checked_at: float, until: float) -> None:
        """request: id of the device's. until: Unix seconds up to which it may fetch its tokens. Raises StoreUnavailable."""
        record = GrantRecord(
            digest=_reservation(request),
            trust=trust.id,
            account=details.identity.account,
            details=write_details(details),
            created_at=self._context.clock(),
            expires_at=until,
            idle_at=until,
            checked_at=checked_at,
        )
        await self._context.store.grants.add(record)

    async def check_reserved(self, request: str, grant: IssuedGrant) -> None:
        """The reservation was there until now; else the grant that took its place ends.

        Raises InvalidGrant, StoreUnavailable.
        """
        if await self._context.store.grants.end(_reservation(request)) is None:
            await self._context.store.grants.end(digest_of(grant.id))
            raise InvalidGrant("it was revoked before the device came for it")

    async def open(self, asked: TokenRequest, grant_id: str, details: GrantDetails, checked_at: float) -> IssuedGrant:
        """A new one. Raises InvalidGrant where there was one with that id, and StoreUnavailable."""
        lifetimes, now = self._context.lifetimes_of(asked.trust), asked.now
        refresh_token = new_refresh_token(grant_id) if "refresh_token" in asked.trust.oidc.grants else ""
        record = GrantRecord(
            digest=digest_of(grant_id),
            trust=asked.trust.id,
            account=details.identity.account,
            details=write_details(details),
            created_at=now,
            expires_at=now + (lifetimes.refresh_absolute if refresh_token else lifetimes.access_token),
            idle_at=now + max(lifetimes.refresh_idle if refresh_token else 0.0, lifetimes.access_token),
            generation=1 if refresh_token else 0,
            current=digest_of(refresh_token) if refresh_token else b"",
            checked_at=checked_at,
        )
        if not await self._context.store.grants.add(record):
            raise InvalidGrant("what it was made of was used before")
        return IssuedGrant(
            id=grant_id,
            details=details,
            scope=details.scope,
            resources=details.resources,
            expires_at=record.expires_at,
            refresh_token=refresh_token,
        )


def _reservation(request: str) -> bytes:
    """Of no form that a refresh token could name."""
    return digest_of(f"reserved {request}")
