"""A relay whose store is a PostgreSQL server: one that is stopped keeps nobody waiting, and its clock counts."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from structlog.typing import EventDict

from demo.postgres import ThrowawayPostgres
from gateway.app import ServerSettings, serving
from gateway.protocol import Outcome
from gateway.readiness import MEASURE_EVERY
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt, eventually
from tests.support.visitors import Clock, browser, events

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
            assert (response.status, json.loads(body)["status"]) == (503, "the database does not answer")
            assert time.monotonic() - began < 5
            response, body = await get("/healthz")
            assert (response.status, json.loads(body)["status"]) == (503, "the database does not answer")
            assert (await signin).outcome is Outcome.NOT_RECORDED
            assert time.monotonic() - began < 10
        finally:
            postgres.resume()
        await eventually(lambda: ready(get, readiness), 15)
        assert (await get("/healthz"))[0].status == 200
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS


async def ready(get: object, address: str) -> bool:
    return (await get(address))[0].status == 200  # type: ignore[operator,no-any-return]


async def test_a_node_whose_clock_is_off_may_not_serve(shared: ServerSettings, logs: list[EventDict]) -> None:
    """Leases and keys of several nodes depend on it: neither healthy nor ready, until it is right again."""
    clock, healthy, ready = Clock(), "/healthz", f"http://{shared.metrics_listen}/readyz"

    async def status(address: str) -> tuple[int, str]:
        response, body = await get(address)
        return response.status, json.loads(body)["status"]

    async with serving(shared, clock=clock) as running, browser(shared) as get:
        for ahead, difference in ((1.0, ""), (5.4, "5"), (-5.4, "-5"), (0.0, "")):
            clock.ahead = ahead
            await running.readiness.measure()
            problem = f"the clock differs from the database's by {difference} s"
            assert await status(healthy) == ((503, problem) if difference else (200, "ok"))
            assert await status(ready) == (503, problem if difference else "no agent is connected")
        assert [entry["seconds"] for entry in events(logs, "clock.skewed")] == [pytest.approx(5.0, abs=0.5)]
        assert len(events(logs, "clock.agrees")) == 1


async def test_the_clock_is_looked_at_from_the_start_and_every_few_seconds(shared: ServerSettings) -> None:
    """A load balancer sends nobody to a node that starts with a wrong clock; one that is set right is noticed."""
    clock = Clock()
    clock.ahead = 9.0

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0.01 if seconds == MEASURE_EVERY else 3600)

    async with serving(shared, clock=clock, sleep=sleep), browser(shared) as get:
        assert (await get("/healthz"))[0].status == 503
        clock.ahead = 0.0
        await eventually(lambda: ready(get, "/healthz"), 5)
