"""The agent process: directories, agent, health endpoint; and its end in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

import directory
from foundation.process_metrics import register_process
from gateway.agent import ROUTE_SETTINGS, Agent, HealthServer, steady_clock
from isthmus import logging
from isthmus.agent_settings import AgentSettings
from isthmus.live_settings import LiveSettings
from isthmus.process import ServiceProcess

log = structlog.get_logger()

LOOKUP_OUTCOMES = (*(status.value for status in directory.AccountStatus), "not_mine", "limit", "failed")
"""See `gateway.agent.lookups`."""
RELOADED = ("log.level", *(f"core.{key}" for key in ROUTE_SETTINGS))
"""Settings that a reload takes; all others need a restart."""


async def serve(settings: AgentSettings, file: Path, process: ServiceProcess, *, software: str, level: str = "") -> None:
    """Run an agent until it is told to stop, then drain. Raises AgentError, CertsError, DirectoryError.

    file: where the settings are from. level: of the log, whatever they say; empty: as they say.
    """

    async def take(read: AgentSettings) -> Sequence[str]:
        await agent.reload(read.core)
        logging.use_level(level or read.log.level)
        return RELOADED

    clock = steady_clock()
    directories = directory.Directories(settings.directories, clock=clock)
    try:
        agent = Agent(
            settings.core,
            settings.state_dir,
            directories,
            software=software,
            look_up=settings.look_up,
            directory_clock=clock,
        )
        core = settings.core
        metrics = AgentMetrics(agent, directories).text
        health = HealthServer(core.health_listen, lambda: agent.state, metrics, core.health_hosts)
        live = LiveSettings(file, AgentSettings, settings, take)
        async with process, health:
            running = asyncio.create_task(agent.run(), name="agent")
            told = asyncio.create_task(process.attend(f"Agent {agent.identity.name}", live.reload), name="signals")
            await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
            agent.stop()
            told.cancel()
            await running
    finally:
        await directories.close()


class AgentMetrics:
    """What Prometheus reads of an agent, at the moment it asks."""

    def __init__(self, agent: Agent, directories: directory.Directories) -> None:
        self._agent, self._directories = agent, directories
        self._registry = CollectorRegistry()
        register_process(self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield the current figures."""
        state = self._agent.state
        connections = GaugeMetricFamily("isthmus_relay_connections", "Open connections.", labels=["relay"])
        for relay, count in state.connected.items():
            connections.add_metric([relay], count)
        yield connections
        yield GaugeMetricFamily("isthmus_in_flight", "Requests under way.", value=state.in_flight)
        ends = state.certificate_ends
        yield GaugeMetricFamily("isthmus_certificate_end_seconds", "End of the certificate, Unix time.", value=ends)
        outcomes = CounterMetricFamily("isthmus_agent_checks", "Credential checks, by outcome.", labels=["outcome"])
        for outcome in directory.CheckOutcome:  # 0 from the start: a monitor does not see the first one as an increase
            outcomes.add_metric([outcome.value], self._agent.outcomes.get(outcome.value, 0))
        yield outcomes
        lookups = CounterMetricFamily(
            "isthmus_agent_lookups", "Look-ups without a password, by outcome.", labels=["outcome"]
        )
        for what in LOOKUP_OUTCOMES:
            lookups.add_metric([what], self._agent.lookups.get(what, 0))
        yield lookups
        yield from self._controllers()

    def _controllers(self) -> Iterable[Metric]:
        labels = ["directory", "controller"]
        up = GaugeMetricFamily("isthmus_controller_up", "1 while the domain controller is used.", labels=labels)
        binds = CounterMetricFamily("isthmus_controller_binds", "Passwords checked there.", labels=labels)
        for controller in self._directories.health():
            names = [controller.directory, controller.controller]
            up.add_metric(names, float(controller.state == "up"))
            binds.add_metric(names, controller.binds)
        yield from (up, binds)
