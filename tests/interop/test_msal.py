"""Microsoft's msal for Python, which takes any OpenID provider as its `oidc_authority`; in threads, for it blocks."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msal  # type: ignore[import-untyped]
import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.federation.trusts import ClientSecret, OidcClient, Trust
from tests.foundation.saml.parties import party
from tests.gateway.federation.oidc.signing import public_jwk
from tests.gateway.federation.saml.service_provider import pem
from tests.interop.site import ANNA, PASSWORD, FederatedSite, federated
from tests.interop.visitor import Visitor

pytestmark = pytest.mark.interop

CALLBACK = "http://localhost:53682"
SECRET = "a secret that msal was given"
SCOPES = ["email"]
"""msal asks for openid, profile and offline_access by itself."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[FederatedSite]:
    async with federated(tmp_path) as made:
        yield made


@pytest.fixture
def http(site: FederatedSite) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.verify = str(site.ca_file)
        session.trust_env = False
        yield session


def trust(**fields: Any) -> Trust:
    client = OidcClient(**{"redirect_uris": (CALLBACK,), **fields})
    return Trust(id="msal", name="Desktop application", protocol="oidc", oidc=client)


def options(site: FederatedSite, http: requests.Session) -> dict[str, Any]:
    return {"client_id": "msal", "oidc_authority": f"{site.url}/oidc", "http_client": http}


async def signed_in(site: FederatedSite, application: msal.ClientApplication) -> dict[str, Any]:
    """Tokens, as msal has checked and kept them."""
    asked = {"redirect_uri": CALLBACK, "response_mode": "form_post", "login_hint": ANNA}
    flow = await asyncio.to_thread(application.initiate_auth_code_flow, SCOPES, **asked)
    async with Visitor(site.ca_file, stop_at=CALLBACK) as visitor:
        page = await visitor.sign_in(await visitor.open(flow["auth_uri"]), ANNA, PASSWORD)
    assert page.url == CALLBACK, page.text
    told = await asyncio.to_thread(application.acquire_token_by_auth_code_flow, flow, dict(page.posted))
    return dict(told)


async def refreshed(application: msal.ClientApplication) -> dict[str, Any]:
    """By the refresh token that it kept."""
    (account,) = await asyncio.to_thread(application.get_accounts)
    told = await asyncio.to_thread(application.acquire_token_silent, SCOPES, account, force_refresh=True)
    assert told is not None
    return dict(told)


def check_tokens(told: dict[str, Any]) -> None:
    assert "error" not in told, told
    assert told["access_token"]
    assert told["token_type"] == "Bearer"


async def test_a_native_application_signs_in_and_refreshes(site: FederatedSite, http: requests.Session) -> None:
    """Code with PKCE on loopback, by form, ID token with nonce, and a refresh token from its cache."""
    await site.trust(trust(application="native", authentication="none", redirect_uris=("http://localhost",)))
    application = await asyncio.to_thread(msal.PublicClientApplication, **options(site, http))
    told = await signed_in(site, application)
    check_tokens(told)
    assert told["id_token_claims"]["aud"] == "msal"
    assert told["refresh_token"]
    again = await refreshed(application)
    check_tokens(again)
    assert again["access_token"] != told["access_token"]


async def test_a_web_application_with_a_secret_signs_in(site: FederatedSite, http: requests.Session) -> None:
    """msal sends the secret in the form: `client_secret_post`."""
    secrets = (ClientSecret(digest=hashlib.sha256(SECRET.encode()).hexdigest()),)
    await site.trust(trust(authentication="client_secret_post", secrets=secrets))
    application = await asyncio.to_thread(
        msal.ConfidentialClientApplication, client_credential=SECRET, **options(site, http)
    )
    check_tokens(await signed_in(site, application))
    check_tokens(await refreshed(application))


async def test_a_web_application_with_a_certificate_signs_in(site: FederatedSite, http: requests.Session) -> None:
    """`private_key_jwt`: its assertions bring the certificate, name no key of the key set, and serve for minutes."""
    keys = party("msal")
    jwk = {name: value for name, value in public_jwk(keys.key, "", "PS256").items() if name not in {"kid", "alg"}}
    said = trust(authentication="private_key_jwt", jwks=json.dumps({"keys": [jwk]}))
    await site.trust(replace(said, switches={"reused_assertions": True}))
    private = keys.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    application = await asyncio.to_thread(
        msal.ConfidentialClientApplication,
        client_credential={"private_key": private, "public_certificate": pem(keys)},
        **options(site, http),
    )
    check_tokens(await signed_in(site, application))
    check_tokens(await refreshed(application))


async def test_a_device_is_connected(site: FederatedSite, http: requests.Session) -> None:
    """msal shows the user code; when the person has agreed in a browser, it gets tokens, and a refresh later."""
    grants = ("urn:ietf:params:oauth:grant-type:device_code", "refresh_token")
    await site.trust(trust(application="native", authentication="none", grants=grants, redirect_uris=()))
    application = await asyncio.to_thread(msal.PublicClientApplication, **options(site, http))
    flow = await asyncio.to_thread(application.initiate_device_flow, SCOPES)
    assert flow["verification_uri"] == f"{site.url}/device", flow
    async with Visitor(site.ca_file) as visitor:
        page = await visitor.sign_in(await visitor.open(flow["verification_uri_complete"]), ANNA, PASSWORD)
        action, fields = page.form("user_code")
        page = await visitor.open(action, fields)
        assert "Desktop application" in page.text
        action, fields = page.form("answer")
        page = await visitor.open(action, {**fields, "answer": "allow"})
        assert "connected" in page.text
    told = await asyncio.to_thread(application.acquire_token_by_device_flow, flow)
    check_tokens(dict(told))
    check_tokens(await refreshed(application))
