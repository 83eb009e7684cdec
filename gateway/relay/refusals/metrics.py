"""Gauges of the refusals."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.relay.refusals.refusals import Refusals


class RefusalGauges(Collector):
    """Reads them whenever Prometheus asks."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges."""
        seconds = GaugeMetricFamily("isthmus_refusal_delay_seconds", "Delay after which every refusal is answered.")
        seconds.add_metric([], self._refusals.delay)
        held = GaugeMetricFamily("isthmus_refusals_waiting", "Refusals that wait for that delay.")
        held.add_metric([], self._refusals.waiting)
        opened = GaugeMetricFamily("isthmus_requests_open", "Credential checks and enrolments that are not answered yet.")
        opened.add_metric([], self._refusals.open)
        yield from (seconds, held, opened)
