"""What an application may ask for, and where an answer may go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.federation.oidc.authorization_request import AuthorizationRequest
from gateway.federation.oidc.checks.authorization import (
    ACR,
    check_authorization,
    check_no_request_object,
    check_pushed,
    granted_scope,
    scope_to_agree_to,
)
from gateway.federation.oidc.checks.redirects import check_redirect_uri
from gateway.federation.oidc.claims_request import ClaimsRequest
from gateway.federation.oidc.errors import (
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    OAuthError,
    RegistrationNotSupported,
    RequestNotSupported,
    RequestUnproven,
    RequestUriNotSupported,
    UnauthorizedClient,
    UnmetAuthentication,
    UnsupportedResponseType,
)
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.trusts import OidcClient
from tests.gateway.federation.trusts.samples import OIDC, read

CALLBACK = "https://app.example.com/callback"
API, OTHER_API = "https://api.example.com/", "https://other.example.com/"
CLIENT = OidcClient(redirect_uris=(CALLBACK,), resources=(API,))
GOLD = ClaimsRequest(acr=("gold",), acr_essential=True)
REQUEST = AuthorizationRequest(
    client_id="app",
    redirect_uri=CALLBACK,
    response_type="code",
    scope=("openid",),
    code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method="S256",
)
NATIVE = OidcClient(
    application="native", redirect_uris=("http://127.0.0.1/cb", "http://[::1]:7000/cb", "http://localhost/cb")
)


def refused(changes: dict[str, Any]) -> tuple[type[OAuthError], str]:
    """The error, and what the log has of it."""
    with pytest.raises(OAuthError) as refusal:
        check_authorization(replace(REQUEST, **changes), CLIENT)
    error = refusal.value
    return type(error), f"{error.parameter} {error.detail}".strip()


def test_a_request_with_all_that_is_needed_passes() -> None:
    """So that the refusals below are for their own reason."""
    check_authorization(REQUEST, CLIENT)
    check_redirect_uri(CLIENT, CALLBACK)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "",
        "https://app.example.com/callback/",
        "https://app.example.com/callback/more",
        "https://app.example.com/callback?x=1",
        "https://app.example.com/callback#x",
        "https://app.example.com/Callback",
        "https://APP.example.com/callback",
        "https://app.example.com:443/callback",
        "https://app.example.com/%63allback",
        "https://app.example.com/x/../callback",
        "https://app.example.com%2fcallback",
        "https://app.example.com\\callback",
        "https://user@app.example.com/callback",
        "https://app.example.com@evil.example/callback",
        "https://app.example.com.evil.example/callback",
        "http://app.example.com/callback",
        "javascript:alert(1)",
        "http://localhost:5000/callback",
        " https://app.example.com/callback",
        CALLBACK + "a" * 200,
    ],
)
def test_an_answer_goes_to_registered_addresses_alone(redirect_uri: str) -> None:
    """O01: compared character by character; any other one leads to a page, never to a redirect."""
    with pytest.raises(RequestUnproven) as refusal:
        check_redirect_uri(CLIENT, redirect_uri)
    assert refusal.value.detail == (
        f"redirect_uri is not one of the trust's: {redirect_uri[:200]!r}" if redirect_uri else "redirect_uri is missing"
    )


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:51004/cb",
        "http://127.0.0.1:1/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:9/cb",
        "http://localhost:65535/cb",
    ],
)
def test_a_native_client_may_have_any_port_of_loopback(redirect_uri: str) -> None:
    """RFC 8252 section 7.3."""
    check_redirect_uri(NATIVE, redirect_uri)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:1",
        "http://127.0.0.1:1/other",
        "http://127.0.0.1:1/cb#x",
        "http://127.0.0.1:1\\@evil.example/cb",
        "http://127.0.0.1:1@evil.example/cb",
        "http://127.0.0.1.evil.example:1/cb",
        "http://127.0.0.2:1/cb",
        "https://127.0.0.1:1/cb",
        "http://localhost.evil.example/cb",
    ],
)
def test_a_native_client_gets_no_more_than_the_port(redirect_uri: str) -> None:
    """O01: path, host and scheme are compared all the same."""
    with pytest.raises(RequestUnproven):
        check_redirect_uri(NATIVE, redirect_uri)


def test_loopback_ports_are_for_native_clients_only() -> None:
    """O01: a web application's server has one port."""
    with pytest.raises(RequestUnproven):
        check_redirect_uri(replace(NATIVE, application="web"), "http://127.0.0.1:51004/cb")


MODES = "is not one of the trust's response_modes"


