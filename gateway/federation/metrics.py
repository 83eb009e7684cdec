"""Counters of what applications are given and refused, by trust and protocol.

Trusts are those of the registry only, and reasons a fixed number for each, so that nobody outside can make more series.
Kind of state: this node's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MOST_REASONS: Final = 32
"""Of one trust and protocol; further ones count as `other`."""


class FederationMetrics(Collector):
    """known: whether a trust of that id is in the registry. unusable_files: how many trust files are not in force."""

    def __init__(
        self, known: Callable[[str], bool] = lambda _trust: True, unusable_files: Callable[[], int] = lambda: 0
    ) -> None:
        self._known, self._unusable_files, self._created = known, unusable_files, time.time()
        self._issued: Counter[tuple[str, str]] = Counter()
        self._refused: dict[tuple[str, str], Counter[str]] = {}

    def count_issued(self, trust: str, protocol: str) -> None:
        """An application was given tokens, or a response with an assertion. trust: its id."""
        self._issued[trust, protocol] += 1

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
        files = GaugeMetricFamily("isthmus_trust_files_unusable", "Files of `trusts_dir` that are not in force.")
        files.add_metric((), self._unusable_files())
        yield from (issued, refused, files)
