"""What the tests of the commands share: a simulated farm, and the settings that reach it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adfs.health.stand import stand
from tests.adfs.simulator.simulator import ManualClock, Simulator


@pytest.fixture
def simulator() -> Simulator:
    """Two servers and a proxy, all well."""
    made = Simulator(ManualClock(time.time()))
    made.farm(nodes=2, proxies=1)
    return made


@pytest.fixture
def config(simulator: Simulator, tmp_path: Path) -> Iterator[Path]:
    """The farm's settings file, while its servers answer."""
    with stand(simulator, tmp_path) as path:
        yield path
