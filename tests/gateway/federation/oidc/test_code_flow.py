"""The code flow over real HTTPS: browser, Authlib's client, relay, agent, a fake directory."""

from __future__ import annotations

from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tests.gateway.federation.oidc.stand import ANNA, VERIFIER, in_thread, oidc_stand


async def test_a_client_that_nobody_here_wrote_signs_a_person_in(tmp_path: Path) -> None:
    """Authlib: discovery, code with PKCE, ID token, userinfo, refresh."""
    async with oidc_stand(tmp_path) as stand:
        with stand.authlib() as client:
            _, about, _ = await stand.get("/.well-known/openid-configuration")
            url, state = client.create_authorization_url(
                about["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-1"
            )
            browser = stand.browser()
            page = await browser.open(url.removeprefix(stand.issuer))
            assert "Application" in page.page
            arrival = await browser.sign_in(page)
            assert arrival.members["state"] == state
            assert arrival.members["iss"] == about["issuer"] == stand.issuer
            token = await in_thread(
                client.fetch_token,
                about["token_endpoint"],
                authorization_response=arrival.location,
                code_verifier=VERIFIER,
                state=state,
            )
            _, jwks, _ = await stand.get("/oidc/jwks")
            keys = KeySet([ECKey.import_key(key) for key in jwks["keys"] if key["kty"] == "EC"])
            claims = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
            assert (claims["iss"], claims["aud"], claims["nonce"]) == (stand.issuer, "app", "n-1")
            told = (await in_thread(client.get, about["userinfo_endpoint"])).json()
            assert told["sub"] == claims["sub"]
            assert told["preferred_username"] == ANNA
            fresh = await in_thread(client.refresh_token, about["token_endpoint"])
            assert fresh["refresh_token"] != token["refresh_token"]
            again = jwt.decode(fresh["id_token"], keys, algorithms=["ES256"]).claims
            assert (again["sub"], again["auth_time"]) == (claims["sub"], claims["auth_time"])
            assert "nonce" not in again
