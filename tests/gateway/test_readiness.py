"""Whether the relay can serve, and what it answers where its store takes no writes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.typing import EventDict

from gateway.app import (
    ServerSettings,
    serving,
)
from gateway.protocol import Outcome
from gateway.readiness import nobody_can_sign_in, skew
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt, eventually
from tests.support.visitors import browser

ANNA = "anna@corp.example.com"


async def test_health_is_the_process_and_readiness_is_an_agent(settings: ServerSettings, tmp_path: Path) -> None:
    """Without an agent nobody can sign in: a load balancer should look elsewhere."""
    people, operator = FakeDirectories({ANNA: "right"}), f"http://{settings.metrics_listen}"
    async with serving(settings) as running, browser(settings) as get:
        for address in ("/healthz", operator + "/healthz"):
            response, body = await get(address)
            assert (response.status, json.loads(body)) == (200, {"status": "ok"})
        response, body = await get(operator + "/readyz")
        assert (response.status, json.loads(body)) == (503, {"status": "no agent is connected", "agents": [], "domains": {}})
        async with agent(tmp_path, running, people, "agent1"):
            response, body = await get(operator + "/readyz")
            domains = {"corp": "ready", "corp.example.com": "ready"}
            assert (response.status, json.loads(body)) == (
                200,
                {"status": "ready", "agents": ["agent1"], "domains": domains},
            )
            for connection in running.endpoint.connections:
                connection.session.drain()
            response, _ = await get(operator + "/readyz")
            assert response.status == 503


async def test_readiness_is_a_directory_as_well(settings: ServerSettings, tmp_path: Path, logs: list[EventDict]) -> None:
    """An agent without a domain controller serves nobody, and says so at once; a load balancer has no part in it."""
    people, operator = FakeDirectories({ANNA: "right"}), f"http://{settings.metrics_listen}"

    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, people, "agent1"):

        async def readyz() -> tuple[int, str, str]:
            response, body = await get(operator + "/readyz")
            found = json.loads(body)
            return response.status, found["status"], found["domains"]["corp.example.com"]

        async def is_ready() -> bool:
            return (await readyz())[0] == 200

        async def is_gone() -> bool:
            return not await is_ready()

        def metric() -> str:
            lines, wanted = running.metrics_text().decode().splitlines(), 'isthmus_domain_ready{domain="corp.example.com"} '
            (value,) = (line.removeprefix(wanted) for line in lines if line.startswith(wanted))
            return value

        await eventually(is_ready)
        running.readiness.note_domains()
        people.become("no_controller")
        await eventually(is_gone)
        assert await readyz() == (503, "no domain controller answers", "no_controller")
        assert metric() == "0.0"
        assert (await get("/healthz"))[0].status == 200
        running.readiness.note_domains()
        people.become("ready")
        await eventually(is_ready)
        assert metric() == "1.0"
        running.readiness.note_domains()
        running.readiness.note_domains()
    told = [(entry["event"], entry["domain"]) for entry in logs if entry["event"].startswith("domain.")]
    assert [event for event, domain in told if domain == "corp"] == ["domain.ready", "domain.unavailable", "domain.ready"]


async def test_an_agent_that_changes_its_mind_all_the_time_fills_no_log(
    settings: ServerSettings, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two reports a second, of up to 1,000 domains. What it has come to is logged in the end."""
    now, said = [1_800_000_000.0], ["ready"]
    async with serving(settings, clock=lambda: now[0]) as running:
        monkeypatch.setattr(running.dispatcher, "conditions", lambda: {"north": said[0]})
        for second in range(1000):
            said[0], now[0] = ("ready", "moved")[second % 2], now[0] + 1
            running.readiness.note_domains()
        told = [entry["event"] for entry in logs if entry["event"].startswith("domain.")]
        assert (len(told), told[-1]) == (20, "domain.unavailable")
        said[0], now[0] = "ready", now[0] + 600
        running.readiness.note_domains()
    assert [entry["event"] for entry in logs if entry["event"].startswith("domain.")][20:] == ["domain.ready"]


@pytest.mark.parametrize(
    ("agents", "conditions", "obstacle"),
    [
        ([], {}, "no agent is connected"),
        ([], {"north": "no_agent"}, "no agent is connected"),
        (["a"], {"north": "ready"}, ""),
        (["a"], {"north": "ready", "south": "no_controller"}, ""),
        (["a"], {"north": "no_controller", "south": "no_agent"}, "no domain controller answers"),
        (
            ["a"],
            {"north": "no_controller", "south": "service_account"},
            "no domain controller answers; the directory refuses the agent's service account",
        ),
        (["a"], {"north": "moved"}, "moved"),
        (["a"], {}, "no agent may answer for any domain"),
        (["a"], {"north": "no_agent"}, "no agent may answer for any domain"),
    ],
)
def test_somebody_can_sign_in_where_one_domain_is_ready(
    agents: list[str], conditions: dict[str, str], obstacle: str
) -> None:
    """What is wrong with the others is told beside it, and by the metric of each domain."""
    assert nobody_can_sign_in(agents, conditions) == obstacle


