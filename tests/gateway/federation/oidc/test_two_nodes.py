"""The code flow where each request reaches the other node."""

from __future__ import annotations

import asyncio
import re
import secrets

import pytest

from demo.postgres import ThrowawayPostgres
from gateway.federation.oidc import limits
from gateway.federation.oidc.grant_types.device_code import DEVICE_CODE
from tests.gateway.federation.oidc.stand import (
    ANNA,
    APP,
    PASSWORD,
    SECRET,
    AppBrowser,
    Arrival,
    OidcStand,
    authorize_parameters,
    changed,
)
from tests.support.fakes import FakeDirectories
from tests.support.nodes import TwoNodes, trusting_client

pytestmark = pytest.mark.postgres


async def test_each_step_may_reach_the_other_node(two_nodes: TwoNodes) -> None:
    """Authorize, sign-in, code, userinfo, 20 refreshes at once: what one node gives the other takes, once."""
    people = FakeDirectories({ANNA: PASSWORD})
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = OidcStand(two_nodes.relays, people, two_nodes._home, client)
        await stand.trust(APP)
        for _ in range(2):  # and begun at the other node
            arrival = await stand.signed_in(stand.browser())
            status, tokens = await stand.redeem(arrival.code)
            assert status == 200
            assert (await stand.userinfo(tokens["access_token"]))[0] == 200
            answers = await asyncio.gather(*(stand.refresh(tokens["refresh_token"]) for _ in range(20)))
            assert {status for status, _ in answers} == {200}
            assert len({body["refresh_token"] for _, body in answers}) == 1
            assert (await stand.redeem(arrival.code))[1]["error"] == "invalid_grant"
            assert (await stand.userinfo(answers[0][1]["access_token"]))[0] == 401
            next(stand.turns)


async def test_a_store_that_is_gone_between_two_steps_loses_nothing(
    two_nodes: TwoNodes, postgres: ThrowawayPostgres
) -> None:
    """Between code and token, then between token and refresh: nothing is given, nothing is spent, and all goes on."""
    people = FakeDirectories({ANNA: PASSWORD})
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = OidcStand(two_nodes.relays, people, two_nodes._home, client)
        await stand.trust(APP)
        browser = stand.browser()
        arrival = await stand.signed_in(browser)
        _, tokens = await stand.redeem((await browser.authorize()).code)
        postgres.stop()
        try:
            refused = [
                await stand.redeem(arrival.code),
                await stand.refresh(tokens["refresh_token"]),
                await stand.userinfo(tokens["access_token"]),
            ]
        finally:
            postgres.start()
        assert [(status, body["error"]) for status, body in refused] == [(503, "temporarily_unavailable")] * 3
        assert (await stand.redeem(arrival.code))[0] == 200
        assert (await stand.redeem(arrival.code))[1]["error"] == "invalid_grant"
        assert (await stand.refresh(tokens["refresh_token"]))[0] == 200
        assert (await browser.open("/account")).status == 200


async def press(browser: AppBrowser, page: Arrival, path: str, **fields: str) -> Arrival:
    """A button of a page."""
    shown = dict(re.findall(r'name="(csrf|session|query|user_code)" value="([^"]*)"', page.page))
    return await browser.request("POST", path, data={**shown, **fields})


async def test_what_begins_at_one_node_goes_on_at_the_other(two_nodes: TwoNodes) -> None:
    """Pushed request, device code, revocation, logout: each step at the next node; what happens once happens once."""
    people = FakeDirectories({ANNA: PASSWORD})
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = OidcStand(two_nodes.relays, people, two_nodes._home, client)
        own = {"client_id": "app", "client_secret": SECRET}
        grants = ("authorization_code", "refresh_token", DEVICE_CODE)
        await stand.trust(changed(APP, grants=grants, post_logout_redirect_uris=("https://app.example.com/bye",)))
        for _ in range(2):  # and begun at the other node
            status, pushed, _ = await stand.post("/oidc/par", {**authorize_parameters(), **own})
            assert status == 201
            browser = stand.browser()
            page = await browser.open(f"/oidc/authorize?client_id=app&request_uri={pushed['request_uri']}")
            _, tokens = await stand.redeem((await browser.sign_in(page)).code)

            _, begun, _ = await stand.post("/oidc/device", {**own, "scope": "openid"})
            page = await press(browser, await browser.open("/device"), "/device", user_code=begun["user_code"])
            assert "connected" in (await press(browser, page, "/device/answer", answer="allow")).page
            asked = {"grant_type": DEVICE_CODE, "device_code": begun["device_code"]}
            answers = await asyncio.gather(*(stand.token(**asked) for _ in range(6)))
            assert [status for status, _ in answers].count(200) <= 1

            left = await browser.open(f"/oidc/logout?id_token_hint={tokens['id_token']}")
            assert "signed out" in left.page
            assert (await stand.userinfo(tokens["access_token"]))[0] == 401
            assert (await stand.post("/oidc/introspect", {**own, "token": tokens["access_token"]}))[1] == {"active": False}
            next(stand.turns)


async def test_a_request_that_no_address_holds_reaches_the_other_node(two_nodes: TwoNodes) -> None:
    """It is kept in the store until the person is signed in, and is the same when it is taken out on the other node."""
    people = FakeDirectories({ANNA: PASSWORD})
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = OidcStand(two_nodes.relays, people, two_nodes._home, client)
        await stand.trust(APP)
        state = secrets.token_urlsafe(1800)  # with it the address would have more characters than `transactions.LONGEST`
        for _ in range(2):
            arrival = await stand.signed_in(stand.browser(), state=state)
            assert arrival.members["state"] == state
            assert (await stand.redeem(arrival.code))[0] == 200
            next(stand.turns)


async def test_what_is_tried_at_one_node_counts_at_the_other(two_nodes: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of a client, and passwords by its grant: from node to node there is one more try than at one."""
    people = FakeDirectories({ANNA: PASSWORD})
    monkeypatch.setattr(limits, "WRONG_SECRETS", 4)
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = OidcStand(two_nodes.relays, people, two_nodes._home, client)
        await stand.trust(changed(APP, grants=("authorization_code", "password")))
        wrong = {"client_id": "nobody", "client_secret": "wrong", "token": "x"}
        assert [(await stand.post("/oidc/revoke", wrong))[0] for _ in range(7)] == [401] * 5 + [429] * 2
        tried = {"grant_type": "password", "username": ANNA, "scope": "openid"}
        for number in range(12):
            await stand.token(**tried, password=f"wrong {number}")
        asked = len(people.binds)
        answers = [(await stand.token(**tried, password=PASSWORD))[0] for _ in range(2)]
        assert (answers, len(people.binds)) == ([429, 429], asked)
