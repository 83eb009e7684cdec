"""oidcc-basic-certification-test-plan: what `Suite.sign_in` checks holds for nearly every module."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jws import extract_compact

from gateway.federation.trusts import read_trust, write_trust
from settings import SettingsFileError
from tests.conformance.oidf.suite import ABOUT, CALLBACK, CLIENT, SECRET, Suite
from tests.gateway.federation.oidc.stand import ANNA

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _claims_of(suite: Suite, **changes: Any) -> dict[str, Any]:
    """What userinfo tells after a sign-in; the ID token of the same has no more than who it is."""
    flow = await suite.sign_in(**changes)
    told = await suite.userinfo(flow.tokens["access_token"])
    assert not {"name", "email", "phone_number", "address"} & set(flow.claims)
    return told


async def test_oidcc_server(suite: Suite) -> None:
    """The code flow: a code, tokens, an ID token that verifies, and userinfo."""
    flow = await suite.sign_in()
    assert len(flow.arrival.code) >= 22  # 128 bits
    assert len(flow.tokens["access_token"]) >= 22


async def test_oidcc_server_client_secret_post(suite: Suite) -> None:
    """The same with the secret in the form; a client registered for that may not send it as Basic, nor the other way."""
    request = suite.request(client_id="suite-2")
    arrival = await suite.authorize(suite.browser(), request)
    form = {"grant_type": "authorization_code", "code": arrival.code, "redirect_uri": CALLBACK}
    status, tokens, _ = await suite.stand.post("/oidc/token", {**form, "client_id": "suite-2", "client_secret": SECRET})
    assert status == 200
    await suite.check_id_token(tokens, request)
    status, refused, _ = await suite.stand.post("/oidc/token", {**form, "client_id": "suite", "client_secret": SECRET})
    assert (status, refused["error"]) == (401, "invalid_client")


async def test_oidcc_response_type_missing(suite: Suite) -> None:
    """Without response_type the application gets an error."""
    request = suite.request(response_type=None)
    arrival = await suite.send(suite.browser(), request)
    suite.check_answer(arrival, request)
    assert arrival.members["error"] in {"invalid_request", "unsupported_response_type"}


async def test_oidcc_idtoken_signature(suite: Suite) -> None:
    """RS256 unless something else was agreed upon, and the header names a published key."""
    flow = await suite.sign_in()
    header = extract_compact(flow.tokens["id_token"].encode()).headers()
    assert header["alg"] == "RS256"
    assert header["kid"] in {key.kid for key in (await suite.keys()).keys}


async def test_oidcc_idtoken_unsigned(suite: Suite) -> None:
    """`none` is not offered, and no trust can want it: the suite skips the module then."""
    assert "none" not in suite.configuration["id_token_signing_alg_values_supported"]
    document = write_trust(CLIENT).replace(b"[oidc]", b'[oidc]\nsigning_algorithm = "none"')
    with pytest.raises(SettingsFileError, match="RS256"):
        read_trust(document, Path("suite.toml"))


async def test_oidcc_userinfo_get(suite: Suite) -> None:
    """Userinfo by GET with the token in the header."""
    flow = await suite.sign_in()
    assert (await suite.userinfo(flow.tokens["access_token"]))["sub"] == flow.claims["sub"]


async def test_oidcc_userinfo_post_header(suite: Suite) -> None:
    """By POST with the token in the header."""
    flow = await suite.sign_in()
    headers = {"Authorization": f"Bearer {flow.tokens['access_token']}"}
    status, told, answered = await suite.stand.post("/oidc/userinfo", headers=headers)
    assert (status, told["sub"]) == (200, flow.claims["sub"])
    assert answered["Content-Type"].startswith("application/json")


async def test_oidcc_userinfo_post_body(suite: Suite) -> None:
    """By POST with the token in the form."""
    flow = await suite.sign_in()
    status, told, answered = await suite.stand.post("/oidc/userinfo", {"access_token": flow.tokens["access_token"]})
    assert (status, told["sub"]) == (200, flow.claims["sub"])
    assert answered["Content-Type"].startswith("application/json")


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(suite: Suite) -> None:
    """The code flow needs no nonce, and the ID token makes none up."""
    flow = await suite.sign_in(nonce=None)
    assert "nonce" not in flow.claims


async def test_oidcc_scope_profile(suite: Suite) -> None:
    """`profile` brings its claims, and those of no other scope."""
    told = await _claims_of(suite, scope="openid profile")
    assert (told["name"], told["given_name"], told["family_name"]) == ("Anna Berg", "Anna", "Berg")
    assert (told["preferred_username"], told["locale"]) == (ANNA, "de-DE")
    assert not {"email", "phone_number", "address"} & set(told)


async def test_oidcc_scope_email(suite: Suite) -> None:
    """`email` brings the address, and no name."""
    told = await _claims_of(suite, scope="openid email")
    assert (told["email"], "name" in told) == (ABOUT["mail"], False)


async def test_oidcc_scope_address(suite: Suite) -> None:
    """`address` is an object of texts (Core section 5.1.1)."""
    told = await _claims_of(suite, scope="openid address")
    assert told["address"]["locality"] == "Berlin"
    assert all(isinstance(part, str) for part in told["address"].values())


async def test_oidcc_scope_phone(suite: Suite) -> None:
    """`phone` brings the number."""
    told = await _claims_of(suite, scope="openid phone")
    assert told["phone_number"] == "+49 30 901820"


async def test_oidcc_scope_all(suite: Suite) -> None:
    """All scopes together bring the claims of all."""
    told = await _claims_of(suite, scope="openid email phone address profile")
    assert {"name", "email", "phone_number", "address"} <= set(told)


async def test_oidcc_alternate_happy_flow(suite: Suite) -> None:
    """The order of scopes and of parameters does not matter (RFC 6749 section 3.3)."""
    request = dict(reversed(suite.request(scope="email openid").items()))
    arrival = await suite.authorize(suite.browser(), request)
    status, tokens = await suite.redeem(arrival.code)
    assert status == 200
    await suite.check_id_token(tokens, request)
    assert (await suite.userinfo(tokens["access_token"]))["email"] == ABOUT["mail"]


async def test_oidcc_display_page(suite: Suite) -> None:
    """`display=page` is no error."""
    await suite.sign_in(display="page")


async def test_oidcc_display_popup(suite: Suite) -> None:
    """`display=popup` is no error."""
    await suite.sign_in(display="popup")


async def test_oidcc_prompt_login(suite: Suite) -> None:
    """Who is signed in is asked again, and auth_time is that of the second time."""
    browser = suite.browser()
    first = await suite.sign_in(browser)
    suite.clock.ahead += 1
    shown = await suite.send(browser, suite.request(prompt="login"))
    assert not shown.location
    second = await suite.sign_in(browser, prompt="login")
    assert second.claims["auth_time"] > first.claims["auth_time"]


async def test_oidcc_prompt_none_not_logged_in(suite: Suite) -> None:
    """An error where somebody would have to be asked; a long state comes back whole."""
    state = "x" * 128
    members = await suite.silently(suite.browser(), state=state)
    assert members["error"] in {"login_required", "interaction_required", "account_selection_required", "consent_required"}
    assert members["state"] == state


async def test_oidcc_prompt_none_logged_in(suite: Suite) -> None:
    """The second time nobody is asked: the same person, signed in at the same time."""
    browser = suite.browser()
    first, second = await suite.sign_in(browser), await suite.sign_in(browser, prompt="none")
    assert (second.claims["sub"], second.claims["auth_time"]) == (first.claims["sub"], first.claims["auth_time"])


async def test_oidcc_max_age_1(suite: Suite) -> None:
    """Two seconds later one second is too old: the person is asked again, and auth_time says so."""
    browser = suite.browser()
    first = await suite.sign_in(browser)
    suite.clock.ahead += 2
    shown = await suite.send(browser, suite.request(max_age=1))
    assert not shown.location
    second = await suite.sign_in(browser, max_age=1)
    assert second.claims["auth_time"] > first.claims["auth_time"]
    assert suite.clock() - second.claims["auth_time"] < 60


async def test_oidcc_max_age_10000(suite: Suite) -> None:
    """A sign-in of a moment ago is recent enough: nobody is asked, and auth_time is there."""
    browser = suite.browser()
    first, second = await suite.sign_in(browser, max_age=15000), await suite.sign_in(browser, max_age=10000, prompt="none")
    assert (second.claims["sub"], second.claims["auth_time"]) == (first.claims["sub"], first.claims["auth_time"])


async def test_oidcc_ensure_request_with_unknown_parameter_succeeds(suite: Suite) -> None:
    """What nobody knows is ignored (RFC 6749 section 3.1)."""
    await suite.sign_in(extra="foobar")


async def test_oidcc_id_token_hint(suite: Suite) -> None:
    """With prompt=none and the ID token of the first time: the same person."""
    browser = suite.browser()
    first = await suite.sign_in(browser)
    second = await suite.sign_in(browser, prompt="none", id_token_hint=first.tokens["id_token"])
    assert (second.claims["sub"], second.claims["auth_time"]) == (first.claims["sub"], first.claims["auth_time"])


async def test_oidcc_login_hint(suite: Suite) -> None:
    """A hint of who will sign in is no error, and stands in the field."""
    browser = suite.browser()
    shown = await suite.send(browser, suite.request(login_hint=ANNA))
    assert f'value="{ANNA}"' in shown.page
    await suite.sign_in(browser, login_hint=ANNA)


async def test_oidcc_ui_locales(suite: Suite) -> None:
    """The page is in the language that the application asks for, where there is one."""
    shown = await suite.send(suite.browser(), suite.request(ui_locales="se de"))
    assert '<html lang="de"' in shown.page
    await suite.sign_in(ui_locales="se")


async def test_oidcc_claims_locales(suite: Suite) -> None:
    """`claims_locales` is no error."""
    await suite.sign_in(claims_locales="se")


async def test_oidcc_ensure_request_with_acr_values_succeeds(suite: Suite) -> None:
    """The ID token says which of them it was."""
    (acr,) = suite.configuration["acr_values_supported"]
    assert (await suite.sign_in(acr_values=acr)).claims["acr"] == acr


async def test_oidcc_codereuse(suite: Suite) -> None:
    """A code twice: invalid_grant."""
    flow = await suite.sign_in()
    status, body = await suite.redeem(flow.arrival.code)
    assert (status, body["error"]) == (400, "invalid_grant")


async def test_oidcc_codereuse_30seconds(suite: Suite) -> None:
    """Half a minute later as well, and the access token counts no more (RFC 6749 section 4.1.2)."""
    flow = await suite.sign_in()
    suite.clock.ahead += 30
    status, body = await suite.redeem(flow.arrival.code)
    assert (status, body["error"]) == (400, "invalid_grant")
    assert await suite.is_revoked(flow.tokens["access_token"])


async def test_oidcc_ensure_registered_redirect_uri(suite: Suite) -> None:
    """An address that is not registered: a page, and nothing is sent there."""
    arrival = await suite.send(suite.browser(), suite.request(redirect_uri=f"{CALLBACK}/b4d"))
    assert (arrival.status, arrival.location) == (400, "")
    assert "b4d" not in arrival.page


async def test_oidcc_ensure_post_request_succeeds(suite: Suite) -> None:
    """The request as a form that another site sends."""
    browser, request = suite.browser(), suite.request()
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://suite.example.com"}
    page = await browser.request("POST", "/oidc/authorize", data=request, headers=headers)
    arrival = await browser.sign_in(page)
    suite.check_answer(arrival, request)
    status, tokens = await suite.redeem(arrival.code)
    assert status == 200
    await suite.check_id_token(tokens, request)


def _unsigned(claims: dict[str, str]) -> str:
    """A request object that nobody signed (RFC 9101)."""
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


async def test_oidcc_ensure_request_object_with_redirect_uri(suite: Suite) -> None:
    """Request objects are not taken, and discovery says so: an address inside one is never used."""
    assert suite.configuration["request_parameter_supported"] is False
    inside = _unsigned(suite.request(redirect_uri=f"{CALLBACK}/b4d"))
    request = suite.request(request=inside)
    arrival = await suite.send(suite.browser(), request)
    suite.check_answer(arrival, request)
    assert arrival.members["error"] == "request_not_supported"


async def test_oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(suite: Suite) -> None:
    """Rejected: request_not_supported (Core section 3.1.2.6), with the state from outside."""
    request = suite.request()
    request["request"] = _unsigned({**request, "state": "inside"})
    arrival = await suite.send(suite.browser(), request)
    suite.check_answer(arrival, request)
    assert arrival.members["error"] == "request_not_supported"


async def test_oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(suite: Suite) -> None:
    """Rejected: request_uri_not_supported, and the address is not opened."""
    assert suite.configuration["request_uri_parameter_supported"] is False
    request = suite.request(request_uri="https://suite.example.com/request.jwt")
    arrival = await suite.send(suite.browser(), request)
    suite.check_answer(arrival, request)
    assert arrival.members["error"] == "request_uri_not_supported"


async def test_oidcc_claims_essential(suite: Suite) -> None:
    """An essential claim of userinfo is there, and not in the ID token."""
    told = await _claims_of(suite, claims=json.dumps({"userinfo": {"name": {"essential": True}}}))
    assert told["name"] == "Anna Berg"


async def test_oidcc_ensure_request_with_valid_pkce_succeeds(suite: Suite) -> None:
    """With a challenge and its verifier."""
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636 appendix B
    request = suite.request(code_challenge=challenge, code_challenge_method="S256")
    arrival = await suite.authorize(suite.browser(), request)
    status, tokens = await suite.redeem(arrival.code, code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert status == 200
    await suite.check_id_token(tokens, request)


async def test_oidcc_refresh_token(suite: Suite) -> None:
    """The ID token of a refresh is of the same person and sign-in; the token is of no use to another client."""
    flow = await suite.sign_in(scope="openid offline_access", prompt="consent")
    token = flow.tokens["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "suite-2", "client_secret": SECRET}
    status, refused, _ = await suite.stand.post("/oidc/token", form)
    assert (status, refused["error"]) == (400, "invalid_grant")
    status, fresh = await suite.token(grant_type="refresh_token", refresh_token=token)
    assert status == 200
    claims = await suite.check_id_token(fresh, {"client_id": "suite"})
    for name in ("iss", "sub", "aud", "auth_time"):
        assert claims[name] == flow.claims[name]
    assert claims["iat"] >= flow.claims["iat"]
    assert not await suite.is_revoked(fresh["access_token"])
