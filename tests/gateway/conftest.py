"""A relay that was set up, and what is logged."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from structlog.typing import EventDict

from demo.postgres import ThrowawayPostgres
from demo.stand import free_port
from gateway.app import ServerSettings, init, serving
from tests.support.nodes import TwoNodes, second_node
from tests.support.relay_and_agent import server_settings


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    """Settings of a relay that was set up; it listens for its operator too."""
    made = replace(server_settings(tmp_path), metrics_listen=f"127.0.0.1:{free_port()}")
    init(made, name="relay1", now=time.time())
    return made


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@pytest.fixture
def shared(settings: ServerSettings, postgres: ThrowawayPostgres) -> ServerSettings:
    """The same relay on PostgreSQL."""
    return replace(settings, store_url=postgres.create_database())


@pytest.fixture
async def two_nodes(shared: ServerSettings, tmp_path: Path) -> AsyncIterator[TwoNodes]:
    """Two relays on one PostgreSQL. Whatever takes two requests in a row is tested here: each goes to the other node."""
    async with serving(shared) as here, serving(second_node(shared)) as there:
        yield TwoNodes(here, there, tmp_path)
