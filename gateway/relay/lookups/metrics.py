"""Counter of look-ups."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.relay.lookups.question import PersonState

UNCHECKED = (
    "not_mine", "limit", "not_offered", "no_agent", "no_directory", "timed_out", "busy", "lost", "not_believed",
    "unreadable",
)  # fmt: skip
"""Why nobody knows."""
_OUTCOMES = (*(state.value for state in PersonState if state is not PersonState.UNCHECKED), "cached", *UNCHECKED)


class LookUpMetrics(Collector):
    """Counts look-ups by what came of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(dict.fromkeys(_OUTCOMES, 0))  # 0 from the start: the first one is an increase
        self._created = time.time()
        registry.register(self)

    def count(self, outcome: str) -> None:
        """Count one. outcome: the state, `cached`, or why nobody knows."""
        self._outcomes[outcome] += 1

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told."""
        found = CounterMetricFamily("isthmus_lookups", "Look-ups of users without a password.", labels=("outcome",))
        for outcome, count in self._outcomes.items():
            found.add_metric((outcome,), count, created=self._created)
        yield found
