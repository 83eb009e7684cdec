"""What is done beside requests, and what of it fails."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.typing import EventDict

from gateway.app import (
    ServerSettings,
    serving,
)
from gateway.housekeeping import Housekeeping
from gateway.protocol import Outcome
from gateway.relay import AgentEndpoint
from gateway.store import StoreUnavailable
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt, eventually
from tests.support.visitors import Clock, events

ANNA = "anna@corp.example.com"
DAY = 86400.0


def broken(words: str) -> Callable[..., Any]:
    async def fail(*_args: Any, **_kinds: Any) -> Any:
        raise StoreUnavailable("relay.db", words, "make room")

    return fail


async def test_housekeeping_that_fails_is_logged_and_the_relay_goes_on(
    settings: ServerSettings, tmp_path: Path, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is tried again."""
    people = FakeDirectories({ANNA: "right"})
    async with serving(settings) as running, agent(tmp_path, running, people):
        with monkeypatch.context() as patch:
            patch.setattr(running.store.sessions, "purge", broken("database or disk is full"))
            for _ in range(2):
                await running.housekeeping.tidy()
        assert len(events(logs, "housekeeping.failed")) == 2
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        await running.housekeeping.tidy()
    assert len(events(logs, "housekeeping.failed")) == 2
    assert events(logs, "audit.head")


async def test_a_trail_that_went_back_is_an_alarm_at_the_start_and_while_the_relay_runs(
    settings: ServerSettings, logs: list[EventDict]
) -> None:
    """In the log, in the metrics, and in the trail; what the relay wrote before it stopped is noted then."""
    database = settings.state_dir / "relay.db"
    async with serving(settings) as running:
        await running.administration.create_token("dc1", "admin:test", any_domain=True)
        assert events(logs, "audit.rolled_back") == []
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    older = database.read_bytes()
    async with serving(settings) as running:
        await running.administration.create_token("dc2", "admin:test", any_domain=True)
        assert events(logs, "audit.rolled_back") == []
    database.write_bytes(older)
    async with serving(settings) as running:
        (alarm,) = events(logs, "audit.rolled_back")
        assert (alarm["log_level"], alarm["found"]) == ("critical", "now gone")
        assert 'isthmus_alerts_total{event="audit.rolled_back"} 1.0' in running.metrics_text().decode()
        await eventually(lambda: running.store.audit.written)
        (entry,) = await running.store.audit.entries(kind="alert.audit.rolled_back")
        assert entry.event.detail["noted"] == alarm["noted"]
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(
                "DELETE FROM audit_register; DELETE FROM audit_chains; DELETE FROM audit_entries; DELETE FROM audit_events"
            )
        await running.housekeeping.tidy()
        assert len(events(logs, "audit.rolled_back")) > 1


