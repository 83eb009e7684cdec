"""A relay whose store is a PostgreSQL server: one that is stopped keeps nobody waiting, and its clock counts."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from demo.postgres import ThrowawayPostgres
from gateway.app import ServerSettings, serving
from gateway.protocol import Outcome
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt, eventually
from tests.support.visitors import Clock, browser

pytestmark = pytest.mark.postgres

ANNA = "anna@corp.example.com"


async def test_a_stopped_server_is_said_to_the_load_balancer(
    shared: ServerSettings, postgres: ThrowawayPostgres, tmp_path: Path
) -> None:
    """Within 5 s; sign-ins are refused in a finite time, and all goes on when it answers again."""
    readiness = f"http://{shared.metrics_listen}/readyz"
    people = FakeDirectories({ANNA: "right"})
    async with serving(shared) as running, browser(shared) as get, agent(tmp_path, running, people, "agent1"):
        assert (await get(readiness))[0].status == 200
        postgres.pause()
        try:
            began = time.monotonic()
            signin = asyncio.create_task(running.authenticator.authenticate(attempt(ANNA, "right")))
            response, body = await get(readiness)
            assert (response.status, json.loads(body)["status"]) == (503, "the store does not answer")
            assert time.monotonic() - began < 5
            assert (await get("/healthz"))[0].status == 200
            assert (await signin).outcome is Outcome.NOT_RECORDED
            assert time.monotonic() - began < 10
        finally:
            postgres.resume()
        await eventually(lambda: ready(get, readiness), 15)
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS


async def ready(get: object, address: str) -> bool:
    return (await get(address))[0].status == 200  # type: ignore[operator,no-any-return]


async def test_a_node_whose_clock_is_off_is_not_ready(shared: ServerSettings) -> None:
    """Leases and keys of several nodes depend on it."""
    clock = Clock()
    async with serving(shared, clock=clock), browser(shared) as get:
        clock.ahead = 1.0
        _, body = await get(f"http://{shared.metrics_listen}/readyz")
        assert json.loads(body)["status"] == "no agent is connected"
        clock.ahead = 5.0
        response, body = await get(f"http://{shared.metrics_listen}/readyz")
        assert (response.status, json.loads(body)["status"]) == (503, "the clock differs from the store's by 5 s")
