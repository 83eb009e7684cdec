"""What is told about the agents of this node, and what is known of domains that nobody answers for now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.app import serving
from gateway.protocol import Outcome
from gateway.relay.agents.presence import CONFIRM, PresenceReporter
from gateway.store import StoreUnavailable
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, attempt, eventually
from tests.support.relay_and_agent import relay as running_relay

ANNA = "anna@corp.example.com"


class FakePresence:
    """Notes what is written; refuses everything while `down`."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []
        self.down = False

    async def report(self, node: str, agents: Sequence[tuple[str, Sequence[str]]], now: float) -> None:
        self._note("report", list(agents))

    async def confirm(self, node: str, now: float) -> None:
        self._note("confirm", now)

    def _note(self, what: str, about: Any) -> None:
        if self.down:
            raise StoreUnavailable("relay.db", "stopped", "start it")
        self.written.append((what, about))


class Node:
    def __init__(self, *, shared: bool = True) -> None:
        self.now, self.store, self.connections = 1000.0, FakePresence(), list[Any]()
        dispatcher: Any = SimpleNamespace(connections=self.connections)
        store: Any = self.store
        self.reporter = PresenceReporter("relay1", store, dispatcher, lambda: self.now, shared=shared)

    def connect(self, name: str, *domains: str) -> None:
        self.connections.append(SimpleNamespace(name=name, domains=domains))

    async def reports(self, seconds: int) -> list[tuple[str, Any]]:
        """What is written meanwhile."""
        self.store.written.clear()
        for _ in range(seconds):
            await self.reporter.report()
            self.now += 1
        return self.store.written


async def test_writes_are_rare() -> None:
    """When somebody came or went, and now and then that this node lives; several connections are one agent."""
    node = Node()
    assert await node.reports(5) == [("report", [])]  # what was there before this start is not true any more
    node.connect("dc1", "corp")
    node.connect("dc1", "corp", "other")
    assert await node.reports(5) == [("report", [("dc1", ("corp", "other"))])]
    assert await node.reports(60) == [("confirm", 1005 + CONFIRM + place) for place in (0, 20, 40)]
    node.connections.pop()
    assert await node.reports(5) == [("report", [("dc1", ("corp",))])]
    await node.reporter.leave()
    assert node.store.written[-1] == ("report", [])


async def test_a_clock_that_was_set_back_keeps_nobody_silent() -> None:
    """The time of the last report is ahead of it, and for others this node would be gone."""
    node = Node()
    node.connect("dc1", "corp")
    await node.reports(1)
    node.now -= 3600
    assert await node.reports(5) == [("confirm", 1000 + 1 - 3600)]


async def test_a_node_that_is_alone_need_not_say_that_it_lives() -> None:
    """Nobody reads it."""
    node = Node(shared=False)
    node.connect("dc1", "corp")
    assert await node.reports(300) == [("report", [("dc1", ("corp",))])]


async def test_what_the_store_did_not_take_is_written_again() -> None:
    """Also where it may have taken it; said in the log once, not each second."""
    node = Node()
    node.connect("dc1", "corp")
    node.store.down = True
    with capture_logs() as logs:
        assert await node.reports(5) == []
    assert [entry["event"] for entry in logs] == ["presence.not_reported"]
    node.store.down = False
    assert await node.reports(5) == [("report", [("dc1", ("corp",))])]
    node.connections.clear()
    node.store.down = True
    await node.reports(1)
    node.connect("dc1", "corp")
    node.store.down = False
    assert await node.reports(5) == [("report", [("dc1", ("corp",))])]


async def test_a_claimed_domain_is_not_handed_to_those_who_take_all_after_a_restart(tmp_path: Path) -> None:
    """Its agents are away: nobody knows whether the password is right, and whoever takes all would call it wrong."""
    rest = FakeDirectories({ANNA: "right"}, domains=("*",))
    async with running_relay(tmp_path) as running, agent(tmp_path, running, FakeDirectories({}), "corp"):
        settings = running.settings
        await eventually(running.store.presence.claimed)
    async with serving(settings) as running, agent(tmp_path, running, rest, "rest"):
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.NO_AGENT
        await running.administration.revoke("corp", "gone", "test")
        await running.store.generations.look()
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS


async def test_no_agent_waits_until_its_presence_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked at once, whatever the store does with it."""

    async def refuse(*_about: object) -> None:
        raise StoreUnavailable("relay.db", "stopped", "start it")

    async with running_relay(tmp_path) as running:
        monkeypatch.setattr(running.store.presence, "report", refuse)
        async with agent(tmp_path, running, FakeDirectories({ANNA: "right"})):
            assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
