"""A state for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.state import SyncState
from tests.sync.state.support import new_state


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SyncState]:
    """An empty one, with the lease."""
    made = new_state(tmp_path / "state.db")
    yield made
    made.close()
