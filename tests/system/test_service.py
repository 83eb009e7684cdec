"""Relay and agent as services: readiness, reload and end as systemd sees them, on a socket of the test's own."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stand import Stand
from tests.support.notify import NotifySocket

pytestmark = pytest.mark.system

NOWHERE = '[[directories]]\nname = "corp.example.com"\nbase_dn = "DC=corp"\nservers = ["127.0.0.1:1"]\n'


class ServiceStand(Stand):
    """Its processes are told where to say how they are."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)
        self.managers = {name: NotifySocket(str(self.home / f"{name}.notify")) for name in ("relay", "agent-1")}

    def _environment(self, name: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.managers[name].address, "WATCHDOG_USEC": "60000000"}


@pytest.fixture(scope="module")
def stand() -> Iterator[ServiceStand]:
    made = ServiceStand()
    with made.managers["relay"], made.managers["agent-1"], made:
        made.enrol_agent("agent-1")
        made.start_agent("agent-1")
        yield made


def config_of(stand: Stand, name: str) -> Path:
    return stand.relay_config if name == "relay" else stand.agent_config(name)


def logged(stand: Stand, name: str, event: str) -> list[dict[str, object]]:
    found = [json.loads(line) for line in stand.log_of(name).splitlines() if line.startswith("{")]
    return [entry for entry in found if entry["event"] == event]


@pytest.mark.parametrize("name", ["relay", "agent-1"])
def test_it_is_ready_once_it_serves(stand: ServiceStand, name: str) -> None:
    """With a status to read, and then a sign of life."""
    ready = stand.managers[name].read()
    assert ready["READY"] == "1"
    assert (stand.url if name == "relay" else "agent-1") in ready["STATUS"]
    assert stand.managers[name].read() == {"WATCHDOG": "1"}


@pytest.mark.parametrize("name", ["relay", "agent-1"])
def test_sighup_reads_the_settings_anew_and_ends_nothing(stand: ServiceStand, name: str) -> None:
    """The agent stays connected; what needs a restart is named."""
    config = config_of(stand, name)
    before = config.read_text()
    change = (
        ("[server]", "[server.core]\nmax_agents = 7\n[server]") if name == "relay" else ("[core]", "[core]\ncapacity = 7")
    )
    config.write_text(before.replace(*change))
    stand.processes[name].send_signal(signal.SIGHUP)
    assert stand.managers[name].until("RELOADING")["MONOTONIC_USEC"].isdecimal()
    assert stand.managers[name].read()["READY"] == "1"
    (waiting,) = logged(stand, name, "settings.restart_needed")
    assert waiting["settings"] == ["server.core.max_agents" if name == "relay" else "core.capacity"]
    assert stand.processes[name].poll() is None
    assert stand.connected_agents() == ["agent-1"]
    config.write_text(before)


@pytest.mark.parametrize("name", ["relay", "agent-1"])
def test_wrong_settings_are_refused_and_what_was_in_use_goes_on(stand: ServiceStand, name: str) -> None:
    """With the line."""
    config = config_of(stand, name)
    before = config.read_text()
    config.write_text(f"# one more line\n{before}\n[log]\nlevel = 'loud'\n")
    stand.processes[name].send_signal(signal.SIGHUP)
    stand.managers[name].until("RELOADING")
    assert stand.managers[name].read()["READY"] == "1"
    (refused,) = logged(stand, name, "settings.refused")
    assert (refused["setting"], refused["line"]) == ("log.level", len(before.splitlines()) + 4)
    assert stand.connected_agents() == ["agent-1"]
    config.write_text(before)


@pytest.mark.parametrize("name", ["agent-1", "relay"])
def test_it_says_that_it_stops_and_drains(stand: ServiceStand, name: str) -> None:
    """Exit code 0."""
    assert stand.stop(name) == 0
    assert stand.managers[name].until("STOPPING")["STATUS"] == "Finishing requests in progress"
    assert logged(stand, name, f"{name.partition('-')[0]}.stopped")
