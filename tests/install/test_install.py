"""The wheel and its locked packages on a bare Debian 12, without an index: as the documentation says to install them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.machine import BareMachine, bare_machine
from tests.install.packages import install

pytestmark = [pytest.mark.install, pytest.mark.long]


@pytest.fixture(scope="module")
def relay_machine(wheel: Path) -> Iterator[BareMachine]:
    with bare_machine("relay") as machine:
        install(machine, wheel, "relay")
        yield machine


@pytest.fixture(scope="module")
def agent_machine(wheel: Path) -> Iterator[BareMachine]:
    with bare_machine("agent") as machine:
        install(machine, wheel, "agent")
        yield machine


@pytest.mark.parametrize("process", ["relay", "agent"])
def test_each_process_has_all_that_it_needs(process: str, request: pytest.FixtureRequest) -> None:
    """Nothing is missing and nothing conflicts; its commands start."""
    machine: BareMachine = request.getfixturevalue(f"{process}_machine")
    machine.must("/opt/isthmus/bin/pip", "check", network=False)
    assert "Usage: isthmus" in machine.must("isthmus", "--help")
    machine.must("isthmus", process, "run", "--help")
    assert "state_dir" in machine.must("isthmus", "config", "example", process)
