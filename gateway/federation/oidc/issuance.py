"""Tokens that are given out: made, noted in the audit trail, answered."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.federation.claims import Value
from gateway.federation.keys import signed_with
from gateway.federation.oidc.context import OidcContext
from gateway.federation.oidc.grant_details import GrantDetails, digest_of
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.oidc.ports import OwnKey
from gateway.federation.oidc.tokens import AccessToken, left_half
from gateway.federation.trusts import Trust
from gateway.store import AuditEvent

PATIENCE = 0.005
"""Seconds that an entry of the audit trail may wait for others, to be committed with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A request for tokens whose client has proved itself."""

    trust: Trust
    parameters: Parameters
    address: str
    """Of the client."""
    correlation_id: str
    now: float
    started: float
    """See `STARTED`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedGrant:
    """What tokens are made of."""

    id: str = field(repr=False)
    details: GrantDetails
    scope: tuple[str, ...]
    """Of this access token: what was granted, or less."""
    resources: tuple[str, ...]
    expires_at: float
    """The grant's end: no token of it lives longer."""
    nonce: str = ""
    request: str = ""
    """Correlation id of the browser's request that the grant comes from: people quote that one. Empty: of a refresh."""
    refresh_token: str = field(default="", repr=False)
    tried: str = ""
    """Id of the signing key that its session tries."""
    claims: Mapping[str, Value] | None = field(default=None, repr=False)
    """What the ID token says of the person; None: that is worked out when it is made."""


class TokenIssuance:
    """Makes the answer of a token endpoint (RFC 6749 section 5.1, OpenID Connect Core section 3.1.3.3)."""

    def __init__(self, context: OidcContext) -> None:
        self._context = context

    async def issue(self, asked: TokenRequest, grant: IssuedGrant) -> Mapping[str, Any]:
        """The answer's members. A token that cannot be recorded is not given.

        Raises AuthorizationDenied, NoSigningKey, StoreUnavailable.
        """
        lifetimes, tokens, oidc = self._context.lifetimes_of(asked.trust), self._context.tokens, asked.trust.oidc
        token = self._access_token(asked, grant, lifetimes.access_token)
        key = tokens.key(oidc.signing_algorithm, grant.tried)
        text = tokens.access_token(token, oidc.access_token, algorithm=oidc.signing_algorithm, key=key)
        body: dict[str, Any] = {
            "access_token": text,
            "token_type": "Bearer",
            "expires_in": int(token.expires_at - asked.now),
            "scope": " ".join(grant.scope),
        }
        if grant.refresh_token:
            body["refresh_token"] = grant.refresh_token
        told: Iterable[str] = ()
        if "openid" in grant.scope:
            of_person = grant.claims
            if of_person is None:
                of_person = self._context.claims.for_id_token(asked.trust, grant.details, grant.scope)
            told = of_person.keys()
            body["id_token"] = self._id_token(asked, grant, of_person, text, lifetimes.id_token, key)
        await self._record(asked, grant, token.id, key.id, body, told)
        return body

    def _access_token(self, asked: TokenRequest, grant: IssuedGrant, lifetime: float) -> AccessToken:
        details = grant.details
        return AccessToken(
            id=secrets.token_urlsafe(16),
            subject=details.subject,
            client_id=asked.trust.client_id,
            audience=grant.resources or (self._context.issuer,),
            scope=grant.scope,
            issued_at=asked.now,
            expires_at=float(math.floor(min(asked.now + lifetime, grant.expires_at))),
            auth_time=details.auth_time,
            acr=details.acr,
            grant=digest_of(grant.id).hex(),
        )

    def _id_token(
        self,
        asked: TokenRequest,
        grant: IssuedGrant,
        of_person: Mapping[str, Value],
        access_token: str,
        lifetime: float,
        key: OwnKey,
    ) -> str:
        details, trust = grant.details, asked.trust
        claims: dict[str, Any] = {
            **of_person,
            "sub": details.subject,
            "aud": trust.client_id,
            "iat": int(asked.now),
            "exp": int(asked.now + lifetime),
            "auth_time": int(details.auth_time),
            "acr": details.acr,
            "amr": details.amr,
            "at_hash": left_half(access_token),
        }
        if details.sid:
            claims["sid"] = details.sid
        if grant.nonce:
            claims["nonce"] = grant.nonce
        return self._context.tokens.sign(claims, algorithm=trust.oidc.signing_algorithm, typ="JWT", key=key)

    async def _record(
        self,
        asked: TokenRequest,
        grant: IssuedGrant,
        token_id: str,
        key: str,
        body: Mapping[str, Any],
        told: Iterable[str],
    ) -> None:
        """told: names of the claims about the person in the ID token."""
        kinds = ("access_token", "id_token", "refresh_token")
        hashes = {kind: hashlib.sha256(body[kind].encode()).hexdigest() for kind in kinds if kind in body}
        identity = grant.details.identity
        event = AuditEvent(
            time=asked.now,
            kind="federation.issued",
            actor=f"trust:{asked.trust.id}",
            subject=identity.user_name,
            account=identity.account,
            address=grant.details.address,
            correlation_id=grant.request or asked.correlation_id,
            via="oidc",
            detail={
                "scope": body["scope"],
                "grant": asked.parameters.required("grant_type"),
                "claims": " ".join(sorted(told)),
                "jti": token_id,
                **hashes,
                **signed_with(key, grant.tried),
            },
        )
        await self._context.store.audit.append(event, patience=PATIENCE)
        self._context.metrics.count_issued(asked.trust.id, "oidc", asked.started)
