"""The agent process: directories, agent, health endpoint; and its end in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

import directory
from gateway.agent import Agent, HealthServer, steady_clock
from isthmus.agent_settings import AgentSettings

log = structlog.get_logger()


async def serve(settings: AgentSettings, stop: asyncio.Event, *, software: str) -> None:
    """Run an agent until `stop` is set, then drain. Raises AgentError, CertsError, DirectoryError."""
    clock = steady_clock()
    directories = directory.Directories(settings.directories, clock=clock)
    try:
        agent = Agent(settings.core, settings.state_dir, directories, software=software, directory_clock=clock)
        core = settings.core
        metrics = AgentMetrics(agent, directories).text
        health = HealthServer(core.health_listen, lambda: agent.state, metrics, core.health_hosts)
        async with health:
            running = asyncio.create_task(agent.run(), name="agent")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            agent.stop()
            stopping.cancel()
            await running
    finally:
        await directories.close()


class AgentMetrics:
    """What Prometheus reads of an agent, at the moment it asks."""

    def __init__(self, agent: Agent, directories: directory.Directories) -> None:
        self._agent, self._directories = agent, directories
        self._registry = CollectorRegistry()
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
        for outcome, count in self._agent.outcomes.items():
            outcomes.add_metric([outcome], count)
        yield outcomes
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
