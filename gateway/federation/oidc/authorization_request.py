"""An authorization request, read but not judged (OpenID Connect Core section 3.1.2.1). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gateway.federation.oidc.claims_request import ClaimsRequest, read_claims_request
from gateway.federation.oidc.errors import InvalidRequest
from gateway.federation.oidc.parameters import Parameters

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_SECONDS = re.compile("[0-9]{1,10}")
_SHORT = 512
"""Characters of hints and lists that are no JWT and no address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What an application asks for. Client and redirect_uri are proven before it is read."""

    client_id: str
    redirect_uri: str
    response_type: str = ""
    response_mode: str = ""
    scope: tuple[str, ...] = ()
    state: str = field(default="", repr=False)
    nonce: str = field(default="", repr=False)
    code_challenge: str = field(default="", repr=False)
    code_challenge_method: str = ""
    prompt: frozenset[str] = frozenset()
    max_age: float | None = None
    """Seconds that the sign-in may be old."""
    login_hint: str = ""
    id_token_hint: str = field(default="", repr=False)
    acr_values: tuple[str, ...] = ()
    claims: ClaimsRequest = field(default_factory=ClaimsRequest)
    ui_locales: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()


def read_authorization_request(parameters: Parameters) -> AuthorizationRequest:
    """Raises InvalidRequest."""
    parameters.check_unique()
    return AuthorizationRequest(
        client_id=parameters.one("client_id"),
        redirect_uri=parameters.one("redirect_uri"),
        response_type=parameters.one("response_type"),
        response_mode=parameters.one("response_mode"),
        scope=parameters.words("scope"),
        state=parameters.one("state"),
        nonce=parameters.one("nonce"),
        code_challenge=parameters.one("code_challenge"),
        code_challenge_method=parameters.one("code_challenge_method"),
        prompt=_read_prompt(parameters.words("prompt")),
        max_age=_read_max_age(parameters.one("max_age")),
        login_hint=_read_short(parameters, "login_hint"),
        id_token_hint=parameters.one("id_token_hint"),
        acr_values=parameters.words("acr_values"),
        claims=read_claims_request(parameters.one("claims")),
        ui_locales=tuple(_read_short(parameters, "ui_locales").split()),
        resource=parameters.many("resource"),
    )


def _read_prompt(words: tuple[str, ...]) -> frozenset[str]:
    unknown = set(words) - PROMPTS
    if unknown:
        raise InvalidRequest("has an unknown value", parameter="prompt")
    if "none" in words and len(words) > 1:
        raise InvalidRequest("has none and another value", parameter="prompt")
    return frozenset(words)


def _read_max_age(text: str) -> float | None:
    if not text:
        return None
    if not _SECONDS.fullmatch(text):
        raise InvalidRequest("is not a number of seconds", parameter="max_age")
    return float(text)


def _read_short(parameters: Parameters, name: str) -> str:
    value = parameters.one(name)
    if len(value) > _SHORT:
        raise InvalidRequest(f"is longer than {_SHORT} characters", parameter=name)
    return value
