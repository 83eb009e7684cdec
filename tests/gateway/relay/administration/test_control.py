"""Orders over the control socket, and how they are refused."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from foundation.actors import this_actor
from gateway.app import Relay
from gateway.relay.administration.control import SOCKET_NAME
from tests.gateway.relay.stranger import Stranger


async def ordered(relay: Relay, act: str, order: Any) -> tuple[int, Any]:
    """Status and answer of an order over the control socket."""
    connector = aiohttp.UnixConnector(str(relay.settings.state_dir / SOCKET_NAME))
    async with aiohttp.ClientSession(connector=connector) as client:
        data = order if isinstance(order, bytes) else json.dumps(order).encode()
        async with client.post(f"http://relay/{act}", data=data) as response:
            text = await response.text()
            return response.status, json.loads(text) if response.content_type == "application/json" else text


TOKEN = {"name": "agent1", "domains": ["corp.example.com"]}
UNFIT_ORDERS: list[tuple[str, Any, str]] = [
    ("revoke", {"name": "nobody", "why": "stolen"}, "no agent 'nobody' was enrolled here"),
    ("create_token", {**TOKEN, "name": "no such/name"}, "machine name 'no such/name'"),
    ("create_token", {"name": "agent1"}, "domains"),
    ("create_token", {**TOKEN, "domains": []}, "say which domains"),
    ("create_token", {**TOKEN, "any_domain": True}, "say which domains"),
    ("create_token", {**TOKEN, "domains": ["anna@corp.example.com"]}, "is not a domain"),
    ("bind", {"domain": "two words", "directory": "9d1c"}, "is not a domain"),
    ("create_token", b"{", "line 1"),
    ("create_token", b"\xff", "utf-8"),
]


async def test_an_order_that_cannot_be_carried_out_is_told_why(stranger: Stranger) -> None:
    """As JSON, for the command line to show; and the relay goes on."""
    for act, order, words in UNFIT_ORDERS:
        status, answer = await ordered(stranger.relay, act, order)
        assert status == 400
        assert words in answer["error"]
    status, view = await ordered(stranger.relay, "create_token", TOKEN)
    assert status == 200
    assert view["name"] == "agent1"


@pytest.mark.parametrize("order", [[], None, {**TOKEN, "name": 7}, {**TOKEN, "name": None}, {**TOKEN, "domains": None}])
async def test_an_order_of_the_wrong_shape_is_told_so(stranger: Stranger, order: Any) -> None:
    """A command line of another version may send it."""
    status, answer = await ordered(stranger.relay, "create_token", order)
    assert status == 400
    assert answer["error"]


async def test_who_gives_an_order_the_kernel_says(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the order nor the environment; SUDO_UID is a claim, of root alone."""
    for name in ("LOGNAME", "USER"):
        monkeypatch.setenv(name, "ceo")
    await ordered(stranger.relay, "create_token", {**TOKEN, "actor": "admin:ceo", "sudo_uid": "1"})
    (entry,) = await stranger.relay.store.audit.entries(limit=1)
    monkeypatch.setenv("SUDO_UID", "1")
    assert entry.event.actor == f"admin:{this_actor()}"
