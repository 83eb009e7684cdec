"""Passwords that an application brings (RFC 6749 section 4.3), and limits of clients and addresses, over real HTTPS."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.federation.oidc import limits
from gateway.federation.trusts import TrustAccess
from gateway.protocol import Outcome
from gateway.relay import RelayAuthenticator, Verdict
from tests.gateway.federation.oidc.stand import ANNA, BEN, OTHER, PASSWORD, SECRET, OidcStand, changed, in_thread, oidc_stand

OLD = changed(grants=("authorization_code", "password", "refresh_token"))
PAGE = changed(
    replace(OTHER, id="page"), application="browser", authentication="none", secrets=(), origins=("https://spa.example.com",)
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, OLD, OTHER, PAGE) as made:
        yield made


async def sign_in(stand: OidcStand, **fields: Any) -> tuple[int, dict[str, Any]]:
    given = {"grant_type": "password", "username": ANNA, "password": PASSWORD, "scope": "openid email"}
    return await stand.token(**{**given, **fields})


async def test_an_application_brings_a_password(stand: OidcStand) -> None:
    """Section 4.3.3: tokens of the person, without a session; the trail says by which application."""
    status, tokens = await sign_in(stand)
    assert (status, tokens["scope"]) == (200, "openid email")
    assert (await stand.userinfo(tokens["access_token"]))[0] == 200
    assert (await stand.refresh(tokens["refresh_token"]))[0] == 200
    (entry,) = await stand.relay.store.audit.entries(kind="signin")
    assert (entry.event.via, entry.event.outcome) == ("oidc:app", "success")
    assert PASSWORD not in str(entry.event.detail)


async def test_a_client_that_nobody_here_wrote_brings_one(stand: OidcStand) -> None:
    """Authlib's fetch_token with username and password."""
    with stand.authlib() as client:
        token = await in_thread(
            client.fetch_token, f"{stand.issuer}/oidc/token", username=ANNA, password=PASSWORD, grant_type="password"
        )
    assert token["access_token"]


async def test_every_refusal_looks_the_same(stand: OidcStand) -> None:
    """Wrong password, nobody's name, no access: one answer; only the switch of the trust lets anybody try."""
    told = [await sign_in(stand, password="wrong"), await sign_in(stand, username="nobody@corp.example.com")]
    await stand.trust(replace(OLD, access=TrustAccess(test_users=(BEN,))))
    told.append(await sign_in(stand))
    assert told[0] == (400, {"error": "invalid_grant", "error_description": told[0][1]["error_description"]})
    assert told.count(told[0]) == 3
    await stand.trust(changed())
    assert (await sign_in(stand))[1]["error"] == "unauthorized_client"


@pytest.mark.parametrize(
    "fields",
    [
        {"username": None},
        {"password": None},
        {"username": " "},
        {"username": "x" * 257},
        {"username": "an\x9b31mna@corp.example.com"},
        {"username": "an\nna@corp.example.com"},
        {"password": "x" * 1025},
        {"password": "ri\tght"},
    ],
)
async def test_what_no_directory_is_asked(stand: OidcStand, fields: dict[str, Any]) -> None:
    """Missing, blank, too long, with control characters: as on the page."""
    assert (await sign_in(stand, **fields))[1]["error"] == "invalid_request"
    assert not await stand.relay.store.audit.entries(kind="signin")


async def test_guesses_are_locked_out_as_on_the_page(stand: OidcStand) -> None:
    """Same admission: after its threshold the right password is not tried either."""
    threshold = stand.relay.settings.admission.threshold
    for number in range(threshold):
        assert (await sign_in(stand, password=f"wrong {number}"))[0] == 400
    status, body, headers = await stand.post(
        "/oidc/token",
        {
            "client_id": "app",
            "client_secret": "a-secret-of-256-random-bits",
            "grant_type": "password",
            "username": ANNA,
            "password": PASSWORD,
            "scope": "openid",
        },
    )
    assert (status, body["error"]) == (429, "temporarily_unavailable")
    assert int(headers["Retry-After"]) > 0


