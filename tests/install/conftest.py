"""What the tests of the installation share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install.packages import build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Isthmus itself, as it is installed."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))