async def test_the_relays_certificate_is_renewed_whatever_the_store_says(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that cannot be written must not end in a relay that no agent believes."""
    clock = Clock()
    async with serving(settings, clock=clock) as running:
        before = running.endpoint.identity.certificate_der
        monkeypatch.setattr(running.store.sessions, "purge", broken("database or disk is full"))
        clock.ahead = 25 * DAY
        await running.housekeeping.tidy()
        assert running.endpoint.identity.certificate_der != before


async def test_an_agent_that_is_away_was_seen_when_it_was_there_last(settings: ServerSettings, tmp_path: Path) -> None:
    """Not when it connected; known after a crash too, to the minute."""
    clock = Clock()
    async with serving(settings, clock=clock) as running:

        async def seen() -> float:
            await running.housekeeping.tidy()
            (record,) = await running.store.agents.all()
            return record.seen_at or 0.0

        async with agent(tmp_path, running, FakeDirectories({}), "agent1"):
            connected = clock()
            clock.ahead = 20.0
            assert await seen() >= connected + 20.0
            clock.ahead = 25.0
        await eventually(lambda: not running.endpoint.connections)
        left = clock()
        clock.ahead = 3600.0
        assert connected + 25.0 <= await seen() <= left
        (view,) = await running.administration.agents()
        assert view.seen_at == await seen()


async def fast(seconds: float) -> None:
    """A second takes five milliseconds."""
    await asyncio.sleep(seconds / 200)


async def test_the_books_are_looked_after_once_a_minute(settings: ServerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the sessions every second."""
    ticks, tidied, tick = 0, asyncio.Event(), AgentEndpoint.tick

    def count(endpoint: AgentEndpoint) -> None:
        nonlocal ticks
        ticks += 1
        tick(endpoint)

    async def note(_housekeeping: Housekeeping) -> None:
        tidied.set()

    monkeypatch.setattr(AgentEndpoint, "tick", count)
    monkeypatch.setattr(Housekeeping, "tidy", note)
    async with serving(replace(settings, metrics_listen=""), sleep=fast):
        async with asyncio.timeout(10):
            await tidied.wait()
    assert 59 <= ticks <= 61


async def test_one_session_that_fails_does_not_stop_the_clock_for_all(
    settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it nobody is pinged and no silent agent is given up."""
    ticks = 0

    def fail(_endpoint: AgentEndpoint) -> None:
        nonlocal ticks
        ticks += 1
        raise RuntimeError("a defect")

    monkeypatch.setattr(AgentEndpoint, "tick", fail)
    async with serving(replace(settings, metrics_listen=""), sleep=fast):
        await eventually(lambda: ticks >= 3)


async def test_a_minutes_jobs_are_done_in_the_order_in_which_they_were_registered(logs: list[EventDict]) -> None:
    """One that fails is logged by name and keeps no other one from being done."""
    housekeeping, done = Housekeeping(), list[str]()

    async def note(name: str) -> None:
        done.append(name)
        if name == "second":
            raise RuntimeError("a defect")

    for name in ("first", "second", "third"):
        housekeeping.every_minute(name, functools.partial(note, name))
    await housekeeping.tidy()
    assert done == ["first", "second", "third"]
    assert [entry["duty"] for entry in events(logs, "housekeeping.failed")] == ["second"]


async def test_a_job_that_fails_as_is_expected_is_one_line_of_the_log(logs: list[EventDict]) -> None:
    """Once a minute for each job, while the database does not answer: a traceback would bury what matters."""
    housekeeping = Housekeeping(expected=(TimeoutError,))

    async def fail(error: Exception) -> None:
        raise error

    housekeeping.every_minute("slow", functools.partial(fail, TimeoutError("no answer")))
    housekeeping.every_minute("broken", functools.partial(fail, RuntimeError("a defect")))
    await housekeeping.tidy()
    slow, broken = events(logs, "housekeeping.failed")
    assert (slow["duty"], slow["error"], slow.get("exc_info")) == ("slow", "no answer", None)
    assert (broken["duty"], broken["exc_info"]) == ("broken", True)


async def test_a_relay_expects_its_database_to_fail(settings: ServerSettings, logs: list[EventDict]) -> None:
    """What the store could not do is no defect of the job."""
    async with serving(replace(settings, metrics_listen="")) as running:

        async def fail() -> None:
            raise StoreUnavailable("relay.db", "no answer", "see whether its server runs")

        running.housekeeping.every_minute("writes", fail)
        await running.housekeeping.tidy()
    (entry,) = events(logs, "housekeeping.failed")
    assert (entry["duty"], entry.get("exc_info")) == ("writes", None)


async def test_time_passes_for_all_even_if_one_fails(logs: list[EventDict]) -> None:
    """Each of those who are told every second."""
    housekeeping, ticks = Housekeeping(), list[str]()

    def fail() -> None:
        raise RuntimeError("a defect")

    housekeeping.every_second(fail)
    housekeeping.every_second(lambda: ticks.append("second"))
    housekeeping.tick()
    assert ticks == ["second"]
    assert len(events(logs, "tick.failed")) == 1


async def test_what_runs_beside_ends_with_the_block(logs: list[EventDict]) -> None:
    """Whatever it is doing, and even if another loop has failed meanwhile, which is logged."""
    housekeeping, ended = Housekeeping(), asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        raise RuntimeError("a defect")

    housekeeping.beside("waits", wait)
    housekeeping.beside("fails", fail)
    async with housekeeping.running():
        await eventually(lambda: {"waits", "relay-ticker"} <= {task.get_name() for task in asyncio.all_tasks()})
        await asyncio.sleep(0)
    assert ended.is_set()
    assert [entry["duty"] for entry in events(logs, "housekeeping.failed")] == ["fails"]
    assert not {"waits", "relay-ticker", "fails"} & {task.get_name() for task in asyncio.all_tasks()}
