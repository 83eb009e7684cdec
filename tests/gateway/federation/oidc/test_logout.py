"""RP-initiated and back-channel logout over real HTTPS."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from gateway.federation.oidc.back_channel import EVENT
from tests.gateway.federation.oidc.application_server import ApplicationServer, application_server
from tests.gateway.federation.oidc.stand import OTHER, AppBrowser, Arrival, OidcStand, changed, oidc_stand

BYE = "https://app.example.com/bye"
LEAVING = changed(post_logout_redirect_uris=(BYE, "https://app.example.com/bye?from=relay"))


@pytest.fixture
async def server() -> AsyncIterator[ApplicationServer]:
    async with application_server() as made:
        yield made


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, LEAVING, OTHER) as made:
        yield made


async def leave(browser: AppBrowser, **parameters: str) -> Arrival:
    return await browser.open(f"/oidc/logout?{urlencode(parameters)}")


async def press(browser: AppBrowser, page: Arrival, answer: str) -> Arrival:
    """A button of the question."""
    fields = dict(re.findall(r'name="(csrf|query)" value="([^"]*)"', page.page))
    return await browser.request("POST", "/oidc/logout/answer", data={**fields, "answer": answer})


def asks(page: Arrival) -> bool:
    return page.status == 200 and "Do you want to sign out?" in page.page


async def is_signed_in(browser: AppBrowser) -> bool:
    return bool((await browser.authorize(prompt="none")).members.get("code"))


async def test_an_application_signs_its_own_person_out(stand: OidcStand) -> None:
    """Section 2 and 3: with an ID token of this session nobody is asked; state comes back; tokens of the session end."""
    browser = stand.browser()
    tokens = await stand.tokens(browser)
    left = await leave(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE, state="s & 1")
    assert (left.status, left.location) == (303, f"{BYE}?state=s+%26+1")
    assert not await is_signed_in(browser)
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    again = await leave(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=f"{BYE}?from=relay", state="2")
    assert again.location == f"{BYE}?from=relay&state=2"
    assert (await leave(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE)).location == BYE


async def test_by_a_form_it_is_the_same(stand: OidcStand) -> None:
    """Section 2: POST, which brings no cookie of ours from another site."""
    browser = stand.browser()
    tokens = await stand.tokens(browser)
    fields = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE}
    left = await browser.request("POST", "/oidc/logout", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
    assert left.location == BYE
    assert not await is_signed_in(browser)
    assert (await browser.request("POST", "/oidc/logout", data={"state": "x" * 7000})).status == 400


@pytest.mark.parametrize("by", ["nothing", "client_id", "state"])
async def test_a_strangers_page_cannot_sign_anybody_out(stand: OidcStand, by: str) -> None:
    """O16: without an ID token the person is asked; who stays stays, who signs out is signed out."""
    browser = stand.browser()
    await stand.tokens(browser)
    parameters = {"nothing": {}, "client_id": {"client_id": "app"}, "state": {"state": "s"}}[by]
    page = await leave(browser, **parameters)
    assert asks(page)
    assert ("Application" in page.page) is (by == "client_id")
    await press(browser, page, "stay")
    assert await is_signed_in(browser)
    forged = await browser.request("POST", "/oidc/logout/answer", data={"answer": "sign_out", "csrf": "x", "query": ""})
    assert forged.status != 303
    assert await is_signed_in(browser)
    done = await press(browser, page, "sign_out")
    assert "You are signed out." in done.page
    assert not await is_signed_in(browser)


async def test_who_was_asked_goes_back_to_the_application(stand: OidcStand) -> None:
    """With client_id alone the address is the application's, and the person has agreed."""
    browser = stand.browser()
    await stand.tokens(browser)
    page = await leave(browser, client_id="app", post_logout_redirect_uri=BYE, state="s")
    assert asks(page)
    done = await press(browser, page, "sign_out")
    assert (done.status, done.location) == (200, f"{BYE}?state=s")  # a page that leaves by itself: see `show_way_back`
    shown = await leave(browser, client_id="app", post_logout_redirect_uri=BYE)
    assert (shown.status, shown.location) == (200, "")
    assert f'href="{BYE}"' in shown.page


@pytest.mark.parametrize("fault", ["uri", "prefix", "forged", "damaged", "other client", "access token", "unknown client"])
async def test_what_is_not_true_leads_nowhere(stand: OidcStand, fault: str) -> None:
    """O16: an address that is not registered, an ID token that is not ours or not this client's: asked, and no redirect."""
    browser = stand.browser()
    tokens = await stand.tokens(browser)
    good = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE}
    bad = {
        "uri": {"post_logout_redirect_uri": "https://evil.example/"},
        "prefix": {"post_logout_redirect_uri": BYE + "/more"},
        "forged": {"id_token_hint": _signed_by_another(stand)},
        "damaged": {"id_token_hint": tokens["id_token"][:-4] + "AAAA"},
        "other client": {"client_id": "other"},
        "access token": {"id_token_hint": tokens["access_token"]},
        "unknown client": {"client_id": "nobody", "id_token_hint": ""},
    }[fault]
    page = await leave(browser, **{**good, **bad})
    assert asks(page)
    assert await is_signed_in(browser)
    done = await press(browser, page, "sign_out")
    assert (done.status, done.location) == (200, "")
    assert "evil.example" not in done.page
    assert BYE not in done.page
    assert not await is_signed_in(browser)


