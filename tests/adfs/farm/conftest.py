"""A simulated farm, silent or served."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ManualClock, Simulator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(time.time())


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    return Simulator(clock)


@pytest.fixture
def network(simulator: Simulator) -> Iterator[Network]:
    simulator.farm(nodes=3, proxies=2)
    with Network(simulator) as running:
        yield running
