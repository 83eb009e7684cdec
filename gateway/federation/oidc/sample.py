"""A signed sample, verified as a client does it: with the published key set."""

from __future__ import annotations

from gateway.federation.oidc.tokens import Tokens
from gateway.federation.trusts import Trust


def verify_sample_token(tokens: Tokens, trust: Trust, now: float) -> None:
    """Sign an ID token of nobody, which has expired and which nobody is sent, and read it. now: Unix seconds.

    Raises NoSigningKey, JwtRefused.
    """
    claims = {"sub": "sample", "aud": trust.client_id, "iat": int(now) - 7200, "exp": int(now) - 3600}
    text = tokens.sign(claims, algorithm=trust.oidc.signing_algorithm, typ="JWT")
    tokens.read_id_token_hint(text, trust.client_id)
