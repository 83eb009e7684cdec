"""Clients that prove themselves by a signed JWT (RFC 7523 section 3, OpenID Connect Core section 9). Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.federation.oidc.errors import InvalidClient
from gateway.federation.oidc.jose import JwtRefused, VerifyingKey, read_header, verify
from gateway.federation.oidc.tokens import check_times

LONGEST_LIFE = 3600.0
"""Seconds from now that an assertion may hold: its `jti` is remembered for as long."""
_LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """One that holds. Whether its id was seen before is for whoever remembers."""

    id: str
    expires_at: float


def verify_client_assertion(
    text: str, keys: Collection[VerifyingKey], client_id: str, audiences: Collection[str], now: float
) -> ClientAssertion:
    """It is by a key of the client's, about the client, for this relay, and for a short time. Raises InvalidClient.

    audiences: one of them has to be `aud`, as a text: a list would be good elsewhere, too.
    """
    try:
        algorithm = read_header(text, certificates=True).get("alg")
        fitting = [key for key in keys if key.algorithm == algorithm]
        types = ("", "jwt", "client-authentication+jwt")
        claims = verify(text, lambda key_id: _choose(fitting, key_id), types=types, certificates=True)
        if claims.get("iss") != client_id or claims.get("sub") != client_id:
            raise JwtRefused("iss or sub is not the client")
        audience, id_ = claims.get("aud"), claims.get("jti")
        if not isinstance(audience, str) or audience not in audiences:
            raise JwtRefused("aud is not this relay, or a list")
        if not isinstance(id_, str) or not 0 < len(id_) <= _LONGEST_ID:
            raise JwtRefused("jti is missing or too long")
        return ClientAssertion(id_, check_times(claims, now, LONGEST_LIFE))
    except JwtRefused as refused:
        raise InvalidClient(f"client_assertion: {refused.detail}") from refused


def _choose(keys: list[VerifyingKey], key_id: str) -> VerifyingKey | None:
    """The key with that name; where the token names none, the only one there is."""
    if key_id:
        return next((key for key in keys if key.id == key_id), None)
    return keys[0] if len(keys) == 1 else None