async def test_an_outage_refuses_nobodys_password(stand: OidcStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """No agent: temporarily_unavailable, as everywhere."""

    async def nobody(*_: Any) -> Verdict:
        return Verdict(outcome=Outcome.NO_AGENT)

    monkeypatch.setattr(RelayAuthenticator, "authenticate", nobody)
    status, body = await sign_in(stand)
    assert (status, body["error"]) == (503, "temporarily_unavailable")


async def test_a_client_sends_no_more_than_it_may(stand: OidcStand) -> None:
    """By client at endpoints that servers ask, however right its secret is; another client is not held up."""
    object.__setattr__(stand.relay.settings.federation, "client_rate", 3)
    answers = [await stand.post("/oidc/introspect", _own("app")) for _ in range(4)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429]
    assert int(answers[-1][2]["Retry-After"]) > 0
    assert (await stand.post("/oidc/revoke", _own("other")))[0] == 200


async def test_secrets_are_not_tried_out(stand: OidcStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few a minute, then the right one is not looked at either; of clients that there are and others alike."""
    monkeypatch.setattr(limits, "WRONG_SECRETS", 3)
    for client in ("app", "nobody"):
        wrong = {"client_id": client, "client_secret": "wrong", "token": "x"}
        answers = [await stand.post("/oidc/introspect", wrong) for _ in range(4)]
        assert [status for status, _, _ in answers] == [401, 401, 401, 429]
        assert int(answers[-1][2]["Retry-After"]) > 0
    assert (await stand.post("/oidc/revoke", _own("app")))[0] == 429
    for most, status in ((6, 429), (7, 200), (6, 200)):  # at the end it is known at that address, and heard
        monkeypatch.setattr(limits, "WRONG_SECRETS_OF_ADDRESS", most)
        assert (await stand.post("/oidc/revoke", _own("other")))[0] == status


async def test_another_way_to_prove_itself_is_no_guess(stand: OidcStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that find out by trying whether it is Basic or the form (Go's oauth2) bring the right secret."""
    monkeypatch.setattr(limits, "WRONG_SECRETS", 1)
    basic = {"Authorization": f"Basic {base64.b64encode(f'app:{SECRET}'.encode()).decode()}"}
    for _ in range(3):
        assert (await stand.post("/oidc/revoke", {"token": "x"}, headers=basic))[0] == 401
    assert (await stand.post("/oidc/revoke", _own("app")))[0] == 200


async def test_an_address_sends_no_more_than_it_may(stand: OidcStand) -> None:
    """By address at every endpoint, before anything is read: people get a page in their language, servers and scripts JSON,
    with the time to wait in both. The sign-in is not held up."""
    object.__setattr__(stand.relay.settings.federation, "address_rate", 3)
    answers = [(await stand.post("/oidc/token", {"client_id": "nobody"}))[0] for _ in range(3)]
    assert set(answers) == {401}
    for path in ("/oidc/token", "/oidc/par", "/oidc/revoke", "/oidc/introspect", "/oidc/device", "/oidc/userinfo"):
        assert (await stand.post(path, {"client_id": "nobody"}))[0] == 429
    own_origin = {"Origin": "https://spa.example.com"}
    _, body, headers = await stand.post("/oidc/token", {"client_id": "nobody"}, headers=own_origin)
    assert (body["error"], headers["Access-Control-Allow-Origin"]) == ("temporarily_unavailable", own_origin["Origin"])
    assert "Retry-After" in headers["Access-Control-Expose-Headers"]
    for path in ("/oidc/authorize", "/oidc/logout", "/device"):
        shown = await stand.browser().open(path, headers={"Accept-Language": "fr"})
        assert (shown.status, shown.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
        assert int(shown.headers["Retry-After"]) > 0
        assert "Trop de tentatives" in shown.page
    for path in ("/oidc/consent", "/oidc/logout/answer", "/device/answer"):
        assert "Too many attempts" in (await stand.browser().request("POST", path)).page
    assert (await stand.browser().open("/signin")).status == 200


def _own(client: str) -> dict[str, str]:
    return {"client_id": client, "client_secret": "a-secret-of-256-random-bits", "token": "x"}
