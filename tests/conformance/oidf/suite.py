"""The client of the OpenID Foundation's conformance suite, as far as its modules need it: registered by hand, no PKCE, its
secret sent as Basic, everything found by discovery.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from gateway.federation.trusts import ClientSecret, OidcClient, Trust
from tests.gateway.federation.oidc.stand import AppBrowser, Arrival, OidcStand, oidc_stand

CALLBACK, SIGNED_OUT = "https://suite.example.com/callback", "https://suite.example.com/post_logout_redirect"
SECRET = "a-secret-of-the-suite"
CLIENT = Trust(
    id="suite",
    name="Conformance suite",
    protocol="oidc",
    oidc=OidcClient(
        redirect_uris=(CALLBACK,),
        post_logout_redirect_uris=(SIGNED_OUT,),
        secrets=(ClientSecret(digest=hashlib.sha256(SECRET.encode()).hexdigest()),),
        authentication="client_secret_basic",
        pkce="optional",
    ),
)
SECOND = replace(CLIENT, id="suite-2", oidc=replace(CLIENT.oidc, authentication="client_secret_post"))
ABOUT = {
    "mail": "anna@corp.example.com",
    "display_name": "Anna Berg",
    "given_name": "Anna",
    "surname": "Berg",
    "attributes": {
        "telephoneNumber": ("+49 30 901820",),
        "streetAddress": ("Am Ring 1",),
        "l": ("Berlin",),
        "postalCode": ("10115",),
        "co": ("Germany",),
        "preferredLanguage": ("de-DE",),
    },
}


class LaterClock:
    """Time as it is, and as much later as a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Flow:
    """A sign-in from the request to the tokens."""

    request: dict[str, str]
    arrival: Arrival
    tokens: dict[str, Any] = field(repr=False)
    claims: dict[str, Any]
    """Of the ID token, verified."""


@dataclass
class Suite:
    """Asks as the suite does, and checks what it checks each time. configuration: the discovery document."""

    stand: OidcStand
    clock: LaterClock
    configuration: dict[str, Any] = field(default_factory=dict)

    def browser(self) -> AppBrowser:
        """Of somebody who is not signed in."""
        return self.stand.browser()

    def request(self, **changes: Any) -> dict[str, str]:
        """Parameters of an authorization request, with changes; a value of None leaves one out."""
        parameters = {
            "client_id": "suite",
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "response_type": "code",
            **changes,
        }
        return {name: str(value) for name, value in parameters.items() if value is not None}

    async def send(self, browser: AppBrowser, request: dict[str, str], endpoint: str = "authorization_endpoint") -> Arrival:
        """Send the browser to an endpoint; where it stops, at an application or at a page."""
        path = self.configuration[endpoint].removeprefix(self.stand.issuer)
        return await browser.open(f"{path}?{urlencode(request, quote_via=quote)}")

    async def authorize(self, browser: AppBrowser, request: dict[str, str]) -> Arrival:
        """As `send`, and sign in where that is asked for: then the answer is looked at."""
        arrival = await self.send(browser, request)
        arrival = arrival if arrival.location else await browser.sign_in(arrival)
        self.check_answer(arrival, request)
        return arrival

    def check_answer(self, arrival: Arrival, request: dict[str, str]) -> None:
        """It came to the redirect_uri with state and issuer, and with nothing that was not expected."""
        assert arrival.location.startswith(f"{request['redirect_uri']}?"), arrival.page[:500]
        members = arrival.members
        assert members["state"] == request["state"]
        assert members["iss"] == self.configuration["issuer"]
        assert set(members) <= {"state", "iss", "code", "error", "error_description"}
        assert ("code" in members) != ("error" in members)

    async def token(self, secret: str = SECRET, **form: str) -> tuple[int, dict[str, Any]]:
        """A token request of the first client."""
        headers = {"Authorization": aiohttp.encode_basic_auth("suite", secret)}
        async with self.stand.client.post(self.configuration["token_endpoint"], data=form, headers=headers) as answer:
            assert answer.content_type == "application/json"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Pragma"] == "no-cache"  # RFC 6749 section 5.1
            return answer.status, await answer.json()

    async def redeem(self, code: str, **form: str) -> tuple[int, dict[str, Any]]:
        """The code for tokens."""
        return await self.token(grant_type="authorization_code", code=code, redirect_uri=CALLBACK, **form)

    async def sign_in(self, browser: AppBrowser | None = None, **changes: Any) -> Flow:
        """The whole flow, by somebody new unless a browser is given; the standard checks of the suite are made."""
        request = self.request(**changes)
        arrival = await self.authorize(browser or self.browser(), request)
        status, tokens = await self.redeem(arrival.code)
        assert status == 200, tokens
        assert tokens["token_type"] == "Bearer"
        assert tokens["expires_in"] > 0
        claims = await self.check_id_token(tokens, request)
        assert (await self.userinfo(tokens["access_token"]))["sub"] == claims["sub"]
        return Flow(request, arrival, tokens, claims)

    async def keys(self) -> KeySet:
        """The published ones."""
        async with self.stand.client.get(self.configuration["jwks_uri"]) as answer:
            return KeySet.import_key_set(await answer.json())

    async def check_id_token(self, tokens: dict[str, Any], request: dict[str, str]) -> dict[str, Any]:
        """OpenID Connect Core section 3.1.3.7; the claims."""
        text = tokens["id_token"]
        header = extract_compact(text.encode()).headers()
        assert header["alg"] == "RS256"
        claims = jwt.decode(text, await self.keys(), algorithms=["RS256"]).claims
        assert (claims["iss"], claims["aud"]) == (self.configuration["issuer"], request["client_id"])
        now = self.clock()
        assert claims["iat"] <= now < claims["exp"]
        assert claims.get("nonce") == request.get("nonce")
        assert 0 < len(claims["sub"]) <= 255
        assert claims["sub"].isascii()
        digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
        assert claims["at_hash"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return claims

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        """The claims by GET."""
        headers = {"Authorization": f"Bearer {access_token}"}
        async with self.stand.client.get(self.configuration["userinfo_endpoint"], headers=headers) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/json"
            told: dict[str, Any] = await answer.json()
            return told

    async def is_revoked(self, access_token: str) -> bool:
        """Whether userinfo refuses it."""
        headers = {"Authorization": f"Bearer {access_token}"}
        async with self.stand.client.get(self.configuration["userinfo_endpoint"], headers=headers) as answer:
            return answer.status == 401

    async def silently(self, browser: AppBrowser, **changes: Any) -> dict[str, str]:
        """What comes of prompt=none."""
        request = self.request(prompt="none", **changes)
        arrival = await self.send(browser, request)
        self.check_answer(arrival, request)
        return arrival.members


@asynccontextmanager
async def running_suite(home: Path, *trusts: Trust) -> AsyncIterator[Suite]:
    """A relay with the suite's two clients."""
    clock = LaterClock()
    async with oidc_stand(home, CLIENT, SECOND, *trusts, about=ABOUT, clock=clock) as stand:
        _, configuration, _ = await stand.get("/.well-known/openid-configuration")
        yield Suite(stand, clock, configuration)
