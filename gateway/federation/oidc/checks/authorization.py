"""What an application may ask for: checked in this order, once client and redirect_uri are proven. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from gateway.federation.claims import scopes_of_claims
from gateway.federation.oidc.authorization_request import AuthorizationRequest
from gateway.federation.oidc.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUriNotSupported,
    UnauthorizedClient,
    UnmetAuthentication,
    UnsupportedResponseType,
)
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.trusts import OidcClient, Trust

ACR: Final = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
"""The authentication context class of every sign-in here: a password, over TLS."""
RESPONSE_MODES: Final = ("query", "fragment", "form_post")
_CHALLENGE = re.compile("[A-Za-z0-9_-]{43}")

Check: TypeAlias = Callable[[AuthorizationRequest, OidcClient], None]


def check_no_request_object(parameters: Parameters) -> None:
    """Nothing but plain parameters is taken. Raises RequestNotSupported and its like."""
    if "request" in parameters:
        raise RequestNotSupported("a request object")
    if "request_uri" in parameters:
        raise RequestUriNotSupported("a request object by reference")
    if "registration" in parameters:
        raise RegistrationNotSupported("a registration in the request")


def check_pushed(client: OidcClient, *, pushed: bool) -> None:
    """The application's server has sent it ahead, where its trust says so (RFC 9126 section 6). Raises InvalidRequest."""
    if client.require_par and not pushed:
        raise InvalidRequest("the trust takes pushed authorization requests only")


def check_grant_type(_request: AuthorizationRequest, client: OidcClient) -> None:
    """The trust has the code flow. Raises UnauthorizedClient."""
    if "authorization_code" not in client.grants:
        raise UnauthorizedClient("the trust's grants do not have authorization_code")


def check_response_type(request: AuthorizationRequest, _client: OidcClient) -> None:
    """A code, and nothing by the front channel (RFC 9700 section 2.1.2). Raises UnsupportedResponseType."""
    if not request.response_type:
        raise InvalidRequest("is missing", parameter="response_type")
    if request.response_type != "code":
        raise UnsupportedResponseType(f"response_type {request.response_type[:100]!r}")


def check_response_mode(request: AuthorizationRequest, client: OidcClient) -> None:
    """One of those that the trust allows. Raises InvalidRequest."""
    if request.response_mode and request.response_mode not in client.response_modes:
        raise InvalidRequest("is not one of the trust's response_modes", parameter="response_mode")


def check_scope(request: AuthorizationRequest, client: OidcClient) -> None:
    """Some of it may be given; the rest is ignored (OpenID Connect Core section 3.1.2.1). Raises InvalidScope."""
    if not request.scope:
        raise InvalidScope("no scope was asked for")
    if not granted_scope(request.scope, client):
        raise InvalidScope("none of the scopes is one of the trust's")


def check_pkce(request: AuthorizationRequest, client: OidcClient) -> None:
    """There is a challenge, of S256 (RFC 7636 section 4.3; RFC 9700 section 2.1.1). Raises InvalidRequest."""
    if not request.code_challenge:
        if request.code_challenge_method:
            raise InvalidRequest("has no code_challenge beside it", parameter="code_challenge_method")
        if client.pkce == "required" or client.authentication == "none":
            raise InvalidRequest("is missing, and the trust says that PKCE is required", parameter="code_challenge")
        return
    if request.code_challenge_method != "S256":
        raise InvalidRequest("is not S256", parameter="code_challenge_method")
    if not _CHALLENGE.fullmatch(request.code_challenge):
        raise InvalidRequest("is not a SHA-256 in base64url", parameter="code_challenge")


def check_resource(request: AuthorizationRequest, client: OidcClient) -> None:
    """See `check_resources`."""
    check_resources(request.resource, client)


def check_resources(resources: Sequence[str], client: OidcClient) -> None:
    """APIs that the trust allows (RFC 8707 section 2). Raises InvalidTarget."""
    unknown = [resource for resource in resources if resource not in client.resources]
    if unknown:
        raise InvalidTarget(f"not one of the trust's resources: {unknown[0][:200]!r}")


def check_acr(request: AuthorizationRequest, _client: OidcClient) -> None:
    """An essential class is one that a sign-in here reaches: never silently a lower one. Raises UnmetAuthentication."""
    if request.claims.acr_essential and request.claims.acr and ACR not in request.claims.acr:
        raise UnmetAuthentication("an essential acr that a password does not reach")


CHECKS: Final[Sequence[Check]] = (
    check_grant_type,
    check_response_type,
    check_response_mode,
    check_scope,
    check_pkce,
    check_resource,
    check_acr,
)


def check_authorization(request: AuthorizationRequest, client: OidcClient) -> None:
    """All of them, in order. Raises OAuthError."""
    for check in CHECKS:
        check(request, client)


def granted_scope(asked: Sequence[str], client: OidcClient) -> tuple[str, ...]:
    """Of the scopes asked for those that the trust allows; offline_access only where the trust has refresh tokens."""
    allowed = set(client.scopes)
    if "refresh_token" not in client.grants:
        allowed.discard("offline_access")
    return tuple(scope for scope in asked if scope in allowed)


def scope_to_agree_to(asked: AuthorizationRequest, trust: Trust) -> tuple[str, ...]:
    """What the person is asked about: the scope that is granted, and what the `claims` parameter asks for beside it."""
    granted = granted_scope(asked.scope, trust.oidc)
    claims = asked.claims.userinfo | asked.claims.id_token
    return (*granted, *scopes_of_claims(trust.claims, claims, granted, trust.oidc.scopes))
