"""oidcc-rp-initiated-logout-certification-test-plan: each begins with a sign-in and ends with what prompt=none says."""

from __future__ import annotations

import base64
import json
import re

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.conformance.oidf.suite import SECRET, SIGNED_OUT, Flow, Suite
from tests.gateway.federation.oidc.stand import AppBrowser, Arrival

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _leave(suite: Suite, browser: AppBrowser, request: dict[str, str]) -> Arrival:
    return await suite.send(browser, request, "end_session_endpoint")


def _request(flow: Flow, **changes: str | None) -> dict[str, str]:
    """A good one, with changes; a value of None leaves a parameter out."""
    named = {
        "id_token_hint": flow.tokens["id_token"],
        "post_logout_redirect_uri": SIGNED_OUT,
        "state": "end-1",
        **changes,
    }
    return {name: value for name, value in named.items() if value is not None}


async def _is_signed_out(suite: Suite, browser: AppBrowser) -> bool:
    members = await suite.silently(browser)
    return members.get("error") == "login_required"


async def _agree(browser: AppBrowser, page: Arrival) -> Arrival:
    """Press the button of the question."""
    assert (page.status, page.location) == (200, "")
    fields = dict(re.findall(r'name="(csrf|query)" value="([^"]*)"', page.page))
    return await browser.request("POST", "/oidc/logout/answer", data={**fields, "answer": "sign_out"})


async def _check_page_alone(suite: Suite, **changes: str | None) -> None:
    """The person is asked; who agrees is signed out, and is sent nowhere."""
    browser = suite.browser()
    flow = await suite.sign_in(browser)
    page = await _leave(suite, browser, _request(flow, **changes))
    done = await _agree(browser, page)
    assert (done.status, done.location) == (200, "")
    assert SIGNED_OUT not in done.page
    assert "You are signed out." in done.page
    assert await _is_signed_out(suite, browser)


async def test_oidcc_rp_initiated_logout_discovery_endpoint_verification(suite: Suite) -> None:
    """Discovery names the endpoint, by https."""
    assert suite.configuration["end_session_endpoint"].startswith("https://")


async def test_oidcc_rp_initiated_logout(suite: Suite) -> None:
    """Back at the application with the state, and signed out."""
    browser = suite.browser()
    left = await _leave(suite, browser, _request(await suite.sign_in(browser)))
    assert left.location.startswith(f"{SIGNED_OUT}?")
    assert left.members == {"state": "end-1"}
    assert await _is_signed_out(suite, browser)


async def test_oidcc_rp_initiated_logout_no_state(suite: Suite) -> None:
    """Without a state none comes back."""
    browser = suite.browser()
    left = await _leave(suite, browser, _request(await suite.sign_in(browser), state=None))
    assert left.location == SIGNED_OUT
    assert await _is_signed_out(suite, browser)


async def test_oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(suite: Suite) -> None:
    """An address that is not registered is not gone to."""
    await _check_page_alone(suite, post_logout_redirect_uri=f"{SIGNED_OUT}/b4d")


async def test_oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(suite: Suite) -> None:
    """A registered one with a query is another one."""
    await _check_page_alone(suite, post_logout_redirect_uri=f"{SIGNED_OUT}?foo=bar")


async def test_oidcc_rp_initiated_logout_bad_id_token_hint(suite: Suite) -> None:
    """An ID token that the client made itself: nobody is sent back for it."""
    claims = {"iss": suite.configuration["issuer"], "aud": "suite", "sub": "somebody", "iat": 1, "exp": 4_000_000_000}
    forged = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET.ljust(32, "-")))
    await _check_page_alone(suite, id_token_hint=forged)


async def test_oidcc_rp_initiated_logout_modified_id_token_hint(suite: Suite) -> None:
    """An ID token of ours whose algorithm was changed to none."""
    browser = suite.browser()
    flow = await suite.sign_in(browser)
    payload = flow.tokens["id_token"].split(".")[1]
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    page = await _leave(suite, browser, _request(flow, id_token_hint=f"{header}.{payload}."))
    assert not (await _agree(browser, page)).location
    assert await _is_signed_out(suite, browser)


async def test_oidcc_rp_initiated_logout_no_id_token_hint(suite: Suite) -> None:
    """Without a hint nobody knows whose address it is: it is not gone to."""
    await _check_page_alone(suite, id_token_hint=None)


async def test_oidcc_rp_initiated_logout_no_params(suite: Suite) -> None:
    """With nothing at all the person signs out, and sees a page that says so."""
    await _check_page_alone(suite, id_token_hint=None, post_logout_redirect_uri=None, state=None)


async def test_oidcc_rp_initiated_logout_only_state(suite: Suite) -> None:
    """A state alone leads nowhere."""
    await _check_page_alone(suite, id_token_hint=None, post_logout_redirect_uri=None)


async def test_oidcc_rp_initiated_logout_no_post_logout_redirect_uri(suite: Suite) -> None:
    """The hint alone: signed out, and a page that says so."""
    browser = suite.browser()
    left = await _leave(suite, browser, _request(await suite.sign_in(browser), post_logout_redirect_uri=None))
    assert (left.status, left.location) == (200, "")
    assert "You are signed out." in left.page
    assert await _is_signed_out(suite, browser)
