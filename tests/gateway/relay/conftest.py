"""A relay to connect to."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from gateway.app import init, serving
from tests.gateway.relay.stranger import Stranger
from tests.support.relay_and_agent import server_settings
from tests.support.visitors import Clock


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[Stranger]:
    settings, clock = server_settings(tmp_path, max_agents=3), Clock()
    init(settings, name="relay1", now=time.time())
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(tmp_path / "tls" / "ca.pem")))
    async with serving(settings, clock=clock) as running, aiohttp.ClientSession(connector=connector) as client:
        yield Stranger(running, client, clock)
