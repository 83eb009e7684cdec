"""oidcc-backchannel-rp-initiated-logout-certification-test-plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from joserfc import jwt

from gateway.federation.oidc.back_channel import EVENT
from tests.conformance.oidf.suite import CLIENT, SIGNED_OUT, Suite
from tests.gateway.federation.oidc.application_server import application_server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_oidcc_backchannel_logout_discovery_endpoint_verification(suite: Suite) -> None:
    """Discovery says that there is a back channel, and that its tokens name the session."""
    assert suite.configuration["end_session_endpoint"].startswith("https://")
    assert suite.configuration["backchannel_logout_supported"] is True
    assert suite.configuration["backchannel_logout_session_supported"] is True


async def test_oidcc_backchannel_rp_initiated_logout(suite: Suite) -> None:
    """The client's server gets a logout token of this person and session (Back-Channel Logout section 2.6), then the browser
    comes back with the state."""
    async with application_server() as server:
        oidc = replace(CLIENT.oidc, backchannel_logout_uri=server.url, backchannel_logout_session_required=True)
        await suite.stand.trust(replace(CLIENT, oidc=oidc))
        browser = suite.browser()
        flow = await suite.sign_in(browser)
        request = {"id_token_hint": flow.tokens["id_token"], "post_logout_redirect_uri": SIGNED_OUT, "state": "end-1"}
        left = await suite.send(browser, request, "end_session_endpoint")
        (text,) = server.tokens
    assert left.members == {"state": "end-1"}
    token = jwt.decode(text, await suite.keys(), algorithms=["RS256"])
    assert token.header["alg"] == "RS256"
    claims = token.claims
    assert (claims["iss"], claims["aud"]) == (suite.configuration["issuer"], "suite")
    assert (claims["sub"], claims["sid"]) == (flow.claims["sub"], flow.claims["sid"])
    assert claims["events"] == {EVENT: {}}
    assert abs(suite.clock() - claims["iat"]) < 60
    assert claims["jti"]
    assert "nonce" not in claims
    assert (await suite.silently(browser))["error"] == "login_required"
