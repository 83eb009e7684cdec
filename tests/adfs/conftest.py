"""Everything below belongs to the group `adfs`: simulated farms, and what is tested on them."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that they can be run alone."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker("adfs")
