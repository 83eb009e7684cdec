"""The code flow where each request reaches the other node."""

from __future__ import annotations

import asyncio

import pytest

from tests.gateway.federation.oidc.stand import ANNA, APP, PASSWORD, OidcStand
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
