"""A relay with applications and a fake directory, a browser without JavaScript, and a client that nobody here wrote."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from authlib.integrations.requests_client import OAuth2Session
from yarl import URL

from gateway.app import Relay
from gateway.federation.trusts import ClientSecret, OidcClient, Trust, write_trust
from gateway.store import TrustRecord
from tests.support.fakes import FakeDirectories
from tests.support.nodes import address_of, trusting_client
from tests.support.relay_and_agent import agent, relay

ANNA, BEN, PASSWORD = "anna@corp.example.com", "ben@corp.example.com", "right"
CALLBACK, SECRET = "https://app.example.com/callback", "a-secret-of-256-random-bits"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
APP = Trust(
    id="app",
    name="Application",
    protocol="oidc",
    oidc=OidcClient(
        redirect_uris=(CALLBACK,),
        secrets=(ClientSecret(digest=hashlib.sha256(SECRET.encode()).hexdigest()),),
        authentication="client_secret_post",
        signing_algorithm="ES256",
        resources=("https://api.example.com/", "https://files.example.com/"),
        response_modes=("query", "form_post", "fragment"),
    ),
)
OTHER = replace(APP, id="other", name="Other", oidc=replace(APP.oidc, redirect_uris=("https://other.example.com/cb",)))


def changed(trust: Trust = APP, **oidc: Any) -> Trust:
    """The same with another client part."""
    return replace(trust, oidc=replace(trust.oidc, **oidc))


class Arrival(NamedTuple):
    """Where the browser is at last: at an application (then with what it was given), or at a page."""

    status: int
    page: str
    location: str
    headers: Any

    @property
    def members(self) -> dict[str, str]:
        """What the application was given, by query or fragment."""
        parts = urlsplit(self.location)
        return dict(parse_qsl(parts.fragment or parts.query, keep_blank_values=True, strict_parsing=True))

    @property
    def code(self) -> str:
        return self.members["code"]


class AppBrowser:
    """Follows redirects within the relay; each request goes to the next node. Cookies are kept by hand."""

    def __init__(self, client: aiohttp.ClientSession, relays: Iterable[Relay]) -> None:
        self._client, self._turns = client, itertools.cycle(relays)
        self.cookies: dict[str, str] = {}

    async def request(self, method: str, path: str, **options: Any) -> Arrival:
        """One request, and wherever it leads to within the relay."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Sec-Fetch-Site": "same-origin", "Cookie": cookie, **options.pop("headers", {})}
        url = URL(address_of(next(self._turns)) + path, encoded=True)  # as a browser sends it
        async with self._client.request(method, url, headers=headers, allow_redirects=False, **options) as response:
            for name, morsel in response.cookies.items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
            text, location = await response.text(), response.headers.get("Location", "")
        refresh = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', text)
        if refresh is not None:
            location = unescape(refresh[1])
        if location.startswith("/"):
            return await self.request("GET", location)
        return Arrival(response.status, unescape(text), location, response.headers)

    async def open(self, path: str, **options: Any) -> Arrival:
        return await self.request("GET", path, **options)

    async def authorize(self, **parameters: Any) -> Arrival:
        """What an application sends people here with; a value of None leaves a parameter out."""
        return await self.open(f"/oidc/authorize?{urlencode(authorize_parameters(**parameters))}")

    async def sign_in(self, shown: Arrival, user_name: str = ANNA, password: str = PASSWORD) -> Arrival:
        """Both steps of the page that is shown, in one."""
        fields = dict(re.findall(r'name="(csrf|return_to|transaction)" value="([^"]*)"', shown.page))
        data = {**fields, "step": "password", "user_name": user_name, "password": password}
        return await self.request("POST", "/signin", data=data)


