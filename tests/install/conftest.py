"""What the tests of the installation share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.install.machine import BareMachine, bare_machine
from tests.install.packages import build_wheel, install


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Isthmus itself, as it is installed."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path) -> Iterator[Mapping[str, BareMachine]]:
    """A machine for each process, with the program and nothing else: a test that changes one takes a copy."""
    with bare_machine("relay") as relay, bare_machine("agent") as agent:
        install(relay, wheel, "relay")
        install(agent, wheel, "agent")
        yield {"relay": relay, "agent": agent}
