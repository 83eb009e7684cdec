"""Tokens that an attacker makes, at every door that takes one, over real HTTPS."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey
from yarl import URL

from tests.gateway.federation.oidc.signing import ec_key, public_jwk
from tests.gateway.federation.oidc.stand import OidcStand, oidc_stand

SESSION = "__Host-isthmus"
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Genuine(NamedTuple):
    """What everybody can see of a good token."""

    header: dict[str, Any]
    payload: str
    signature: str
    key: dict[str, Any]
    """The published one that it was signed with."""


def _part(value: bytes | dict[str, Any]) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def _by_hmac(good: Genuine) -> str:
    pem = ECKey.import_key(good.key).public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = f"{_part({**good.header, 'alg': 'HS256'})}.{good.payload}"
    return f"{text}.{_part(hmac.digest(pem, text.encode(), 'sha256'))}"


def _by_mallory(good: Genuine, **header: Any) -> str:
    """Signed with a key of the attacker's."""
    text = f"{_part({**good.header, **header})}.{good.payload}"
    numbers = decode_dss_signature(ec_key("mallory").sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_part(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


def _with(good: Genuine, **header: Any) -> str:
    return f"{_part({**good.header, **header})}.{good.payload}.{good.signature}"


def _claiming(good: Genuine, **claims: Any) -> str:
    return f"{_part(good.header)}.{_part({**_read(good.payload), **claims})}.{good.signature}"


_JWK = public_jwk(ec_key("mallory"), "mallory", "ES256")
FORGED: dict[str, Callable[[Genuine], str]] = {
    "O05 none": lambda good: f"{_part({**good.header, 'alg': 'none'})}.{good.payload}.",
    "O05 None": lambda good: f"{_part({**good.header, 'alg': 'None'})}.{good.payload}.",
    "O05 the public key as a secret": _by_hmac,
    "O05 another key": _by_mallory,
    "O05 kid as a path": lambda good: _by_mallory(good, kid="../../../dev/null"),
    "O05 kid as SQL": lambda good: _by_mallory(good, kid="' OR 1=1 --"),
    "O05 jwk": lambda good: _by_mallory(good, jwk=_JWK),
    "O05 jku": lambda good: _by_mallory(good, jku="https://127.0.0.1:1/keys"),
    "O05 x5u": lambda good: _by_mallory(good, x5u="https://127.0.0.1:1/cert"),
    "O05 crit": lambda good: _with(good, crit=["x"], x=1),
    "O05 b64": lambda good: _with(good, b64=False, crit=["b64"]),
    "O05 typ": lambda good: _with(good, typ="dpop+jwt"),
    "O05 signature of zeros": lambda good: f"{_part(good.header)}.{good.payload}.{_part(bytes(64))}",
    "O05 no signature": lambda good: f"{_part(good.header)}.{good.payload}.",
    "O05 another person": lambda good: _claiming(good, sub="somebody-else"),
    "O06 exp as text": lambda good: _claiming(good, exp="4000000000"),
    "O06 long": lambda good: f"{_part(good.header)}.{_part(b'x' * 5000)}.{good.signature}",
    "O06 deep": lambda good: f"{_part(good.header)}.{_part(b'[' * 3000)}.{good.signature}",
    "O06 no JSON": lambda good: f"{_part(b'{')}.{good.payload}.{good.signature}",
    "O06 parts": lambda good: f"{good.payload}.{good.signature}",
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OidcStand]:
    home: Path = tmp_path_factory.mktemp("forged")
    async with oidc_stand(home) as made:
        yield made


async def _genuine(stand: OidcStand, token: str) -> Genuine:
    header, payload, signature = token.split(".")
    _, jwks, _ = await stand.get("/oidc/jwks")
    read = _read(header)
    return Genuine(read, payload, signature, next(key for key in jwks["keys"] if key["kid"] == read["kid"]))


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_userinfo_believes_no_forged_token(stand: OidcStand, forge: Callable[[Genuine], str]) -> None:
    """401, and no word why; the good one beside it is taken (O14)."""
    token = (await stand.tokens())["access_token"]
    status, body = await stand.userinfo(forge(await _genuine(stand, token)))
    assert (status, body["error"]) == (401, "invalid_token")
    assert (await stand.userinfo(token))[0] == 200


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_a_forged_hint_names_nobody(stand: OidcStand, forge: Callable[[Genuine], str]) -> None:
    """O15: at the authorization endpoint; the person who is signed in is not handed out for it."""
    browser = stand.browser()
    token = (await stand.tokens(browser))["id_token"]
    forged = await browser.authorize(prompt="none", id_token_hint=forge(await _genuine(stand, token)))
    assert forged.status in {303, 400}
    assert "code" not in (forged.members if forged.location else {})
    assert "code" in (await browser.authorize(prompt="none", id_token_hint=token)).members


async def test_there_is_no_registration_for_strangers(stand: OidcStand) -> None:
    """O19: neither named nor answered."""
    _, said, _ = await stand.get("/.well-known/openid-configuration")
    assert "registration_endpoint" not in said
    for path in ("/oidc/register", "/oidc/registration", "/connect/register"):
        wanted = {"redirect_uris": ["https://evil.example/"]}
        async with stand.client.post(f"{stand.issuer}{path}", json=wanted) as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    "path", ["/oidc/../oidc/token", "/oidc/%2e%2e/oidc/token", "//oidc/token", "/oidc/token/", "/OIDC/token"]
)
async def test_an_address_is_meant_as_it_is_written(stand: OidcStand, path: str) -> None:
    """O21: nothing is resolved, folded or tidied up into an address of ours that a proxy has not seen."""
    address = URL(f"{stand.issuer}{path}", encoded=True)
    async with stand.client.post(address, data={}, allow_redirects=False) as answer:
        assert answer.status == 404


async def test_a_method_is_the_one_of_the_request(stand: OidcStand) -> None:
    """O21: no header and no field makes another one of it."""
    headers = {"X-HTTP-Method-Override": "POST", "X-HTTP-Method": "POST", "X-Method-Override": "POST"}
    async with stand.client.get(f"{stand.issuer}/oidc/token?_method=POST", headers=headers) as answer:
        assert answer.status == 405


async def test_no_other_site_shows_our_pages_in_a_frame(stand: OidcStand) -> None:
    """O20: clickjacking; the page of the sign-in, with an application's name on it."""
    page = await stand.browser().authorize()
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_two_tabs_and_the_back_button(stand: OidcStand) -> None:
    """O20: each tab has its own request; whoever goes back gets another code, and none for the other tab's request."""
    browser = stand.browser()
    first, second = await browser.authorize(state="tab-1", nonce="n-a"), await browser.authorize(state="tab-2", nonce="n-b")
    arrival = await browser.sign_in(second)
    assert arrival.members["state"] == "tab-2"
    return_to = first.page.partition('name="return_to" value="')[2].partition('"')[0]
    tab = await browser.open(return_to)
    assert tab.members["state"] == "tab-1"
    again = await browser.open(return_to)
    assert again.members["state"] == "tab-1"
    assert len({arrival.code, tab.code, again.code}) == 3


async def test_nobody_is_signed_in_with_a_session_that_somebody_else_chose(stand: OidcStand) -> None:
    """O20: cookies that were planted are worth nothing once the person has signed in: the session gets a new name."""
    planted = stand.browser()
    await stand.tokens(planted)
    victim = stand.browser()
    victim.cookies |= planted.cookies
    page = await victim.authorize(prompt="login")
    assert (await victim.sign_in(page, "ben@corp.example.com")).code
    assert victim.cookies[SESSION] != planted.cookies[SESSION]
    silent = await planted.authorize(prompt="none")
    if "code" in silent.members:
        _, tokens = await stand.redeem(silent.code)
        assert (await stand.userinfo(tokens["access_token"]))[1]["preferred_username"] != "ben@corp.example.com"
