"""Device codes (RFC 8628) over real HTTPS: the device, the person's browser, the relay."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.federation.claims import ClaimsPolicy
from gateway.federation.oidc.device_codes import INTERVAL, folded_code, shown_code
from gateway.federation.oidc.endpoints.device_pages import GUESSES
from gateway.federation.oidc.grant_types.device_code import DEVICE_CODE
from gateway.federation.trusts import TrustAccess
from tests.gateway.federation.oidc.stand import ANNA, BEN, OTHER, SECRET, AppBrowser, Arrival, OidcStand, changed, oidc_stand

TV = changed(grants=("authorization_code", "refresh_token", DEVICE_CODE))


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, TV, OTHER) as made:
        yield made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No poll comes too soon."""
    monkeypatch.setattr("gateway.federation.oidc.device_codes._WINDOW", 1e-6)


async def begin(stand: OidcStand, **fields: Any) -> dict[str, Any]:
    data = {"client_id": "app", "client_secret": SECRET, "scope": "openid email offline_access", **fields}
    status, body, _ = await stand.post("/oidc/device", data)
    return {"status": status, **body}


async def poll(stand: OidcStand, begun: dict[str, Any], **fields: Any) -> tuple[int, dict[str, Any]]:
    return await stand.token(grant_type=DEVICE_CODE, device_code=begun["device_code"], **fields)


async def signed_in(stand: OidcStand, user_code: str = "") -> tuple[AppBrowser, Arrival]:
    """A browser with somebody signed in, at the field for the code."""
    browser = stand.browser()
    page = await browser.open(f"/device?user_code={user_code}" if user_code else "/device")
    return browser, await browser.sign_in(page)


async def press(browser: AppBrowser, page: Arrival, path: str, **fields: str) -> Arrival:
    """A button of a page."""
    shown = dict(re.findall(r'name="(csrf|user_code|session)"(?: type="text")? value="([^"]*)"', page.page))
    return await browser.request("POST", path, data={**shown, **fields})


async def connect(stand: OidcStand, begun: dict[str, Any], answer: str = "allow") -> Arrival:
    browser, page = await signed_in(stand)
    question = await press(browser, page, "/device", user_code=begun["user_code"])
    assert "Connect this device?" in question.page, question.page
    return await press(browser, question, "/device/answer", answer=answer)


async def test_nobody_is_connected_whom_the_policy_has_no_name_for(stand: OidcStand) -> None:
    """Told on a page, before anything is asked or taken; also where the policy changes between the two."""
    unnamed, begun = replace(TV, claims=ClaimsPolicy(subject="mail")), await begin(stand)
    browser, page = await signed_in(stand)
    question = await press(browser, page, "/device", user_code=begun["user_code"])
    await stand.trust(unnamed)
    for path, shown in (("/device", page), ("/device/answer", question)):
        refused = await press(browser, shown, path, user_code=begun["user_code"], answer="allow")
        assert (refused.status, "Connect this device?" in refused.page) == (403, False)
    assert await stand.relay.store.audit.entries(kind="federation.device_connected") == []


@pytest.mark.parametrize("by", ["an administrator", "the trust's end", "the person"])
async def test_whoever_is_thrown_out_before_the_device_comes_stays_out(stand: OidcStand, by: str) -> None:
    """A thief lets a device in with somebody's session, and has it wait until sessions and grants have been ended."""
    begun = await begin(stand)
    await connect(stand, begun)
    grants, (account,) = stand.relay.store.grants, await stand.relay.store.audit.accounts_named(ANNA)
    if by == "an administrator":
        assert len(await grants.end_of_account(account)) == 1
    elif by == "the trust's end":
        assert await grants.end_of_trust("app") == 1
    else:
        browser, _ = await signed_in(stand)
        await press(browser, await browser.open("/account"), "/account/shut-out", trust="app")
    assert (await poll(stand, begun))[1]["error"] == "invalid_grant"
    assert await grants.of_account(account, time.time()) == []


@pytest.mark.usefixtures("quick")
async def test_a_device_is_connected(stand: OidcStand) -> None:
    """Section 3: pending until the person has agreed, then tokens, once; a refresh goes on without a browser session."""
    begun = await begin(stand)
    assert (begun["status"], begun["interval"], begun["expires_in"]) == (200, INTERVAL, 600)
    assert begun["verification_uri"] == f"{stand.issuer}/device"
    assert begun["verification_uri_complete"] == f"{stand.issuer}/device?user_code={begun['user_code']}"
    assert (await poll(stand, begun))[1]["error"] == "authorization_pending"
    refused = await stand.relay.administration.audit(kind="federation.refused", limit=5)
    assert refused == [], "a device that waits for its user is no refusal"
    assert "Your device is connected." in (await connect(stand, begun)).page
    status, tokens = await poll(stand, begun)
    assert (status, tokens["scope"]) == (200, "openid email offline_access")
    assert (await stand.userinfo(tokens["access_token"]))[1]["sub"]
    assert (await stand.refresh(tokens["refresh_token"]))[0] == 200
    assert (await poll(stand, begun))[1]["error"] == "invalid_grant"
    (entry,) = await stand.relay.store.audit.entries(kind="federation.device_connected")
    assert entry.event.detail["trust"] == "app"
    assert begun["user_code"] not in str(entry)


