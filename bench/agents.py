"""A crowd of agents in one process: enrolled, connected, idle. Run by the benchmark as a process of its own.

usage: python -m bench.agents HOME CA_FILE AGENTS CONNECTIONS < TOKENS (one a line); prints `ready`, ends with its input.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from pathlib import Path

import structlog

import directory
from gateway.agent import Agent, AgentCoreSettings, enrol


class NoDirectories:
    """What an idle agent asks: nothing."""

    domains = ("bench.invalid",)
    """Nobody is sent here."""

    async def verify(self, *_: object, **__: object) -> directory.CheckResult:
        """Never asked."""
        return directory.CheckResult(directory.CheckOutcome.NO_DIRECTORY)

    change_password = verify

    async def look_up(self, *_: object, **__: object) -> directory.FoundPerson | None:
        """Never asked."""
        return None

    def health(self) -> list[directory.ControllerHealth]:
        """No domain controllers."""
        return []

    def readiness(self) -> list[directory.DirectoryReadiness]:
        """No directories."""
        return []

    async def watch(self, _on_change: object) -> None:
        """Nothing to look at."""


async def main(home: Path, ca_file: Path, connections: int, tokens: list[str]) -> None:
    """Enrol, connect, wait for the end of the input."""
    settings = AgentCoreSettings(tls_ca_file=ca_file, proxy="none", connections=connections, status_interval=3600.0)
    agents = []
    for number, token in enumerate(tokens):
        await enrol(settings, home / str(number), token, time.time())
        agents.append(Agent(settings, home / str(number), NoDirectories(), software="bench"))
    running = [asyncio.create_task(agent.run()) for agent in agents]
    while sum(sum(agent.state.connected.values()) for agent in agents) < connections * len(agents):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    given = [sys.stdin.readline().strip() for _ in range(int(sys.argv[3]))]
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[4]), given))
