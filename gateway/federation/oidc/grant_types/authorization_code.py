"""A code for tokens (RFC 6749 section 4.1.3), once.

ours ─► taken from the store ─► for this client, address, verifier ─► grant added ─► session still lives ─► tokens
           │ gone                                                         │ there already
           └─► redeemed before: what came of it ends (RFC 9700 4.5) ◄─────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from gateway.federation.oidc.checks.codes import (
    check_code_client,
    check_code_redirect_uri,
    check_verifier,
    narrowed_resources,
)
from gateway.federation.oidc.codes import LONGEST_LIFE, CodeDetails
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import digest_of, grant_id_of, write_details
from gateway.federation.oidc.issuance import IssuedGrant, TokenIssuance, TokenRequest
from gateway.federation.oidc.refresh_tokens import new_refresh_token
from gateway.protocol import AccountId
from gateway.store import GrantRecord

log = structlog.get_logger()

_NOBODY = AccountId("", "")


class AuthorizationCodeGrant:
    """See above."""

    name = "authorization_code"

    def __init__(self, context: OidcContext, issuance: TokenIssuance) -> None:
        self._context, self._issuance = context, issuance

    async def redeem(self, asked: TokenRequest) -> Mapping[str, Any]:
        """See `GrantType`."""
        code = asked.parameters.required("code")
        self._context.codes.check(code, asked.now)
        details = await self._context.codes.take(code, asked.now)
        if details is None:
            await self._end_redeemed(code, asked)
            raise InvalidGrant("the code was redeemed before, or has expired")
        check_code_client(details.trust, asked.trust.id)
        check_code_redirect_uri(details.redirect_uri, asked.parameters.one("redirect_uri"))
        check_verifier(details.challenge, asked.parameters.one("code_verifier"))
        resources = narrowed_resources(details.grant.resources, asked.parameters.many("resource"))
        grant_id = grant_id_of(code)
        refresh_token = new_refresh_token(grant_id) if "refresh_token" in asked.trust.oidc.grants else ""
        record = self._record(asked, details, grant_id, refresh_token)
        if record.expires_at <= asked.now:
            raise InvalidGrant("the session has ended")
        if not await self._context.store.grants.add(record):
            await self._context.store.grants.end(record.digest)
            raise InvalidGrant("the code was redeemed twice in one moment")
        tried = await self._check_session(asked, details, record)
        grant = IssuedGrant(
            id=grant_id,
            details=details.grant,
            scope=details.grant.scope,
            resources=resources,
            expires_at=record.expires_at,
            nonce=details.nonce,
            request=details.request,
            refresh_token=refresh_token,
            tried=tried,
        )
        return await self._issuance.issue(asked, grant)

    def _record(self, asked: TokenRequest, code: CodeDetails, grant_id: str, refresh_token: str) -> GrantRecord:
        lifetimes, now = self._context.lifetimes_of(asked.trust), asked.now
        ends = now + (lifetimes.refresh_absolute if refresh_token else lifetimes.access_token)
        outlives = "offline_access" in code.grant.scope
        if not outlives:
            ends = min(ends, code.session_ends_at)
        return GrantRecord(
            digest=digest_of(grant_id),
            trust=asked.trust.id,
            account=code.grant.identity.account,
            session=b"" if outlives else code.session,
            details=write_details(code.grant),
            created_at=now,
            expires_at=ends,
            idle_at=now + max(lifetimes.refresh_idle if refresh_token else 0.0, lifetimes.access_token),
            generation=1 if refresh_token else 0,
            current=digest_of(refresh_token) if refresh_token else b"",
            checked_at=code.checked_at,
        )

    async def _check_session(self, asked: TokenRequest, code: CodeDetails, record: GrantRecord) -> str:
        """Whoever signed out meanwhile gets no tokens: looked at after the grant was added, which a sign-out ends.

        Id of the signing key that the session tries; empty where it tries none. Raises InvalidGrant, StoreUnavailable.
        """
        found = await self._context.store.participants.find(asked.trust.id, code.grant.sid)
        if found is None or found.session != code.session:
            await self._context.store.grants.end(record.digest)
            raise InvalidGrant("the session has ended")
        return found.tried_at(asked.now)

    async def _end_redeemed(self, code: str, asked: TokenRequest) -> None:
        """End what came of the first redemption; where that is still under way, leave what makes it fail."""
        digest, grants = digest_of(grant_id_of(code)), self._context.store.grants
        until = asked.now + 2 * LONGEST_LIFE
        mark = GrantRecord(
            digest=digest,
            trust="",
            account=_NOBODY,
            details=b"",
            created_at=asked.now,
            expires_at=until,
            idle_at=until,
            checked_at=until,
        )
        ended = await grants.end(digest)
        if ended is None and not await grants.add(mark):
            ended = await grants.end(digest)
        if ended is not None:
            log.warning("oidc.code_used_twice", trust=ended.trust, by=asked.trust.id)
