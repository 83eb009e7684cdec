"""A crowd of agents at a relay, for what they cost it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from demo.stand import Stand
from gateway.administrator import Administrator
from isthmus.relay_settings import RelaySettings
from settings import load_settings

FROM_ONE_ADDRESS = """
connections_per_address = 10000
[server.admission]
address_enrolments = 10000
address_rate = 100000
"""
"""TOML of a relay's `[server]`, for many agents and users that are on this machine."""


@contextmanager
def crowd(stand: Stand, agents: int, connections: int) -> Iterator[None]:
    """They are connected, and idle, for as long as the block lasts. connections: of each. Raises RuntimeError."""
    tokens = asyncio.run(_create_tokens(stand, agents))
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "bench.agents", home, str(stand.ca_file), str(agents), str(connections)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None  # noqa: S101
            assert process.stdout is not None  # noqa: S101
            process.stdin.write("\n".join(tokens) + "\n")
            process.stdin.flush()
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("the agents did not connect")
            yield
            process.stdin.close()


async def _create_tokens(stand: Stand, count: int) -> list[str]:
    """Enrolment tokens, from the running relay."""
    admin = Administrator(load_settings(stand.relay_config, RelaySettings).server)
    return [(await admin.create_token(f"crowd-{number}", ["bench.invalid"])).text for number in range(count)]
