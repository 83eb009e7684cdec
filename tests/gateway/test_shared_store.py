"""Relays on one PostgreSQL: what one node does counts on the other, and a server that is stopped keeps nobody waiting."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from certs import EnrolmentToken, MachineIdentity, Role, prove
from demo.postgres import ThrowawayPostgres
from demo.stand import free_port
from gateway.app import Relay, ServerSettings, load_keys, serving
from gateway.protocol import Outcome
from gateway.relay.agents.enrolment import EnrolmentRequest
from gateway.relay.errors import EnrolmentRefused
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt, eventually
from tests.support.visitors import Clock, browser

pytestmark = pytest.mark.postgres

ANNA = "anna@corp.example.com"


@pytest.fixture
def shared(settings: ServerSettings, postgres: ThrowawayPostgres) -> ServerSettings:
    return replace(settings, store_url=postgres.create_database())


@pytest.fixture
def second(shared: ServerSettings) -> ServerSettings:
    """Another node: the same authority and secret, an identity of its own."""
    state = shared.state_dir.with_name("relay2")
    shutil.copytree(shared.state_dir, state, ignore=shutil.ignore_patterns("identity"))
    keys = load_keys(shared, time.time())
    csr = MachineIdentity.begin(state / "identity", name="relay2")
    now = time.time()
    certificate = keys.authority.issue(csr, name="relay2", role=Role.RELAY, now=now)
    MachineIdentity.install(
        state / "identity", certificate, keys.authority.certificate_der, name="relay2", role=Role.RELAY, now=now
    )
    port = free_port()
    return replace(
        shared,
        state_dir=state,
        listen=f"127.0.0.1:{port}",
        public_url=f"https://127.0.0.1:{port}",
        metrics_listen=f"127.0.0.1:{free_port()}",
    )


@pytest.fixture
async def nodes(shared: ServerSettings, second: ServerSettings) -> AsyncIterator[tuple[Relay, Relay]]:
    async with serving(shared) as here, serving(second) as there:
        yield here, there


async def test_an_agent_that_is_revoked_at_one_node_leaves_the_other(nodes: tuple[Relay, Relay], tmp_path: Path) -> None:
    """Within two seconds, without any notice from node to node."""
    here, there = nodes
    async with agent(tmp_path, there, FakeDirectories({ANNA: "right"}), "agent1", reconnect_ceiling=0.2):
        assert (await there.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        await here.administration.revoke("agent1", "stolen", "test")
        began = time.monotonic()
        await eventually(lambda: not there.endpoint.connections, 5)
        assert time.monotonic() - began < 2


async def test_a_token_that_is_redeemed_at_both_nodes_at_once_is_good_for_one(
    nodes: tuple[Relay, Relay], tmp_path: Path
) -> None:
    """One certificate, one entry; the other node knows the agent within two seconds."""
    here, there = nodes
    token = EnrolmentToken.parse((await here.administration.create_token("agent1", "test")).text)

    async def enrol(relay: Relay, number: int) -> dict[str, str]:
        csr = MachineIdentity.begin(tmp_path / f"agent{number}", name="agent1")
        proof = prove(token.key, "enrol", csr)
        order = EnrolmentRequest(token.id, base64.b64encode(csr).decode(), base64.b64encode(proof).decode())
        return await relay.enrolment.enrol(order, "192.0.2.1")

    tries = (enrol(relay, number) for number, relay in enumerate([here, there] * 4))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, dict) for result in results) == 1
    assert {result.reason for result in results if isinstance(result, EnrolmentRefused)} == {"the token is used"}
    assert sum(isinstance(result, EnrolmentRefused) for result in results) == 7
    (record,) = await here.store.agents.all()
    entries = await there.administration.audit(limit=9, before=None, kind="agent.enrolled", subject="")
    assert len(entries) == 1
    for relay in nodes:
        await eventually(lambda relay=relay: relay.registry.status("agent1", int(record.serial, 16)) == "enrolled", 2)  # type: ignore[misc]


async def test_an_api_key_that_is_revoked_at_one_node_is_refused_by_the_other(
    nodes: tuple[Relay, Relay], tmp_path: Path
) -> None:
    """Within two seconds, although the other one has it in memory."""
    here, there = nodes
    key = await here.administration.create_api_key("crm", None, "test")
    order, headers = {"user_name": ANNA, "password": "right"}, {"Authorization": f"Bearer {key.secret}"}
    async with browser(there.settings) as get, agent(tmp_path, there, FakeDirectories({ANNA: "right"})):
        assert (await get("/api/v1/authenticate", "POST", json=order, headers=headers))[0].status == 200
        await here.administration.revoke_api_key(key.id, "test")

        async def refused() -> bool:
            return (await get("/api/v1/authenticate", "POST", json=order, headers=headers))[0].status == 401

        await eventually(refused, 2)


async def test_smart_lockout_of_both_nodes_is_one(nodes: tuple[Relay, Relay], tmp_path: Path) -> None:
    """Parallel guesses through both are no more than through one; a lock counts on both, and so does an unlock."""
    here, there = nodes
    people = FakeDirectories({ANNA: "right"})
    async with agent(tmp_path, here, people, "agent1"), agent(tmp_path, there, people, "agent2"):
        guesses = [
            nodes[number % 2].authenticator.authenticate(attempt(ANNA, f"guess{number}", correlation_id=f"c{number}"))
            for number in range(24)
        ]
        outcomes = [verdict.outcome for verdict in await asyncio.gather(*guesses)]
        assert outcomes.count(Outcome.WRONG_CREDENTIAL) == len(people.binds) == 4
        for relay in nodes:
            assert (await relay.authenticator.authenticate(attempt(ANNA, "right"))).outcome is None
            assert [view.user for view in await relay.administration.locks()] == [ANNA]
        assert await here.administration.unlock(ANNA, "test")
        assert (await there.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        assert await there.store.admission.all() == []


async def test_a_form_that_one_node_made_is_taken_by_the_other(nodes: tuple[Relay, Relay]) -> None:
    """Also after the keys were rolled at either."""
    here, there = nodes
    token = here.pages._form_token.token("cookie")
    assert there.pages._form_token.fits("cookie", token)
    await here.administration.roll_keys("test")
    await there.store.generations.look()
    assert there.pages._form_token.fits("cookie", token)
    assert here.store.keyring.valid("forms") == there.store.keyring.valid("forms")


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
