"""OpenID Connect 1.0 and OAuth 2: an endpoint is an ordered list of small checks, with an error class for each wire error.

    provider                 endpoints and grant types put together; what is added is added there
    endpoints/               authorization, consent, pushed requests, token, userinfo, introspection, revocation, device,
                             logout, discovery: each says what discovery tells of it
    grant_types/             what the token endpoint redeems: authorization_code, refresh_token, client_credentials,
                             device_code, password
    checks/                  pure: ordered lists of checks
    parameters authorization_request claims_request client_credentials     a request, read; pure
    client_authentication    which client sent it
    limits                   how many requests an address and a client may send
    codes device_codes grant_details person_grants refresh_tokens grant_checks   what happens once, and what lasts
    tokens jose              kinds of tokens; joserfc is seen in `jose` alone
    code_issuance issuance person_claims                                   what is given out, and the claims in it
    presented_tokens         tokens that a client asks about, or gives back
    back_channel             how an application's server is told that a session has ended
    pending_request pushed_requests   a request while the person is at a page of ours
    answers refusal cross_origin errors                                    how it is answered

What belongs here: requests, checks, tokens, endpoints of both protocols. What does not: who a person is.
"""

from gateway.federation.oidc.back_channel import BackChannelLogout
from gateway.federation.oidc.grant_checks import GrantChecks
from gateway.federation.oidc.grant_details import kept_identity, origin_of
from gateway.federation.oidc.jose import JwtRefused
from gateway.federation.oidc.person_claims import sector_of
from gateway.federation.oidc.provider import OpenIdProvider
from gateway.federation.oidc.sample import verify_sample_token
from gateway.federation.oidc.tokens import Tokens

__all__ = [
    "BackChannelLogout",
    "GrantChecks",
    "JwtRefused",
    "OpenIdProvider",
    "Tokens",
    "kept_identity",
    "origin_of",
    "sector_of",
    "verify_sample_token",
]
