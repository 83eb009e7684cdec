"""A user name and a password for tokens (RFC 6749 section 4.3): for applications that can do nothing better.

The password goes the way that one takes from the sign-in page: same admission, same budget, same answer times. Why it was
refused is told to nobody: there is no page that could be reached without the right one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from gateway.federation.claims import subject_of
from gateway.federation.oidc.checks.authorization import ACR, check_resources, granted_scope
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import (
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    TemporarilyUnavailable,
    TooManyRequests,
)
from gateway.federation.oidc.grant_details import GrantDetails
from gateway.federation.oidc.issuance import TokenIssuance, TokenRequest
from gateway.federation.oidc.person_grants import PersonGrants
from gateway.federation.trusts import check_access
from gateway.protocol import Identity
from gateway.relay import Attempt, Authenticator, Verdict

_LONGEST_NAME: Final = 256
_LONGEST_PASSWORD: Final = 1024
"""Characters, as on the page."""
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
"""As on the page: no directory has them in a name, and terminals obey them."""


class PasswordGrant:
    """See above."""

    name = "password"

    def __init__(self, context: OidcContext, issuance: TokenIssuance, authenticator: Authenticator) -> None:
        self._context, self._issuance, self._authenticator = context, issuance, authenticator
        self._grants = PersonGrants(context)

    async def redeem(self, asked: TokenRequest) -> Mapping[str, Any]:
        """See `GrantType`."""
        scope = granted_scope(asked.parameters.words("scope"), asked.trust.oidc)
        if not scope:
            raise InvalidScope("none of the scopes is one of the trust's")
        resources = tuple(dict.fromkeys(asked.parameters.many("resource")))
        check_resources(resources, asked.trust.oidc)
        verdict = await self._authenticator.authenticate(_attempt(asked))
        identity = _proven(verdict)
        refusal = check_access(asked.trust, subject_of(identity, asked.address), asked.address)
        if refusal is not None:
            raise InvalidGrant(f"access: {refusal.reason}")
        details = GrantDetails(
            scope=scope,
            resources=resources,
            subject=self._context.claims.subject(asked.trust, identity, asked.address),
            auth_time=asked.now,
            acr=ACR,
            amr=("pwd",),
            identity=identity,
            agent=verdict.agent,
            password_set=verdict.password_set,
            address=asked.address,
        )
        grant = await self._grants.open(asked, secrets.token_hex(32), details, asked.now)
        return await self._issuance.issue(asked, grant)


def _attempt(asked: TokenRequest) -> Attempt:
    """Raises InvalidRequest."""
    user_name = asked.parameters.required("username").strip()
    password = asked.parameters.required("password")
    if not user_name or len(user_name) > _LONGEST_NAME or _CONTROLS.search(user_name):
        raise InvalidRequest("is blank or too long, or has control characters", parameter="username")
    if len(password) > _LONGEST_PASSWORD or _CONTROLS.search(password):
        raise InvalidRequest("is too long, or has control characters", parameter="password")
    return Attempt(
        user_name=user_name,
        password=password,
        address=asked.address,
        correlation_id=asked.correlation_id,
        via=f"oidc:{asked.trust.id}",
    )


def _proven(verdict: Verdict) -> Identity:
    """Who it is. Raises InvalidGrant, TooManyRequests, TemporarilyUnavailable."""
    if verdict.outcome is None:
        raise TooManyRequests("admission refused the attempt", verdict.retry_after)
    if verdict.outcome.is_infrastructure:
        raise TemporarilyUnavailable(f"the password could not be checked: {verdict.outcome.value}")
    if not verdict.succeeded or verdict.identity is None:
        raise InvalidGrant(f"the sign-in was refused: {verdict.outcome.value}")
    return verdict.identity
