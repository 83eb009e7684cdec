"""What Prometheus reads of the relay, with the counters that pass-through administrators know.

`isthmus_pta_authentications_total`, `isthmus_pta_failed_total`, `isthmus_pta_successful_total` and
`isthmus_pta_errors_total` are the four of Microsoft's agent; `isthmus_signin_total` splits by outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from gateway.protocol import Outcome

if TYPE_CHECKING:
    from gateway.relay.agents.dispatch import Dispatcher

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class Metrics:
    """Counters of one relay process; `text()` is what `/metrics` answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._total = Counter("isthmus_pta_authentications", "Credential checks.", registry=self.registry)
        self._failed = Counter("isthmus_pta_failed", "Credential checks that AD refused.", registry=self.registry)
        self._successful = Counter("isthmus_pta_successful", "Credential checks that succeeded.", registry=self.registry)
        self._errors = Counter("isthmus_pta_errors", "Checks that nobody could judge.", registry=self.registry)
        self._outcomes = Counter(
            "isthmus_signin", "Credential checks by kind and outcome.", ("kind", "outcome"), registry=self.registry
        )
        self._seconds = Histogram(
            "isthmus_signin_seconds", "Duration of a credential check.", buckets=_BUCKETS, registry=self.registry
        )
        self.alerts = Counter("isthmus_alerts", "Alerts raised, by event.", ("event",), registry=self.registry)
        self._children: dict[tuple[str, str], Counter] = {}

    def count(self, kind: str, outcome: str, milliseconds: float) -> None:
        """Count one credential check."""
        self._total.inc()
        child = self._children.get((kind, outcome))
        if child is None:
            child = self._children[kind, outcome] = self._outcomes.labels(kind, outcome)
        child.inc()
        self._seconds.observe(milliseconds / 1000)
        if outcome == Outcome.SUCCESS:
            self._successful.inc()
        elif outcome in _INFRASTRUCTURE:
            self._errors.inc()
        else:
            self._failed.inc()

    def watch(self, dispatcher: Dispatcher) -> None:
        """Show the state of the agents too."""
        self.registry.register(_Agents(dispatcher))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


class _Agents:
    """Reads the live links whenever Prometheus asks."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        connections = GaugeMetricFamily("isthmus_agent_connections", "Live connections.", labels=["agent"])
        outstanding = GaugeMetricFamily("isthmus_agent_outstanding", "Requests under way.", labels=["agent"])
        latency = GaugeMetricFamily("isthmus_agent_ping_seconds", "Last ping, there and back.", labels=["agent"])
        skew = GaugeMetricFamily("isthmus_agent_clock_skew_seconds", "Agent's clock minus ours.", labels=["agent"])
        names = sorted({link.name for link in self._dispatcher.links})
        for name in names:
            links = [link for link in self._dispatcher.links if link.name == name]
            connections.add_metric([name], len(links))
            outstanding.add_metric([name], sum(link.outstanding for link in links))
            latency.add_metric([name], max(link.latency for link in links))
            skew.add_metric([name], max((link.clock_skew for link in links), key=abs))
        waiting = GaugeMetricFamily("isthmus_signins_waiting", "Sign-ins that wait for an agent with room.")
        waiting.add_metric([], self._dispatcher.waiting)
        yield from (connections, outstanding, latency, skew, waiting)


_INFRASTRUCTURE = frozenset(outcome.value for outcome in Outcome if outcome.is_infrastructure)
