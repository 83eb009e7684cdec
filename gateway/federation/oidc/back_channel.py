"""Back-channel logout (OpenID Connect Back-Channel Logout 1.0): an application's server is told that a session has ended."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import structlog

from foundation.http import FetchFailed
from gateway.federation.keys import SigningKeyError
from gateway.federation.oidc.jose import Signer
from gateway.federation.oidc.ports import SigningKeySource
from gateway.federation.outbound import OutboundAnswer
from gateway.federation.trusts import Trust
from gateway.signin import DepartureOutcome
from gateway.store import ParticipantRecord

log = structlog.get_logger()

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LIFETIME: Final = 120
"""Seconds that a logout token is good for (section 4)."""
_TAKEN: Final = (200, 204)
"""Section 2.8; 204 is what some frameworks send for an empty answer."""


class Posting(Protocol):
    """Of `gateway.federation.outbound.Outbound` what telling needs."""

    async def post(self, url: str, body: bytes, *, content_type: str) -> OutboundAnswer:
        """Raises FetchFailed."""
        ...


class BackChannelLogout:
    """Implements `gateway.federation.participants.LogoutChannel`. clock: Unix seconds."""

    def __init__(self, issuer: str, keys: SigningKeySource, outbound: Posting, clock: Callable[[], float]) -> None:
        self._issuer, self._keys, self._outbound, self._clock = issuer, keys, outbound, clock
        self._signer = Signer()

    async def tell(self, record: ParticipantRecord, trust: Trust) -> DepartureOutcome:
        """See `LogoutChannel`."""
        url = trust.oidc.backchannel_logout_uri
        if not url:
            return "no way"
        try:
            body = urlencode({"logout_token": self._token(record, trust)}).encode()
            answer = await self._outbound.post(url, body, content_type="application/x-www-form-urlencoded")
        except SigningKeyError as error:
            log.error("logout.key_missing", trust=trust.id, error=str(error))  # noqa: TRY400 - it says all
            return "failed"
        except FetchFailed as failed:
            log.warning("logout.not_reached", trust=trust.id, error=failed.reason)
            return "failed"
        if answer.status in _TAKEN:
            return "told"
        log.warning("logout.not_taken", trust=trust.id, status=answer.status)
        return "failed"

    def _token(self, record: ParticipantRecord, trust: Trust) -> str:
        """Section 2.4: never with a nonce, so that nobody takes it for an ID token. Raises NoSigningKey."""
        moment = self._clock()
        now = int(moment)
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": trust.client_id,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_urlsafe(16),
            "sub": record.details.decode(),
            "sid": record.index,
            "events": {EVENT: {}},
        }
        key = self._keys.active("oidc", trust.oidc.signing_algorithm, record.tried_at(moment))
        return self._signer.sign(claims, key_id=key.id, algorithm=key.algorithm, private=key.private, typ="logout+jwt")
