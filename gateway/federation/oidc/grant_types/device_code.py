"""A device code for tokens, when the person has agreed (RFC 8628 section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.device_codes import DeviceAnswer, DeviceCodes
from gateway.federation.oidc.errors import (
    AuthorizationDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    SlowDown,
)
from gateway.federation.oidc.grant_details import digest_of, grant_id_of
from gateway.federation.oidc.issuance import TokenIssuance, TokenRequest
from gateway.federation.oidc.person_grants import PersonGrants

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"


class DeviceCodeGrant:
    """See above."""

    name = DEVICE_CODE

    def __init__(self, context: OidcContext, issuance: TokenIssuance, codes: DeviceCodes) -> None:
        self._context, self._issuance, self._codes = context, issuance, codes
        self._grants = PersonGrants(context)

    async def redeem(self, asked: TokenRequest) -> Mapping[str, Any]:
        """See `GrantType`."""
        device_code = asked.parameters.required("device_code")
        request = self._codes.read(device_code)
        if request is None:
            raise InvalidGrant("no device code of ours")
        if request.trust != asked.trust.id:
            raise InvalidGrant(f"the device code was given to {request.trust}")
        if await self._codes.is_too_soon(request, asked.now):
            raise SlowDown("polled again within seconds")
        answer = await self._codes.take_answer(request, asked.now)
        grant_id = grant_id_of(device_code)
        if answer is None:
            await self._check_pending(grant_id, request.until, asked.now)
            raise AuthorizationPending("nobody has answered yet")
        return await self._give(asked, request.id, grant_id, answer)

    async def _give(self, asked: TokenRequest, request: str, grant_id: str, answer: DeviceAnswer) -> Mapping[str, Any]:
        if answer.grant is None:
            raise AuthorizationDenied("the person did not agree")
        grant = await self._grants.open(asked, grant_id, answer.grant, answer.checked_at)
        await self._grants.check_reserved(request, grant)
        return await self._issuance.issue(asked, grant)

    async def _check_pending(self, grant_id: str, until: float, now: float) -> None:
        """Raises InvalidGrant, ExpiredToken, StoreUnavailable."""
        if await self._context.store.grants.get(digest_of(grant_id), now) is not None:
            raise InvalidGrant("the device code was redeemed before")
        if until <= now:
            raise ExpiredToken("nobody has answered in time")
