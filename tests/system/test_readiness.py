"""The only domain controller stops, or hangs: how soon both ends say so, and how soon they are back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator

import pytest

from demo.slapd import ThrowawaySlapd
from demo.stand import Stand
from tests.support.forwarder import Forwarder

pytestmark = [pytest.mark.system, pytest.mark.slapd, pytest.mark.long]

GONE, BACK = 15.0, 5.0
"""Seconds within which both ends say 503, and 200 again."""


@pytest.fixture(scope="module")
def slapd() -> Iterator[ThrowawaySlapd]:
    """The directory, of which only the forwarder in front of it is known."""
    with ThrowawaySlapd() as running:
        yield running


@pytest.fixture(scope="module")
def way(slapd: ThrowawaySlapd) -> Iterator[Forwarder]:
    with Forwarder("127.0.0.1", ("127.0.0.1", slapd.port)) as forwarder:
        yield forwarder


@pytest.fixture(scope="module")
def stand(slapd: ThrowawaySlapd, way: Forwarder) -> Iterator[Stand]:
    """A relay and an agent; nobody signs in, and no canary is sent."""
    directories = slapd.toml().replace(slapd.server, way.server)
    with Stand(directories, relay="[server.core]\ncanary_interval = 0\n") as running:
        running.enrol_agent("agent-1")
        running.start_agent("agent-1")
        yield running


def both_ends(stand: Stand, status: int) -> Callable[[], bool]:
    """Whether `/readyz` of relay and agent have this status."""
    relay = tomllib.loads(stand.relay_config.read_text())["server"]["metrics_listen"]
    agent = tomllib.loads(stand.agent_config("agent-1").read_text())["core"]["health_listen"]
    ends = (f"http://{relay}/readyz", f"http://{agent}/readyz")
    return lambda: all(stand.get_url(end)[0] == status for end in ends)


@pytest.mark.parametrize("how", ["stopped", "hangs"])
def test_both_ends_tell_in_time(stand: Stand, way: Forwarder, how: str) -> None:
    """Though nobody signs in; one that hangs is waited for once."""
    stand.wait_for(both_ends(stand, 200), "both ends to be ready", "agent-1")
    if how == "stopped":
        way.refuse()
    else:
        way.silent = True
    stand.wait_for(both_ends(stand, 503), "both ends to say that nobody can sign in", "agent-1", GONE)
    if how == "stopped":
        way.listen_again()
    else:
        way.silent = False
    stand.wait_for(both_ends(stand, 200), "both ends to be back", "agent-1", BACK)
