"""Gauges of the agents' connections."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.protocol import READY
from gateway.relay.agents.dispatch import Dispatcher


class AgentGauges(Collector):
    """Reads the live connections whenever Prometheus asks."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges, by agent; an agent has several connections."""
        connections = GaugeMetricFamily("isthmus_agent_connections", "Live connections.", labels=["agent"])
        outstanding = GaugeMetricFamily("isthmus_agent_outstanding", "Requests under way.", labels=["agent"])
        latency = GaugeMetricFamily("isthmus_agent_ping_seconds", "Last ping, there and back.", labels=["agent"])
        skew = GaugeMetricFamily("isthmus_agent_clock_skew_seconds", "Agent's clock minus ours.", labels=["agent"])
        names = sorted({connection.name for connection in self._dispatcher.connections})
        for name in names:
            own = [connection for connection in self._dispatcher.connections if connection.name == name]
            connections.add_metric([name], len(own))
            outstanding.add_metric([name], sum(connection.outstanding for connection in own))
            latency.add_metric([name], max(connection.latency for connection in own))
            skew.add_metric([name], max((connection.clock_skew for connection in own), key=abs))
        ready = GaugeMetricFamily("isthmus_domain_ready", "1 while users of the domain can sign in here.", labels=["domain"])
        for domain, condition in self._dispatcher.conditions().items():
            ready.add_metric([domain], float(condition == READY))
        waiting = GaugeMetricFamily("isthmus_signins_waiting", "Sign-ins that wait for an agent with room.")
        waiting.add_metric([], self._dispatcher.waiting)
        yield from (connections, outstanding, latency, skew, ready, waiting)
