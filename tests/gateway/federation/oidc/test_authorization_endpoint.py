"""The authorization endpoint over real HTTPS: what a browser may bring, and what an application gets."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jws

from gateway.federation.trusts import Lifetimes, TrustAccess
from gateway.store import ParticipantRecord
from tests.gateway.federation.oidc.stand import (
    ANNA,
    APP,
    BEN,
    CALLBACK,
    OidcStand,
    authorize_parameters,
    changed,
    oidc_stand,
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path) as made:
        yield made


def _claims(token: str) -> dict[str, Any]:
    import base64
    import json

    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


UNPROVEN: list[dict[str, Any]] = [
    {"client_id": "unknown"},
    {"client_id": None},
    {"redirect_uri": None},
    {"redirect_uri": "https://app.example.com/callback/x"},
    {"redirect_uri": "https://evil.example/"},
    {"redirect_uri": [CALLBACK, "https://evil.example/"]},
    {"client_id": ["app", "other"]},
]


async def test_without_a_proven_address_the_person_sees_a_page(stand: OidcStand) -> None:
    """O01: oidcc-ensure-registered-redirect-uri; the page quotes nothing of the request."""
    for changes in UNPROVEN:
        query = urlencode(authorize_parameters(**changes), doseq=True)
        arrival = await stand.browser().open(f"/oidc/authorize?{query}")
        assert (arrival.status, arrival.location) == (400, ""), changes
        assert "evil.example" not in arrival.page


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"scope": None}, "invalid_scope"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"max_age": "soon"}, "invalid_request"),
    ({"resource": "https://other.example.com/"}, "invalid_target"),
    ({"request": "x"}, "request_not_supported"),
    ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"id_token_hint": "x.y.z"}, "invalid_request"),
    ({"claims": "{"}, "invalid_request"),
    ({"claims": '{"id_token":{"acr":{"essential":true,"value":"gold"}}}'}, "unmet_authentication_requirements"),
    ({"x": ["1", "2"]}, "invalid_request"),
]


async def test_with_a_proven_address_the_application_gets_the_error(stand: OidcStand) -> None:
    """O03, O04, O07, O15, O23: with state and iss, and no reason in it."""
    for changes, error in REFUSED:
        query = urlencode(authorize_parameters(**changes), doseq=True)
        arrival = await stand.browser().open(f"/oidc/authorize?{query}")
        assert arrival.status == 303, changes
        assert arrival.location.startswith(CALLBACK + "?")
        members = arrival.members
        assert (members["error"], members["state"], members["iss"]) == (error, "s-1", stand.issuer), changes


async def test_an_answer_comes_the_way_that_was_asked_for(stand: OidcStand) -> None:
    """With iss each time (O04, RFC 9207), as a 303, and kept by nobody."""
    for mode in (None, "query", "fragment"):
        arrival = await stand.signed_in(stand.browser(), response_mode=mode)
        assert arrival.status == 303
        assert arrival.location.startswith(CALLBACK + ("#" if mode == "fragment" else "?"))
        assert set(arrival.members) == {"code", "state", "iss"}
        assert arrival.members["iss"] == stand.issuer
        assert arrival.headers["Cache-Control"] == "no-store"
        assert arrival.headers["Referrer-Policy"] == "no-referrer"


async def test_a_form_carries_the_answer_and_nothing_breaks_out_of_it(stand: OidcStand) -> None:
    """O22: form_post, with a state that would."""
    state = "\"'><script>alert(1)</script>&quot;"
    browser = stand.browser()
    page = await stand.signed_in(browser, response_mode="form_post", state=state)
    page = page if 'name="code"' in page.page else await browser.authorize(response_mode="form_post", state=state)
    assert page.status == 200
    assert f'action="{CALLBACK}"' in page.page
    assert "<script>alert" not in page.page.replace(state, "")
    assert "form-action 'self'" not in page.headers["Content-Security-Policy"]


async def test_a_session_is_enough_until_the_application_wants_more(stand: OidcStand) -> None:
    """O15: prompt=none with a session; prompt=login, max_age and another login_hint lead to the page."""
    browser = stand.browser()
    first = await stand.tokens(browser)
    silent = await browser.authorize(prompt="none", login_hint="anna@corp.example.com")
    assert "code" in silent.members
    for asking in ({"prompt": "login"}, {"prompt": "select_account"}, {"max_age": 0}, {"login_hint": BEN}):
        page = await browser.authorize(**asking)
        assert not page.location, asking
        assert 'name="user_name"' in page.page
    page = await browser.authorize(prompt="login")
    _, again = await stand.redeem((await browser.sign_in(page)).code)
    assert _claims(again["id_token"])["auth_time"] >= _claims(first["id_token"])["auth_time"]
    assert _claims(again["id_token"])["sid"] == _claims(first["id_token"])["sid"]


async def test_going_round_the_page_does_not_make_a_sign_in_new(stand: OidcStand) -> None:
    """O15: prompt=login, and then straight to the address that continues."""
    browser = stand.browser()
    await stand.tokens(browser)
    page = await browser.authorize(prompt="login")
    return_to = page.page.partition('name="return_to" value="')[2].partition('"')[0]
    again = await browser.open(return_to)
    assert not again.location
    assert 'name="user_name"' in again.page


async def test_a_hint_of_another_person_is_refused(stand: OidcStand) -> None:
    """O15: silently, by asking again, and after somebody else has signed in."""
    browser = stand.browser()
    anna = await stand.tokens(browser)
    silent = await browser.authorize(prompt="none", id_token_hint=anna["id_token"])
    assert "code" in silent.members
    other = stand.browser()
    page = await other.sign_in(await other.authorize(), BEN)
    assert "code" in page.members
    silent = await other.authorize(prompt="none", id_token_hint=anna["id_token"])
    assert silent.members["error"] == "login_required"
    page = await other.authorize(id_token_hint=anna["id_token"])
    assert not page.location
    arrival = await other.sign_in(page, BEN)
    assert arrival.members["error"] == "login_required"


async def test_a_request_may_come_by_form(stand: OidcStand) -> None:
    """OpenID Connect Core section 3.1.2.1: oidcc-ensure-post-request-succeeds; it goes on as an address, with our cookie."""
    browser = stand.browser()
    page = await browser.request(
        "POST", "/oidc/authorize", data=authorize_parameters(), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert "code" in (await browser.sign_in(page)).members
    refused = await browser.request("POST", "/oidc/authorize", data=authorize_parameters(claims="x" * 7000))
    assert (refused.status, refused.location) == (400, "")


async def test_access_is_the_trusts_to_give(stand: OidcStand) -> None:
    """Who may not use the application sees whom to ask; silently, the application gets access_denied."""
    await stand.trust(replace(APP, access=TrustAccess(groups=("Finance",), ask="Ask Ben in room 7.")))
    browser = stand.browser()
    page = await browser.sign_in(await browser.authorize())
    assert (page.status, page.location) == (403, "")
    assert "Ask Ben in room 7." in page.page
    assert (await browser.authorize(prompt="none")).members["error"] == "access_denied"


async def test_the_trust_may_want_a_recent_sign_in(stand: OidcStand) -> None:
    """`lifetimes.reauthenticate` holds beside max_age."""
    browser = stand.browser()
    await stand.tokens(browser)
    await stand.trust(replace(APP, lifetimes=Lifetimes(reauthenticate=0.001)))
    page = await browser.authorize(max_age=3600)
    assert not page.location
    silent = await browser.authorize(prompt="none")
    assert silent.members["error"] == "login_required"


async def test_tokens_say_what_was_asked_for(stand: OidcStand) -> None:
    """ID token: nonce, auth_time, acr, amr, sid, at_hash; access token: RFC 9068, for the API that was named."""
    before = int(time.time())
    tokens = await stand.tokens(scope="openid email", resource="https://api.example.com/", max_age=60)
    claims = _claims(tokens["id_token"])
    assert claims["nonce"] == "n-1"
    assert claims["amr"] == ["pwd"]
    assert before <= claims["auth_time"] <= claims["iat"]
    assert "email" not in claims
    assert jws.extract_compact(tokens["access_token"].encode()).headers()["typ"] == "at+jwt"
    access = _claims(tokens["access_token"])
    assert (access["aud"], access["client_id"], access["scope"]) == ("https://api.example.com/", "app", "openid email")
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401  # O14: it is the API's


async def test_single_claims_go_where_they_were_asked_for(stand: OidcStand) -> None:
    """OpenID Connect Core section 5.5."""
    wanted = '{"id_token":{"name":null},"userinfo":{"preferred_username":null}}'
    tokens = await stand.tokens(scope="openid", claims=wanted)
    assert _claims(tokens["id_token"])["name"] == "Anna"
    _, told = await stand.userinfo(tokens["access_token"])
    assert told["preferred_username"] == "anna@corp.example.com"
    assert "name" not in told


async def test_what_a_scope_brings_is_in_the_id_token_where_the_trust_says_so(stand: OidcStand) -> None:
    """For applications that never ask userinfo."""
    await stand.trust(changed(claims_in_id_token=True))
    tokens = await stand.tokens(scope="openid profile groups")
    assert _claims(tokens["id_token"])["groups"] == ["Engineering"]


async def test_neither_host_nor_forwarded_host_changes_the_issuer(stand: OidcStand) -> None:
    """O21."""
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}
    for path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
        status, document, _ = await stand.get(path, headers=headers)
        assert status == 200
        assert document["issuer"] == stand.issuer
        assert "evil" not in str(document)


async def test_a_clock_that_was_ahead_makes_no_sign_in_fresh(tmp_path: Path) -> None:
    """Whoever signed in meanwhile is asked again where the application wants it, and by prompt=none is not let in."""
    ahead = [0.0]
    async with oidc_stand(tmp_path, APP, clock=lambda: time.time() + ahead[0]) as stand:
        browser, ahead[0] = stand.browser(), 86400.0
        assert (await stand.signed_in(browser)).code
        ahead[0] = 0.0
        for wanted in ({"prompt": "login"}, {"max_age": "3600"}):
            assert not (await browser.authorize(**wanted)).location
        assert (await browser.authorize(prompt="none", max_age="3600")).members["error"] == "login_required"
        arrival = await browser.sign_in(await browser.authorize(prompt="login"))
        assert (await stand.redeem(arrival.code))[0] == 200


async def test_a_session_that_ends_while_a_code_is_made_for_it(stand: OidcStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator ends it between the look at it and the code: there is none."""
    browser, store = stand.browser(), stand.relay.store
    await stand.signed_in(browser)
    add = store.participants.add

    async def end_first(record: ParticipantRecord) -> None:
        for account in await store.audit.accounts_named(ANNA):
            await store.sessions.take_of_user(account)
        await store.participants.take(record.session)
        await add(record)

    monkeypatch.setattr(store.participants, "add", end_first)
    assert (await browser.authorize()).members["error"] == "login_required"
