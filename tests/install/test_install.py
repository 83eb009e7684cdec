"""The wheel and its locked packages on a bare Debian 12, without an index: as the documentation says to install them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.machine import BareMachine, bare_machine
from tests.install.packages import downloaded

pytestmark = [pytest.mark.install, pytest.mark.long]


def install(machine: BareMachine, wheel: Path, process: str) -> None:
    """As the documentation says, with the packages beside it instead of an index, and no network at all."""
    carried = machine.path("/root/packages")
    carried.mkdir()
    for path in (*downloaded(process).iterdir(), wheel):
        (carried / path.name).write_bytes(path.read_bytes())
    machine.must("python3", "-m", "venv", "/opt/isthmus")
    pip = ("/opt/isthmus/bin/pip", "install", "--quiet", "--no-index")
    locked = ("--require-hashes", "--find-links", "/root/packages", "--requirement", f"/root/packages/{process}.txt")
    machine.must(*pip, *locked, network=False)
    machine.must(*pip, "--no-deps", f"/root/packages/{wheel.name}", network=False)
    machine.must("ln", "-s", "/opt/isthmus/bin/isthmus", "/usr/local/bin/isthmus")


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
