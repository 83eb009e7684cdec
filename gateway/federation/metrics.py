"""Counters of what applications are given and refused, by trust and protocol.

Trusts are those of the registry only, and reasons a fixed number for each, so that nobody outside can make more series.
Durations have eight lines for a trust, so that only the first `MOST_TIMED` of them that are used have series of their own.
Kind of state: this node's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.relay import Durations

MOST_REASONS: Final = 32
"""Of one trust and protocol; further ones count as `other`."""
_BUCKETS: Final = (0.01, 0.05, 0.25, 1.0, 5.0)
"""Seconds."""
MOST_TIMED: Final = 100
"""Trusts whose answers are timed apart; those of all others are timed together, without a trust."""


class FederationMetrics(Collector):
    """known: whether a trust of that id is in the registry. unusable_files: how many trust files are not in force."""

    def __init__(
        self, known: Callable[[str], bool] = lambda _trust: True, unusable_files: Callable[[], int] = lambda: 0
    ) -> None:
        self._known, self._unusable_files, self._created = known, unusable_files, time.time()
        self._issued: Counter[tuple[str, str]] = Counter()
        self._refused: dict[tuple[str, str], Counter[str]] = {}
        self._spent: dict[tuple[str, str], Durations] = {}

    def count_issued(self, trust: str, protocol: str, started: float) -> None:
        """An application was given tokens, or a response with an assertion. trust: its id. started: see `STARTED`."""
        self._issued[trust, protocol] += 1
        seconds = time.perf_counter() - started
        spent = self._spent.get((trust, protocol))
        if spent is None:
            key = (trust if len(self._spent) < MOST_TIMED else "", protocol)
            spent = self._spent.get(key) or self._spent.setdefault(key, Durations(_BUCKETS))
        spent.add(seconds)

    def count_refused(self, trust: str, protocol: str, reason: str) -> None:
        """A request was refused. trust: id; empty, or none of the registry: nobody's. reason: the error of the wire."""
        reasons = self._refused.setdefault((trust if self._known(trust) else "", protocol), Counter())
        reasons[reason if reason in reasons or len(reasons) < MOST_REASONS else "other"] += 1

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told. A trust that was removed is told of no longer."""
        issued = CounterMetricFamily(
            "isthmus_federation_issued",
            "Answers with tokens (oidc), or with an assertion (saml).",
            labels=("trust", "protocol"),
        )
        for (trust, protocol), count in self._issued.items():
            if self._known(trust):
                issued.add_metric((trust, protocol), count, created=self._created)
        refused = CounterMetricFamily(
            "isthmus_federation_refused",
            "Refused requests of applications and their users; without a trust where it is not proven whose it is.",
            labels=("trust", "protocol", "reason"),
        )
        for (trust, protocol), reasons in self._refused.items():
            for reason, count in reasons.items():
                if not trust or self._known(trust):
                    refused.add_metric((trust, protocol, reason), count, created=self._created)
        # a trust that was removed makes room for another one
        self._spent = {key: spent for key, spent in self._spent.items() if not key[0] or self._known(key[0])}
        durations = HistogramMetricFamily(
            "isthmus_federation_issue_seconds",
            "Time from a request until its answer with tokens (oidc) or an assertion (saml) is ready. The first"
            f" {MOST_TIMED} trusts that are used have series of their own; all others share one without a trust.",
            labels=("trust", "protocol"),
        )
        for key, spent in self._spent.items():
            durations.add_metric(key, spent.buckets(), spent.seconds)
        files = GaugeMetricFamily("isthmus_trust_files_unusable", "Files of `trusts_dir` that are not in force.")
        files.add_metric((), self._unusable_files())
        yield from (issued, refused, durations, files)