@pytest.mark.parametrize(
    ("changes", "error", "detail"),
    [
        ({"response_type": ""}, InvalidRequest, "response_type is missing"),
        ({"response_type": "token"}, UnsupportedResponseType, "response_type 'token'"),
        ({"response_type": "code id_token"}, UnsupportedResponseType, "response_type 'code id_token'"),
        ({"response_type": "x" * 101}, UnsupportedResponseType, f"response_type '{'x' * 100}'"),
        ({"response_mode": "fragment"}, InvalidRequest, f"response_mode {MODES}"),
        ({"response_mode": "web_message"}, InvalidRequest, f"response_mode {MODES}"),
        ({"scope": ()}, InvalidScope, "no scope was asked for"),
        ({"scope": ("payroll",)}, InvalidScope, "none of the scopes is one of the trust's"),
        ({"resource": (OTHER_API,)}, InvalidTarget, f"not one of the trust's resources: {OTHER_API!r}"),
        ({"resource": (API[:-1],)}, InvalidTarget, f"not one of the trust's resources: {API[:-1]!r}"),
        ({"resource": (API, "y" * 201)}, InvalidTarget, f"not one of the trust's resources: '{'y' * 200}'"),
        ({"claims": GOLD}, UnmetAuthentication, "an essential acr that a password does not reach"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:60],
)
def test_what_a_trust_does_not_allow_is_refused(changes: dict[str, Any], error: type[OAuthError], detail: str) -> None:
    """O23, F04 and OpenID Connect Core section 3.1.2.2."""
    assert refused(changes) == (error, detail)


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        (
            {"code_challenge": "", "code_challenge_method": ""},
            "code_challenge is missing, and the trust says that PKCE is required",
        ),
        ({"code_challenge": ""}, "code_challenge_method has no code_challenge beside it"),
        ({"code_challenge_method": "plain"}, "code_challenge_method is not S256"),
        ({"code_challenge_method": ""}, "code_challenge_method is not S256"),
        ({"code_challenge": "too-short"}, "code_challenge is not a SHA-256 in base64url"),
        (
            {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"},
            "code_challenge is not a SHA-256 in base64url",
        ),
    ],
    ids=str,
)
def test_pkce_is_s256_or_refused(changes: dict[str, Any], detail: str) -> None:
    """O03: missing, plain (said or implied), or no hash."""
    assert refused(changes) == (InvalidRequest, detail)


def test_pkce_may_be_missing_only_where_the_trust_says_so_and_the_client_has_a_secret() -> None:
    """O03: mod_auth_openidc 2.4.12 sends none; a public client has nothing else that binds the code to it."""
    bare = replace(REQUEST, code_challenge="", code_challenge_method="")
    check_authorization(bare, replace(CLIENT, pkce="optional"))
    with pytest.raises(InvalidRequest):
        check_authorization(bare, replace(CLIENT, pkce="optional", authentication="none"))
    with pytest.raises(InvalidRequest):
        check_authorization(replace(REQUEST, code_challenge_method="plain"), replace(CLIENT, pkce="optional"))


def test_a_trust_without_the_code_flow_gets_none() -> None:
    """A client of client credentials alone."""
    with pytest.raises(UnauthorizedClient, match="the trust's grants do not have authorization_code"):
        check_authorization(REQUEST, replace(CLIENT, grants=("client_credentials",)))


@pytest.mark.parametrize(
    ("name", "error", "detail"),
    [
        ("request", RequestNotSupported, "a request object"),
        ("request_uri", RequestUriNotSupported, "a request object by reference"),
        ("registration", RegistrationNotSupported, "a registration in the request"),
    ],
)
def test_request_objects_are_refused_by_their_own_errors(name: str, error: type[OAuthError], detail: str) -> None:
    """O07: nothing is fetched, nothing is read past the plain parameters (OpenID Connect Core section 3.1.2.6)."""
    with pytest.raises(error, match=f"^{error.code}: {detail}$"):
        check_no_request_object(Parameters([(name, "https://127.0.0.1/x")]))


def test_scopes_that_are_not_the_trusts_are_left_out() -> None:
    """OpenID Connect Core section 3.1.2.1; offline_access needs refresh tokens."""
    assert granted_scope(("openid", "payroll", "email"), CLIENT) == ("openid", "email")
    without = replace(CLIENT, grants=("authorization_code",))
    assert granted_scope(("openid", "offline_access"), without) == ("openid",)
    assert granted_scope(("openid", "offline_access"), CLIENT) == ("openid", "offline_access")


def test_what_the_claims_parameter_asks_for_is_agreed_to_as_well() -> None:
    """By the scope that has it, in either token; nothing that the trust does not give, and nothing twice."""
    trust = replace(read(OIDC), oidc=replace(CLIENT, scopes=("openid", "email", "phone")))
    for asked in (
        ClaimsRequest(userinfo=frozenset({"email"})),
        ClaimsRequest(id_token=frozenset({"email"})),
        ClaimsRequest(userinfo=frozenset({"email"}), id_token=frozenset({"address"})),
    ):
        assert scope_to_agree_to(replace(REQUEST, claims=asked), trust) == ("openid", "email")
    both = replace(REQUEST, scope=("openid", "email"), claims=ClaimsRequest(userinfo=frozenset({"email"})))
    assert scope_to_agree_to(both, trust) == ("openid", "email")


def test_a_trust_may_take_pushed_requests_only() -> None:
    """RFC 9126 section 6."""
    check_pushed(CLIENT, pushed=False)
    check_pushed(replace(CLIENT, require_par=True), pushed=True)
    with pytest.raises(InvalidRequest, match="the trust takes pushed authorization requests only"):
        check_pushed(replace(CLIENT, require_par=True), pushed=False)


def test_a_voluntary_acr_is_no_reason_to_refuse() -> None:
    """OpenID Connect Core section 3.1.2.1: the honest class is told instead."""
    check_authorization(replace(REQUEST, acr_values=("gold",), claims=ClaimsRequest(acr=("gold",))), CLIENT)
    check_authorization(replace(REQUEST, claims=ClaimsRequest(acr=("gold", ACR), acr_essential=True)), CLIENT)