async def test_a_relay_that_stops_is_taken_out_before_it_is_gone(settings: ServerSettings, tmp_path: Path) -> None:
    """A load balancer sees it while the last sign-ins are finished; so does a monitor."""
    people = FakeDirectories({ANNA: "right"})
    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, people, "agent1"):
        await running.endpoint.drain(0.0)
        for address in ("/healthz", f"http://{settings.metrics_listen}/readyz"):
            response, body = await get(address)
            assert (response.status, json.loads(body)["status"]) == (503, "draining")


@pytest.mark.parametrize(
    ("elsewhere", "expected"),
    [(100.0, 0.0), (103.0, 0.0), (101.7, 0.0), (97.0, 3.0), (103.5, -0.5)],
)
def test_a_slow_answer_is_no_wrong_clock(elsewhere: float, expected: float) -> None:
    """Asked at 100, answered at 103: only what lies outside is a difference, ahead or behind."""
    assert skew(100.0, elsewhere, 103.0) == expected


@contextlib.contextmanager
def locked(settings: ServerSettings) -> Iterator[None]:
    """Another process writes to the relay's database, and does not end."""
    other = sqlite3.connect(settings.state_dir / "relay.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store waits a twentieth of a second for others."""
    monkeypatch.setattr("gateway.store.database.BUSY_TIMEOUT", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_sign_in_that_cannot_be_recorded_is_not_given(settings: ServerSettings, tmp_path: Path) -> None:
    """503 and why, counted as such; not ready until something can be written again, which needs no sign-in."""
    people, readiness = FakeDirectories({ANNA: "right"}), f"http://{settings.metrics_listen}/readyz"
    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, people, "agent1"):
        key = (await running.administration.create_api_key("crm", None, "test")).secret
        order, headers = {"user_name": ANNA, "password": "right"}, {"Authorization": f"Bearer {key}"}
        await running.administration.bind("corp.example.com", "9d1c", "test")
        with locked(settings):
            assert (await get(readiness))[0].status == 200  # nobody has noticed yet
            response, body = await get("/api/v1/authenticate", "POST", json=order, headers=headers)
            assert (response.status, json.loads(body)["detail"]) == (503, "not_recorded")
            response, body = await get(readiness)
            assert (response.status, json.loads(body)["status"]) == (503, "the database refuses writes")
            response, body = await get("/healthz")
            assert (response.status, json.loads(body)["status"]) == (503, "the database refuses writes")
        response, body = await get(readiness)
        assert (response.status, json.loads(body)["status"]) == (200, "ready")
        response, body = await get("/api/v1/authenticate", "POST", json=order, headers=headers)
        assert (response.status, json.loads(body)["outcome"]) == (200, "success")
        lines = running.metrics_text().decode().splitlines()
        assert 'isthmus_signin_total{kind="signin",outcome="not_recorded"} 1.0' in lines
        assert 'isthmus_signin_total{kind="signin",outcome="success"} 1.0' in lines
        assert "isthmus_pta_errors_total 1.0" in lines
        trail = await running.administration.audit(limit=2, before=None, kind="", subject="")
        assert [entry.kind for entry in trail] == ["signin", "audit.resumed"]


@pytest.mark.usefixtures("impatient")
async def test_a_store_that_refuses_writes_is_noticed_without_a_sign_in(settings: ServerSettings, tmp_path: Path) -> None:
    """Once a minute it is written who is connected."""
    readiness = f"http://{settings.metrics_listen}/readyz"
    async with serving(settings) as running, browser(settings) as get, agent(tmp_path, running, FakeDirectories({})):
        with locked(settings):
            await running.housekeeping.tidy()
            assert (await get(readiness))[0].status == 503
        assert (await get(readiness))[0].status == 200


@pytest.mark.usefixtures("impatient")
async def test_what_has_happened_is_told_recorded_or_not(settings: ServerSettings, tmp_path: Path) -> None:
    """A changed password is a changed password, a lockout is a lockout; whether another one is right is not told."""
    people = FakeDirectories({ANNA: "right"})
    patient = replace(settings, admission=replace(settings.admission, threshold=1))
    async with serving(patient) as running, agent(tmp_path, running, people):
        check = running.authenticator
        assert (await check.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS  # the domain is bound
        with locked(settings):
            assert (await check.change_password(attempt(ANNA, "right"), "new and long")).outcome is Outcome.SUCCESS
            assert people.people[ANNA] == "new and long"
            for password in ("new and long", "wrong"):
                verdict = await check.authenticate(attempt(ANNA, password))
                assert (verdict.outcome, verdict.identity, verdict.password_proven) == (Outcome.NOT_RECORDED, None, False)
            refused = await check.authenticate(attempt(ANNA, "another"))
            assert refused.outcome is None
            assert refused.retry_after > 0