@pytest.mark.usefixtures("quick")
async def test_the_question_names_application_and_place(stand: OidcStand) -> None:
    """O12, section 5.4: sign-in first, then the code, then the question; a link with the code in it only fills the field."""
    begun = await begin(stand)
    browser = stand.browser()
    page = await browser.open(f"/device?user_code={begun['user_code'].lower()}")
    assert 'name="password"' not in page.page or "Sign in" in page.page
    page = await browser.sign_in(page)
    assert begun["user_code"] in page.page
    assert "Application" not in page.page
    assert (await poll(stand, begun))[1]["error"] == "authorization_pending"
    question = await press(browser, page, "/device")
    for text in ("Application", begun["user_code"], "127.0.0.1", "help desk"):
        assert text in question.page
    assert (await poll(stand, begun))[1]["error"] == "authorization_pending"


@pytest.mark.usefixtures("quick")
async def test_who_does_not_want_it_says_so(stand: OidcStand) -> None:
    """Section 3.5: access_denied, and the code is gone."""
    begun = await begin(stand)
    assert "wasn't connected" in (await connect(stand, begun, "deny")).page
    assert (await poll(stand, begun))[1]["error"] == "access_denied"
    browser, page = await signed_in(stand)
    assert "isn't valid" in (await press(browser, page, "/device", user_code=begun["user_code"])).page


async def test_who_polls_too_fast_is_told(stand: OidcStand) -> None:
    """O12, section 3.5: slow_down, even where the person has agreed."""
    begun = await begin(stand)
    answers = [(await poll(stand, begun))[1]["error"] for _ in range(3)]
    assert answers[0] == "authorization_pending"
    assert "slow_down" in answers[1:]


async def test_codes_cannot_be_guessed(stand: OidcStand) -> None:
    """O12, section 5.1: a few tries a minute, the right one among them counts too; other people are not held up."""
    begun = await begin(stand)
    browser, page = await signed_in(stand)
    for _ in range(GUESSES):
        page = await press(browser, page, "/device", user_code="BBBB-BBBB")
        assert "isn't valid" in page.page
    late = await press(browser, page, "/device", user_code=begun["user_code"])
    assert (late.status, "Connect this device?" in late.page) == (429, False)


@pytest.mark.usefixtures("quick")
async def test_an_answer_comes_from_our_own_page_and_person(stand: OidcStand) -> None:
    """O12, O20: not from another site, not for the session of somebody else, not without one."""
    begun = await begin(stand)
    browser, page = await signed_in(stand)
    question = await press(browser, page, "/device", user_code=begun["user_code"])
    for fields in ({"csrf": "x"}, {"session": "somebody else's"}):
        await press(browser, question, "/device/answer", answer="allow", **fields)
        assert (await poll(stand, begun))[1]["error"] == "authorization_pending"
    nobody = stand.browser()
    nobody.cookies = {name: value for name, value in browser.cookies.items() if name.endswith("form")}
    await press(nobody, question, "/device/answer", answer="allow")
    assert (await poll(stand, begun))[1]["error"] == "authorization_pending"
    assert "connected" in (await press(browser, question, "/device/answer", answer="allow")).page
    assert (await poll(stand, begun))[0] == 200


@pytest.mark.usefixtures("quick")
async def test_who_may_not_use_the_application_connects_no_device(stand: OidcStand) -> None:
    """Access is checked before the question, and again at the answer."""
    begun = await begin(stand)
    browser, page = await signed_in(stand)
    question = await press(browser, page, "/device", user_code=begun["user_code"])
    await stand.trust(replace(TV, access=TrustAccess(test_users=(BEN,), ask="Ask Carla")))
    refused = await press(browser, question, "/device/answer", answer="allow")
    assert (refused.status, "Ask Carla" in refused.page) == (403, True)
    begun = await begin(stand)
    refused = await press(browser, page, "/device", user_code=begun["user_code"])
    assert (refused.status, "Ask Carla" in refused.page) == (403, True)
    assert (await poll(stand, begun))[1]["error"] == "authorization_pending"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "other"}, "unauthorized_client"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"resource": "https://other.example.com/"}, "invalid_target"),
    ],
)
async def test_what_a_device_cannot_begin(stand: OidcStand, fields: dict[str, str], error: str) -> None:
    """Section 3.1: client, grant, scope and API as for every other grant."""
    assert (await begin(stand, **fields))["error"] == error


@pytest.mark.usefixtures("quick")
async def test_a_device_code_is_its_clients(stand: OidcStand) -> None:
    """Invented, damaged, of another client, a user code in its place: invalid_grant; over: expired_token."""
    begun = await begin(stand)
    await stand.trust(changed(TV), changed(OTHER, grants=(DEVICE_CODE,), redirect_uris=()))
    assert (await poll(stand, begun, client_id="other"))[1]["error"] == "invalid_grant"
    for code in ("x", begun["user_code"], begun["device_code"][:-4] + "AAAA"):
        assert (await poll(stand, {"device_code": code}))[1]["error"] == "invalid_grant"
    object.__setattr__(stand.relay.settings.federation.lifetimes, "device_code", 0.0)
    over = await begin(stand)
    assert (await poll(stand, over))[1]["error"] == "expired_token"


def test_user_codes_are_folded() -> None:
    """Section 6.1: case, dashes and blanks do not count; what is none is none."""
    for typed in ("WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "WDJB\u2013MJHT"):
        assert folded_code(typed) == "WDJBMJHT"
    for typed in ("", "WDJB-MJH", "WDJB-MJHA", "WDJB-MJHTT", "1234-5678", "x" * 100_000):
        assert folded_code(typed) == ""
    assert shown_code("WDJBMJHT") == "WDJB-MJHT"
