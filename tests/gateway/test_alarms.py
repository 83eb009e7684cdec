"""Alarms: in the log, the metrics and the trail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from structlog.typing import EventDict

from gateway.alarms import ALERTS
from gateway.app import (
    Relay,
    ServerSettings,
    serving,
)
from isthmus.reference.audit import recorded_kinds
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, enrolled, eventually
from tests.support.visitors import events

ANNA = "anna@corp.example.com"


async def test_an_alarm_is_in_the_trail_the_metrics_and_the_log(
    settings: ServerSettings, tmp_path: Path, logs: list[EventDict]
) -> None:
    """Two live processes under one name."""
    people = FakeDirectories({ANNA: "right"})
    async with serving(settings) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with agent(tmp_path, running, people, state_dir=state), agent(tmp_path, running, people, state_dir=state):
            raised = len(running.endpoint.connections) - 2  # each connection of the second one
            await eventually(lambda: all_written(running, raised))
            alarms = await alarms_of(running)
            assert {(entry.kind, entry.actor, entry.subject) for entry in alarms} == {
                ("alert.agent.cloned", "relay", "agent1")
            }
            assert alarms[0].detail["agent"] == "agent1"
            assert f'isthmus_alerts_total{{event="agent.cloned"}} {len(alarms)}.0' in running.metrics_text().decode()
    assert {entry["log_level"] for entry in events(logs, "agent.cloned")} == {"critical"}


async def all_written(running: Relay, count: int) -> bool:
    return len(await alarms_of(running)) == count


async def alarms_of(running: Relay) -> list[Any]:
    return await running.administration.audit(limit=99, before=None, kind="alert.agent.cloned", subject="")


def test_every_alert_is_counted_from_the_start() -> None:
    """The list has each kind that the code raises an alarm for, and no other."""
    raised = {kind.removeprefix("alert.") for kind in recorded_kinds() if kind.startswith("alert.")}
    assert set(ALERTS) == raised


async def test_an_alarm_that_was_raised_last_is_still_written(settings: ServerSettings, tmp_path: Path) -> None:
    """A relay that stops in that moment loses none."""
    async with serving(settings) as running:
        state = await enrolled(tmp_path, running, "agent1")
        people = FakeDirectories({})
        async with agent(tmp_path, running, people, state_dir=state), agent(tmp_path, running, people, state_dir=state):
            counted = running.metrics_text().decode()
    async with serving(settings) as again:
        assert f'isthmus_alerts_total{{event="agent.cloned"}} {len(await alarms_of(again))}.0' in counted
        assert await again.administration.verify_audit() is not None
