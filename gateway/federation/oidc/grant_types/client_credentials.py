"""Tokens for a client itself, without a person (RFC 6749 section 4.4)."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Mapping
from typing import Any, Final

from gateway.federation.oidc.checks.authorization import check_resources
from gateway.federation.oidc.checks.introspection import check_confidential
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.errors import InvalidScope
from gateway.federation.oidc.issuance import PATIENCE, TokenRequest
from gateway.federation.oidc.tokens import AccessToken
from gateway.store import AuditEvent

_OF_PEOPLE: Final = frozenset({"openid", "profile", "email", "phone", "address", "groups", "offline_access"})
"""Scopes that say something of a person, or need one."""


class ClientCredentialsGrant:
    """The access token is about the client (RFC 9068 section 2.2); there is no ID token and no refresh token."""

    name = "client_credentials"

    def __init__(self, context: OidcContext) -> None:
        self._context = context

    async def redeem(self, asked: TokenRequest) -> Mapping[str, Any]:
        """See `GrantType`."""
        trust, now = asked.trust, asked.now
        check_confidential(trust)
        scope = _granted(asked.parameters.words("scope"), trust.oidc.scopes)
        resources = tuple(dict.fromkeys(asked.parameters.many("resource")))
        check_resources(resources, trust.oidc)
        token = AccessToken(
            id=secrets.token_urlsafe(16),
            subject=trust.client_id,
            client_id=trust.client_id,
            audience=resources or (self._context.issuer,),
            scope=scope,
            issued_at=now,
            expires_at=float(math.floor(now + self._context.lifetimes_of(trust).access_token)),
        )
        key = self._context.tokens.key(trust.oidc.signing_algorithm)
        text = self._context.tokens.access_token(token, trust.oidc.access_token, algorithm=key.algorithm, key=key)
        await self._record(asked, token, text, key.id)
        return {
            "access_token": text,
            "token_type": "Bearer",
            "expires_in": int(token.expires_at - now),
            "scope": " ".join(scope),
        }

    async def _record(self, asked: TokenRequest, token: AccessToken, text: str, key: str) -> None:
        event = AuditEvent(
            time=asked.now,
            kind="federation.issued",
            actor=f"trust:{asked.trust.id}",
            subject=token.subject,
            address=asked.address,
            correlation_id=asked.correlation_id,
            via="oidc",
            detail={
                "scope": " ".join(token.scope),
                "grant": "client_credentials",
                "jti": token.id,
                "access_token": hashlib.sha256(text.encode()).hexdigest(),
                "key": key,
            },
        )
        await self._context.store.audit.append(event, patience=PATIENCE)
        self._context.metrics.count_issued(asked.trust.id, "oidc", asked.started)


def _granted(asked: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Nothing asked: all that the trust has for clients themselves. Raises InvalidScope."""
    own = tuple(scope for scope in allowed if scope not in _OF_PEOPLE)
    if set(asked) - set(own):
        raise InvalidScope("a scope that the trust does not have, or that needs a person")
    return asked or own
