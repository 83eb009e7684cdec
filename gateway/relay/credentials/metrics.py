"""Counters of credential checks, with those that pass-through administrators know.

`isthmus_pta_authentications_total`, `isthmus_pta_failed_total`, `isthmus_pta_successful_total` and
`isthmus_pta_errors_total` are the four of Microsoft's agent; `isthmus_signin_total` splits by outcome.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.protocol import Outcome
from gateway.relay.durations import Durations

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
REFUSED = "refused_by_admission"
"""Stands in the place of an outcome where smart lockout or the throttle refused the attempt: nobody was asked."""
_KINDS = ("signin", "password_change")
_OUTCOMES = (*(outcome.value for outcome in Outcome), REFUSED)
_INFRASTRUCTURE = frozenset(outcome.value for outcome in Outcome if outcome.is_infrastructure)


class SignInMetrics(Collector):
    """Counts credential checks; everything else is worked out when somebody looks, which is rarer than sign-ins are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # 0 from the start: a monitor does not see the first of a kind as an increase
        self._outcomes = Counter({(kind, outcome): 0 for kind in _KINDS for outcome in _OUTCOMES})
        self._spent = Durations(_BUCKETS)
        self._created = time.time()
        registry.register(self)

    def count(self, kind: str, outcome: str, milliseconds: float) -> None:
        """Count one credential check. kind: `signin` or `password_change`; outcome: as in the audit trail."""
        self._outcomes[kind, outcome] += 1
        self._spent.add(milliseconds / 1000)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told."""
        by_outcome: Counter[str] = Counter()
        split = CounterMetricFamily("isthmus_signin", "Credential checks by kind and outcome.", labels=("kind", "outcome"))
        for (kind, outcome), count in sorted(self._outcomes.items()):
            by_outcome[outcome] += count
            split.add_metric((kind, outcome), count, created=self._created)
        total, successful = by_outcome.total(), by_outcome[Outcome.SUCCESS.value]
        errors = sum(count for outcome, count in by_outcome.items() if outcome in _INFRASTRUCTURE)
        yield self._counter("isthmus_pta_authentications", "Credential checks.", total)
        yield self._counter("isthmus_pta_failed", "Credential checks that AD refused.", total - successful - errors)
        yield self._counter("isthmus_pta_successful", "Credential checks that succeeded.", successful)
        yield self._counter("isthmus_pta_errors", "Checks that nobody could judge.", errors)
        yield split
        yield self._durations()

    def _counter(self, name: str, meaning: str, value: int) -> Metric:
        return CounterMetricFamily(name, meaning, value=value, created=self._created)

    def _durations(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(
            "isthmus_signin_seconds",
            "Duration of a credential check.",
            buckets=self._spent.buckets(),
            sum_value=self._spent.seconds,
        )
