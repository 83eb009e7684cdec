"""What is answered when a request is refused: a class for each error of the wire.

OAuthError                      base: a code for the client, a detail for the log
├── InvalidRequest              invalid_request             RFC 6749 section 4.1.2.1, 5.2
├── InvalidClient               invalid_client              RFC 6749 section 5.2
├── InvalidGrant                invalid_grant               RFC 6749 section 5.2
├── UnauthorizedClient          unauthorized_client         RFC 6749 section 4.1.2.1, 5.2
├── UnsupportedGrantType        unsupported_grant_type      RFC 6749 section 5.2
├── UnsupportedTokenType        unsupported_token_type      RFC 7009 section 2.2.1
├── UnsupportedResponseType     unsupported_response_type   RFC 6749 section 4.1.2.1
├── InvalidScope                invalid_scope               RFC 6749 section 4.1.2.1, 5.2
├── InvalidTarget               invalid_target              RFC 8707 section 2
├── AuthorizationDenied         access_denied               RFC 6749 section 4.1.2.1
├── LoginRequired               login_required              OpenID Connect Core section 3.1.2.6
├── ConsentRequired             consent_required            OpenID Connect Core section 3.1.2.6
├── RequestNotSupported         request_not_supported       OpenID Connect Core section 3.1.2.6
├── RequestUriNotSupported      request_uri_not_supported   OpenID Connect Core section 3.1.2.6
├── RegistrationNotSupported    registration_not_supported  OpenID Connect Core section 3.1.2.6
├── UnmetAuthentication         unmet_authentication_requirements   the specification of that error code
├── TemporarilyUnavailable      temporarily_unavailable     RFC 6749 section 4.1.2.1
├── ProviderFailure             server_error                RFC 6749 section 4.1.2.1
├── TooManyRequests             temporarily_unavailable     RFC 6585 section 4: a status, no code of its own
├── AuthorizationPending        authorization_pending       RFC 8628 section 3.5
├── SlowDown                    slow_down                   RFC 8628 section 3.5
├── ExpiredToken                expired_token               RFC 8628 section 3.5
├── InvalidToken                invalid_token               RFC 6750 section 3.1
├── InsufficientScope           insufficient_scope          RFC 6750 section 3.1
└── RequestUnproven             no answer to an address: client or redirect_uri are not proven

The description is the same for every instance of a class, but for the name of a parameter: a stranger learns no reason.
"""

from __future__ import annotations

from typing import ClassVar


class OAuthError(Exception):
    """Base of this package's errors. detail: for the log alone. parameter: its name, which the client is told."""

    code: ClassVar[str] = ""
    status: ClassVar[int] = 400
    """Of an answer that is no redirect."""
    description: ClassVar[str] = ""

    def __init__(self, detail: str, *, parameter: str = "") -> None:
        super().__init__(detail, parameter)
        self.detail, self.parameter = detail, parameter

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    @property
    def told(self) -> str:
        """`error_description`: characters of RFC 6749 section 5.2 only."""
        return f"{self.description}: {self.parameter}" if self.parameter else self.description


class InvalidRequest(OAuthError):
    """A parameter is missing, there twice, or malformed."""

    code = "invalid_request"
    description = "a parameter is missing, repeated or malformed"


class InvalidClient(OAuthError):
    """The client did not prove itself; an unknown one is told the same."""

    code = "invalid_client"
    status = 401
    description = "client authentication failed"


class InvalidGrant(OAuthError):
    """Code or refresh token are not good, or not this client's."""

    code = "invalid_grant"
    description = "the grant is invalid, expired, revoked or was issued to another client"


class UnauthorizedClient(OAuthError):
    """The trust does not allow it."""

    code = "unauthorized_client"
    description = "the client may not do this"


class UnsupportedGrantType(OAuthError):
    """Nobody may do it here."""

    code = "unsupported_grant_type"
    description = "the grant type is not supported"


class UnsupportedTokenType(OAuthError):
    """A token of that kind cannot be revoked."""

    code = "unsupported_token_type"
    description = "tokens of this type cannot be revoked"


class UnsupportedResponseType(OAuthError):
    """Something else than a code was asked for."""

    code = "unsupported_response_type"
    description = "only response_type=code is supported"


class InvalidScope(OAuthError):
    """None of what was asked for may be given, or more than was granted was asked for."""

    code = "invalid_scope"
    description = "the scope is unknown, not allowed or wider than granted"


class InvalidTarget(OAuthError):
    """No API of this client's."""

    code = "invalid_target"
    description = "the resource is unknown, malformed or not allowed"


class AuthorizationDenied(OAuthError):
    """The person may not use the application, or did not want to."""

    code = "access_denied"
    description = "access was denied"


class LoginRequired(OAuthError):
    """The person would have to sign in, and may not be asked; or is another one than the application wants."""

    code = "login_required"
    description = "the user is not signed in"


class ConsentRequired(OAuthError):
    """The person would have to agree, and may not be asked."""

    code = "consent_required"
    description = "the user has not consented"


class RequestNotSupported(OAuthError):
    """Request objects by value (OpenID Connect Core section 6.1)."""

    code = "request_not_supported"
    description = "the parameter request is not supported"


class RequestUriNotSupported(OAuthError):
    """Request objects by reference: nothing is fetched from an address that a stranger names."""

    code = "request_uri_not_supported"
    description = "the parameter request_uri is not supported"


class RegistrationNotSupported(OAuthError):
    """Registration in the request (OpenID Connect Core section 7.2.1)."""

    code = "registration_not_supported"
    description = "the parameter registration is not supported"


class UnmetAuthentication(OAuthError):
    """An essential `acr` that no sign-in here reaches (OpenID Connect Core section 5.5.1.1)."""

    code = "unmet_authentication_requirements"
    description = "the required authentication context class cannot be met"


class TemporarilyUnavailable(OAuthError):
    """Nothing is wrong with the request; the store or an agent did not answer."""

    code = "temporarily_unavailable"
    status = 503
    description = "try again later"


class TooManyRequests(OAuthError):
    """A client, or an address, asks more than it may. wait: seconds until one more is answered."""

    code = "temporarily_unavailable"
    status = 429
    description = "too many requests"

    def __init__(self, detail: str, wait: float) -> None:
        super().__init__(detail)
        self.wait = wait


class AuthorizationPending(OAuthError):
    """The person has not answered yet."""

    code = "authorization_pending"
    description = "the user has not answered yet"


class SlowDown(OAuthError):
    """The device polls more often than it was told."""

    code = "slow_down"
    description = "wait five seconds longer between two requests"


class ExpiredToken(OAuthError):
    """The person has not answered in time."""

    code = "expired_token"
    description = "the device code has expired"


class ProviderFailure(OAuthError):
    """A setting of the trust or of this relay that cannot be used."""

    code = "server_error"
    status = 500
    description = "the request could not be answered"


class InvalidToken(OAuthError):
    """No access token for this."""

    code = "invalid_token"
    status = 401
    description = "the access token is invalid, expired or revoked"


class InsufficientScope(OAuthError):
    """The access token is good, but not for this."""

    code = "insufficient_scope"
    status = 403
    description = "the access token lacks a scope"


class RequestUnproven(OAuthError):
    """Client or redirect_uri are not proven: nothing is sent there, the person sees a page (RFC 6749 section 4.1.2.1)."""

    code = "invalid_request"
    description = "the application's request cannot be answered"
