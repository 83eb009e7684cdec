"""A refresh token for the next one and a fresh access token (RFC 6749 section 6, RFC 9700 section 4.14).

What the trust or the directory has taken away meanwhile is not given again: scopes, APIs, groups, access as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from gateway.federation.claims import Value
from gateway.federation.oidc.checks.authorization import check_resources, granted_scope
from gateway.federation.oidc.checks.codes import narrowed_resources, narrowed_scope
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import AuthorizationDenied, InvalidGrant, InvalidScope, TemporarilyUnavailable
from gateway.federation.oidc.grant_checks import CheckedGrant
from gateway.federation.oidc.grant_details import GrantDetails, digest_of, read_details
from gateway.federation.oidc.issuance import IssuedGrant, TokenIssuance, TokenRequest
from gateway.federation.oidc.refresh_tokens import GRACE, grant_id_in, new_refresh_token, open_next, seal_next
from gateway.store import AuditEvent, GrantRecord, Repeated, Reused, Rotated

log = structlog.get_logger()


class RefreshTokenGrant:
    """See above."""

    name = "refresh_token"

    def __init__(self, context: OidcContext, issuance: TokenIssuance) -> None:
        self._context, self._issuance = context, issuance

    async def redeem(self, asked: TokenRequest) -> Mapping[str, Any]:
        """See `GrantType`."""
        shown = asked.parameters.required("refresh_token")
        grant_id = grant_id_in(shown)
        record = await self._context.store.grants.get(digest_of(grant_id), asked.now)
        if record is None:
            raise InvalidGrant("the grant has ended, or never was")
        if record.trust != asked.trust.id:
            raise InvalidGrant(f"the refresh token was given to {record.trust}")
        checked = await self._check_account(asked, record)
        details = checked.details
        scope = narrowed_scope(granted_scope(details.scope, asked.trust.oidc), asked.parameters.words("scope"))
        if not scope:
            raise InvalidScope("none of the granted scopes is one of the trust's any more")
        claims = await self._claims(record, asked, details, scope)
        resources = narrowed_resources(details.resources, asked.parameters.many("resource"))
        check_resources(resources, asked.trust.oidc)
        following = await self._rotate(asked, record, shown, new_refresh_token(grant_id), checked)
        grant = IssuedGrant(
            id=grant_id,
            details=details,
            scope=scope,
            resources=resources,
            expires_at=record.expires_at,
            refresh_token=following,
            tried=await self._tried(asked, details),
            claims=claims,
        )
        return await self._issuance.issue(asked, grant)

    async def _tried(self, asked: TokenRequest, details: GrantDetails) -> str:
        """Id of the signing key that its session still tries. A trial is short, so hardly any refresh looks in the store."""
        if asked.now >= details.tried_until:
            return ""
        participant = await self._context.store.participants.find(asked.trust.id, details.sid)
        return participant.tried_at(asked.now) if participant is not None else ""

    async def _check_account(self, asked: TokenRequest, record: GrantRecord) -> CheckedGrant:
        """That it lives, as far as an agent says. Raises InvalidGrant, TemporarilyUnavailable."""
        checked = await self._context.checks.check(record, correlation_id=asked.correlation_id)
        if checked.verdict.ends:
            raise InvalidGrant(f"the account: {checked.verdict.ends}")
        if checked.verdict.outage:
            raise TemporarilyUnavailable("no agent says whether the account still lives")
        return checked

    async def _claims(
        self, record: GrantRecord, asked: TokenRequest, details: GrantDetails, scope: tuple[str, ...]
    ) -> Mapping[str, Value]:
        """Of the person by now, before the token is spent. The trust lets them in, and its policy has claims for them; else
        the grant ends. Raises InvalidGrant."""
        checks = self._context.checks
        await checks.check_access(record, asked.trust, details)
        try:
            return self._context.claims.for_id_token(asked.trust, details, scope)
        except AuthorizationDenied as denied:
            await checks.refuse(record, details, denied.detail)

    async def _rotate(self, asked: TokenRequest, record: GrantRecord, shown: str, new: str, checked: CheckedGrant) -> str:
        """The token that is good from now on. Raises InvalidGrant."""
        outcome = await self._context.store.grants.rotate(
            record.digest,
            digest_of(shown),
            digest_of(new),
            seal_next(shown, new),
            now=asked.now,
            idle_at=asked.now + self._context.lifetimes_of(asked.trust).refresh_idle,
            grace=GRACE,
            checked_at=checked.verdict.checked_at,
            details=checked.changed,
        )
        if isinstance(outcome, Rotated):
            return new
        if isinstance(outcome, Repeated):
            return open_next(shown, outcome.grant.sealed)
        if isinstance(outcome, Reused):
            await self._tell_reuse(asked, outcome.grant)
            raise InvalidGrant("a spent refresh token was used again: its family has ended")
        raise InvalidGrant("the grant has ended")

    async def _tell_reuse(self, asked: TokenRequest, grant: GrantRecord) -> None:
        log.warning("oidc.refresh_token_reused", trust=grant.trust)
        event = AuditEvent(
            time=asked.now,
            kind="federation.token_reused",
            actor=f"trust:{grant.trust}",
            subject=read_details(grant.details).identity.user_name,
            account=grant.account,
            address=asked.address,
            correlation_id=asked.correlation_id,
            via="oidc",
        )
        await self._context.store.audit.append(event)