async def test_an_id_token_of_another_session_is_asked_about(stand: OidcStand) -> None:
    """O16: whoever has somebody's old ID token cannot sign out whoever sits there now."""
    thief, browser = stand.browser(), stand.browser()
    stolen = (await stand.tokens(thief))["id_token"]
    await stand.tokens(browser)
    page = await leave(browser, id_token_hint=stolen, post_logout_redirect_uri=BYE)
    assert asks(page)
    assert await is_signed_in(browser)
    assert await is_signed_in(thief)


async def test_a_parameter_that_is_there_twice_is_refused(stand: OidcStand) -> None:
    """RFC 6749 section 3.1, which proxies and filters read differently."""
    page = await stand.browser().open(f"/oidc/logout?client_id=app&post_logout_redirect_uri={BYE}&client_id=other")
    assert (page.status, page.location) == (400, "")


async def claims_of(stand: OidcStand, token: str) -> dict[str, Any]:
    _, jwks, _ = await stand.get("/oidc/jwks")
    keys = KeySet([ECKey.import_key(key) for key in jwks["keys"] if key["kty"] == "EC"])
    decoded = jwt.decode(token, keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "logout+jwt"
    return dict(decoded.claims)


async def test_servers_of_applications_are_told(stand: OidcStand, server: ApplicationServer) -> None:
    """Back-Channel Logout sections 2.4 and 2.5: the one that asked and the other one, each with its own sid and sub."""
    told = {"backchannel_logout_uri": server.url}
    await stand.trust(changed(LEAVING, **told), changed(OTHER, **told))
    browser = stand.browser()
    tokens = await stand.tokens(browser)
    await browser.authorize(client_id="other", redirect_uri="https://other.example.com/cb")
    left = await leave(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE)
    assert left.location == BYE
    assert len(server.tokens) == 2
    claims = {found["aud"]: found for found in [await claims_of(stand, token) for token in server.tokens]}
    mine = await _id_token(stand, tokens)
    app = claims["app"]
    assert (app["iss"], app["sub"], app["sid"]) == (stand.issuer, mine["sub"], mine["sid"])
    assert app["events"] == {EVENT: {}}
    assert "nonce" not in app
    assert time.time() - 60 < app["iat"] < app["exp"] <= app["iat"] + 120
    assert claims["other"]["sid"] != app["sid"]
    assert claims["other"]["jti"] != app["jti"]


@pytest.mark.parametrize("fault", ["dead", "refuses", "redirects", "inside", "silent"])
async def test_an_application_that_is_not_reached_holds_nobody_up(
    stand: OidcStand, server: ApplicationServer, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O17: bounded in time, shown, no redirect followed; the other one is told all the same."""
    monkeypatch.setattr(stand.relay.federation.participants, "_time_limit", 0.5)
    async with application_server() as bad:
        url = bad.url
        if fault == "dead":
            url = "http://127.0.0.1:9/backchannel"
        if fault == "inside":
            url = f"https://169.254.169.254:{bad.url.rpartition(':')[2]}"
        bad.status = {"refuses": 400, "redirects": 307}.get(fault, 200)
        bad.location = server.url if fault == "redirects" else ""
        bad.is_silent = fault == "silent"
        await stand.trust(changed(LEAVING, backchannel_logout_uri=server.url), changed(OTHER, backchannel_logout_uri=url))
        browser = stand.browser()
        tokens = await stand.tokens(browser)
        await browser.authorize(client_id="other", redirect_uri="https://other.example.com/cb")
        began = time.monotonic()
        page = await leave(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE)
        assert time.monotonic() - began < 5
    assert (page.status, page.location) == (200, "")
    assert "not reached" in page.page
    assert f'href="{BYE}"' in page.page
    assert len(server.tokens) == 1
    assert not await is_signed_in(browser)


async def _id_token(stand: OidcStand, tokens: dict[str, Any]) -> dict[str, Any]:
    _, jwks, _ = await stand.get("/oidc/jwks")
    keys = KeySet([ECKey.import_key(key) for key in jwks["keys"] if key["kty"] == "EC"])
    return dict(jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims)


def _signed_by_another(stand: OidcStand) -> str:
    """An ID token by a key that is not the relay's."""
    key_id = stand.relay.federation.keys.active("oidc", "ES256").id
    content = {"iss": stand.issuer, "aud": "app", "sub": "x", "sid": "y", "exp": int(time.time()) + 600}
    key = ECKey.generate_key("P-256")
    return jwt.encode({"alg": "ES256", "kid": key_id, "typ": "JWT"}, content, key, algorithms=["ES256"])
