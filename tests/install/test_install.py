"""The wheel and its locked packages on a bare Debian 12, without an index: as the documentation says to install them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.install.machine import BareMachine

pytestmark = [pytest.mark.install, pytest.mark.long]


@pytest.mark.parametrize("process", ["relay", "agent"])
def test_each_process_has_all_that_it_needs(process: str, installed: Mapping[str, BareMachine]) -> None:
    """Nothing is missing and nothing conflicts; its commands start."""
    machine = installed[process]
    machine.must("/opt/isthmus/bin/pip", "check", network=False)
    assert "Usage: isthmus" in machine.must("isthmus", "--help")
    machine.must("isthmus", process, "run", "--help")
    assert "state_dir" in machine.must("isthmus", "config", "example", process)
