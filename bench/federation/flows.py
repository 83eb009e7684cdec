"""What applications and browsers do: one flow is what one figure counts. None looks at more than it needs to go on."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import time
import zlib
from collections.abc import Awaitable, Callable
from html import unescape
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from bench.federation.applications import CALLBACK, SECRET, entity_id
from bench.http_client import KeptConnection
from demo.stand import Stand

Flow = Callable[[KeptConnection, str], Awaitable[None]]
"""One flow, by a browser with these cookies."""
_VERIFIER = secrets.token_urlsafe(48)
_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(_VERIFIER.encode()).digest()).decode().rstrip("=")


def code_flow(client: str) -> Flow:
    """Authorize with a session, token, userinfo."""

    async def flow(connection: KeptConnection, cookie: str) -> None:
        tokens = await code_for_tokens(connection, cookie, client, "openid profile email")
        answer = await connection.get("/oidc/userinfo", Authorization=f"Bearer {tokens['access_token']}")
        check(answer.status == 200, answer.body)

    return flow


async def code_for_tokens(connection: KeptConnection, cookie: str, client: str, scope: str) -> dict[str, object]:
    """Authorize with a session, token; the latter's answer."""
    query = {
        "client_id": client,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": scope,
        "state": "s",
        "nonce": "n",
        "code_challenge": _CHALLENGE,
        "code_challenge_method": "S256",
    }
    answer = await connection.get(f"/oidc/authorize?{urlencode(query)}", Cookie=cookie)
    code = dict(parse_qsl(urlsplit(answer.location).query)).get("code", "")
    check(bool(code), answer.location.encode() or answer.body)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": _VERIFIER,
    }
    return await _token(connection, client, form)


async def refresh(connection: KeptConnection, client: str, refresh_token: str) -> str:
    """The next refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return str((await _token(connection, client, form))["refresh_token"])


async def client_credentials(connection: KeptConnection, _cookie: str) -> None:
    """A token for the client itself."""
    await _token(connection, "app", {"grant_type": "client_credentials", "scope": "read"})


async def _token(connection: KeptConnection, client: str, form: dict[str, str]) -> dict[str, object]:
    answer = await connection.post("/oidc/token", urlencode({**form, "client_id": client, "client_secret": SECRET}))
    check(answer.status == 200, answer.body)
    tokens: dict[str, object] = json.loads(answer.body)
    return tokens


def saml_flow(trust: str) -> Flow:
    """A request by redirect, the page that posts the response."""

    async def flow(connection: KeptConnection, cookie: str) -> None:
        instant = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        request = (
            f'<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="_{secrets.token_hex(16)}" Version="2.0" '
            f'IssueInstant="{instant}"><a:Issuer xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">{entity_id(trust)}'
            "</a:Issuer></p:AuthnRequest>"
        )
        compressor = zlib.compressobj(wbits=-15)
        message = base64.b64encode(compressor.compress(request.encode()) + compressor.flush()).decode()
        answer = await connection.get(f"/saml/sso?SAMLRequest={quote(message, safe='')}", Cookie=cookie)
        check(b"SAMLResponse" in answer.body, answer.body)

    return flow


async def sign_in(stand: Stand, user_name: str, password: str) -> str:
    """The cookies of a browser that is signed in."""
    async with KeptConnection(stand.url, stand.tls) as connection:
        page = await connection.get("/signin")
        cookies = dict(cookie.decode().split("=", 1) for cookie in page.cookies)
        fields = dict(re.findall(r'name="(csrf|return_to|transaction)" value="([^"]*)"', unescape(page.body.decode())))
        form = {**fields, "step": "password", "user_name": user_name, "password": password}
        sent = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = await connection.post("/signin", urlencode(form), Cookie=sent, Sec_Fetch_Site="same-origin")
        cookies |= dict(cookie.decode().split("=", 1) for cookie in answer.cookies)
        check(SESSION in cookies, answer.body)
        return f"{SESSION}={cookies[SESSION]}"


SESSION = "__Host-isthmus"


def check(good: bool, body: bytes) -> None:
    """Raises RuntimeError with what was answered."""
    if not good:
        raise RuntimeError(body.decode(errors="replace")[:2000])
