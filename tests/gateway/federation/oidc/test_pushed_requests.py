"""Pushed authorization requests (RFC 9126) over real HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.federation.oidc.pushed_requests import LIFETIME, PREFIX
from tests.gateway.federation.oidc.stand import (
    APP,
    OTHER,
    SECRET,
    AppBrowser,
    Arrival,
    OidcStand,
    authorize_parameters,
    changed,
    oidc_stand,
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, OTHER) as made:
        yield made


async def push(stand: OidcStand, **changes: Any) -> tuple[int, dict[str, Any]]:
    fields = authorize_parameters(**{"client_secret": SECRET, **changes})
    status, body, _ = await stand.post("/oidc/par", fields)
    return status, body


async def visit(browser: AppBrowser, request_uri: str, client_id: str = "app", more: str = "") -> Arrival:
    return await browser.open(f"/oidc/authorize?client_id={client_id}&request_uri={request_uri}{more}")


async def test_what_was_sent_ahead_is_answered(stand: OidcStand) -> None:
    """Section 2.2 and 4: by way of the sign-in page, with what was pushed and nothing beside it."""
    status, pushed = await push(stand)
    assert (status, pushed["expires_in"]) == (201, LIFETIME)
    assert pushed["request_uri"].startswith(PREFIX)
    browser = stand.browser()
    page = await visit(browser, pushed["request_uri"], more="&scope=groups&state=other&redirect_uri=https://evil.example/")
    arrival = await browser.sign_in(page)
    assert arrival.members["state"] == "s-1"
    status, tokens = await stand.redeem(arrival.code)
    assert (status, tokens["scope"]) == (200, "openid profile email")


async def test_it_counts_once(stand: OidcStand) -> None:
    """O08: used before, expired, another client's, invented: a page, and no redirect."""
    _, pushed = await push(stand)
    for client_id, name in (
        ("other", pushed["request_uri"]),
        ("nobody", pushed["request_uri"]),
        ("app", PREFIX + "invented"),
    ):
        page = await visit(stand.browser(), name, client_id)
        assert (page.status, page.location) == (400, "")
    browser = stand.browser()
    assert (await visit(browser, pushed["request_uri"])).status == 200
    again = await visit(browser, pushed["request_uri"])
    assert (again.status, again.location) == (400, "")


async def test_it_is_over_after_its_time(stand: OidcStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """O08: expired."""
    monkeypatch.setattr("gateway.federation.oidc.pushed_requests.LIFETIME", -1)
    _, pushed = await push(stand)
    assert (await visit(stand.browser(), pushed["request_uri"])).status == 400


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, 400, "invalid_request"),
        ({"redirect_uri": None}, 400, "invalid_request"),
        ({"request_uri": PREFIX + "x"}, 400, "request_uri_not_supported"),
        ({"request": "a.b.c"}, 400, "request_not_supported"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"code_challenge": None, "code_challenge_method": None}, 400, "invalid_request"),
        ({"code_challenge_method": "plain"}, 400, "invalid_request"),
        ({"scope": "admin"}, 400, "invalid_scope"),
        ({"resource": "https://other.example.com/"}, 400, "invalid_target"),
        ({"prompt": "none login"}, 400, "invalid_request"),
        ({"state": "x" * 9000}, 400, "invalid_request"),
        ({"state": "x" * 1_000_000}, 400, "invalid_request"),
    ],
)
async def test_it_is_checked_when_it_is_pushed(stand: OidcStand, changes: dict[str, Any], status: int, error: str) -> None:
    """O08: client authentication missing, 1 MB, and whatever the authorization endpoint would refuse (section 2.3)."""
    answered, body = await push(stand, **changes)
    assert (answered, body["error"]) == (status, error)


async def test_a_trust_may_take_nothing_else(stand: OidcStand) -> None:
    """Section 6; through the sign-in page too, and not by leaving the name out afterwards."""
    await stand.trust(changed(require_par=True))
    refused = await stand.browser().authorize()
    assert refused.members["error"] == "invalid_request"
    browser = stand.browser()
    _, pushed = await push(stand)
    arrival = await browser.sign_in(await visit(browser, pushed["request_uri"]))
    assert (await stand.redeem(arrival.code))[0] == 200
    _, again = await push(stand, prompt="login")
    arrival = await browser.sign_in(await visit(browser, again["request_uri"]))
    assert arrival.code
    assert (await browser.authorize()).members["error"] == "invalid_request"


async def test_what_the_sign_in_page_could_not_carry_is_refused_at_once(stand: OidcStand) -> None:
    """O08: signs that need no escape in a form, and three times their room in an address."""
    form = urlencode(authorize_parameters(client_secret=SECRET)) + "".join(f"&more{n}={'(' * 8000}" for n in range(6))
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    status, body, _ = await stand.post("/oidc/par", form.encode(), headers=sent)
    assert (status, body["error"]) == (400, "invalid_request")


async def test_strangers_do_not_fill_the_store(stand: OidcStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """O08: a client without authentication is anybody; pushed requests, and long ones that wait for a sign-in."""
    monkeypatch.setattr("gateway.federation.oidc.limits.KEPT_A_MINUTE", 2)
    monkeypatch.setattr("gateway.federation.transactions.KEPT_A_MINUTE", 2)
    public = changed(authentication="none", secrets=())
    await stand.trust(replace(public, id="public"))
    fields = authorize_parameters(client_id="public")
    assert [(await stand.post("/oidc/par", fields))[0] for _ in range(3)] == [201, 201, 429]
    assert (await push(stand))[0] == 201
    visits = [await stand.browser().authorize(state="x" * 3000) for _ in range(3)]
    assert ["Sign in" in visit.page for visit in visits] == [True, True, False]
    assert visits[2].members["error"] == "temporarily_unavailable"
    browser = stand.browser()
    assert (await stand.signed_in(browser)).code
    assert (await browser.authorize(state="x" * 3000)).code


async def test_nothing_of_the_clients_proof_is_kept(stand: OidcStand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret goes no further than the endpoint; nor does the address lead to the request in the database."""
    put, kept = stand.relay.store.once.put, []

    async def note(kind: str, key: str, value: bytes, **times: float) -> bool:
        kept.append((kind, key, value))
        return await put(kind, key, value, **times)

    monkeypatch.setattr(stand.relay.store.once, "put", note)
    _, pushed = await push(stand)
    ((kind, key, value),) = kept
    assert kind == "pushed request"
    assert SECRET.encode() not in value
    assert pushed["request_uri"].removeprefix(PREFIX) not in key