def authorize_parameters(**changes: Any) -> dict[str, Any]:
    """Those of a good request, with changes."""
    parameters = {
        "client_id": "app",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid profile email",
        "state": "s-1",
        "nonce": "n-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in parameters.items() if value is not None}


@dataclass
class OidcStand:
    """What a test works with. home: where the relay's CA is."""

    relays: tuple[Relay, ...]
    people: FakeDirectories
    home: Path
    client: aiohttp.ClientSession
    turns: Any = field(init=False)

    def __post_init__(self) -> None:
        self.turns = itertools.cycle(self.relays)

    @property
    def relay(self) -> Relay:
        return self.relays[0]

    @property
    def issuer(self) -> str:
        return self.relay.settings.public_url

    def browser(self) -> AppBrowser:
        return AppBrowser(self.client, self.relays)

    async def trust(self, *trusts: Trust) -> None:
        """Put them into the store, as new or as the next version; every node knows them when this returns."""
        kept = {record.id: record.version for record in await self.relay.store.trusts.all()}
        for trust in trusts:
            unit = self.relay.store.unit()
            unit.put_trust(
                TrustRecord(
                    id=trust.id,
                    version=kept.get(trust.id, 0) + 1,
                    document=write_trust(trust),
                    changed_at=time.time(),
                    changed_by="test",
                )
            )
            await unit.commit()
        for node in self.relays:
            await node.store.generations.look()

    async def post(self, path: str, data: Any = None, **options: Any) -> tuple[int, dict[str, Any], Any]:
        """An application's server asks; status, JSON, headers."""
        url = address_of(next(self.turns)) + path
        async with self.client.post(url, data=data, **options) as response:
            return response.status, await response.json(content_type=None) if await response.read() else {}, response.headers

    async def get(self, path: str, **options: Any) -> tuple[int, dict[str, Any], Any]:
        url = address_of(next(self.turns)) + path
        async with self.client.get(url, **options) as response:
            return response.status, await response.json(content_type=None) if await response.read() else {}, response.headers

    async def token(self, **fields: Any) -> tuple[int, dict[str, Any]]:
        """A request to the token endpoint by the application; a value of None leaves a field out."""
        data = {"client_id": "app", "client_secret": SECRET, **fields}
        status, body, _ = await self.post("/oidc/token", {name: value for name, value in data.items() if value is not None})
        return status, body

    async def redeem(self, code: str, /, **fields: Any) -> tuple[int, dict[str, Any]]:
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        return await self.token(**{**given, **fields})

    async def refresh(self, token: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        return await self.token(grant_type="refresh_token", refresh_token=token, **fields)

    async def userinfo(self, token: str) -> tuple[int, dict[str, Any]]:
        status, body, _ = await self.get("/oidc/userinfo", headers={"Authorization": f"Bearer {token}"})
        return status, body

    async def tokens(self, browser: AppBrowser | None = None, **parameters: Any) -> dict[str, Any]:
        """A whole sign-in, by somebody new unless a browser is given."""
        arrival = await self.signed_in(browser or self.browser(), **parameters)
        status, body = await self.redeem(arrival.code)
        assert status == 200, body
        return body

    async def signed_in(self, browser: AppBrowser, **parameters: Any) -> Arrival:
        """Back at the application, by way of the sign-in page where that is shown."""
        arrival = await browser.authorize(**parameters)
        return arrival if arrival.location else await browser.sign_in(arrival)

    def authlib(self, **options: Any) -> OAuth2Session:
        """Authlib's client; it blocks: see `asyncio.to_thread`."""
        session = OAuth2Session(
            "app",
            SECRET,
            redirect_uri=CALLBACK,
            scope="openid profile email offline_access",
            code_challenge_method="S256",
            **{"token_endpoint_auth_method": "client_secret_post", **options},
        )
        session.trust_env = False  # or a CA bundle that the environment names would be used instead
        session.verify = str(self.home / "tls" / "ca.pem")
        return session


@asynccontextmanager
async def oidc_stand(
    home: Path, *trusts: Trust, about: Mapping[str, Any] | None = None, clock: Callable[[], float] = time.time
) -> AsyncIterator[OidcStand]:
    """One relay, one agent, these trusts (`APP` where none is given). about: more of everybody. clock: the relay's."""
    people = FakeDirectories({ANNA: PASSWORD, BEN: PASSWORD}, about=dict(about or {}))
    async with relay(home, clock=clock) as running, agent(home, running, people), trusting_client(home) as client:
        stand = OidcStand((running,), people, home, client)
        await stand.trust(*(trusts or (APP,)))
        yield stand


async def in_thread(call: Any, *arguments: Any, **options: Any) -> Any:
    """A library that blocks."""
    return await asyncio.to_thread(call, *arguments, **options)
