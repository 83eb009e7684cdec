"""Gauges of signing keys, by ring. Kind of state: this node's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.federation.keys.errors import NoSigningKey
from gateway.federation.keys.model import ALGORITHMS
from gateway.federation.keys.rollover import emergency, stages
from gateway.federation.keys.rollover.health import ALERTS, RingHealth
from gateway.federation.keys.signing_keys import SigningKeys

STAGES: Final = tuple(dict.fromkeys(stage.name for stage in (*stages.STAGES, *emergency.STAGES)))
"""Of every kind of replacement."""


class KeyGauges(Collector):
    """health: of every ring, as it was at the last look. clock: Unix seconds."""

    def __init__(self, keys: SigningKeys, health: Callable[[], Sequence[RingHealth]], clock: Callable[[], float]) -> None:
        self._keys, self._health, self._clock = keys, health, clock

    def collect(self) -> Iterable[Metric]:
        """Yield age and end of the keys in use, the stage of each replacement, and what holds it up."""
        age = GaugeMetricFamily(
            "isthmus_signing_key_age_seconds", "Time since this key came into use.", labels=("ring", "algorithm")
        )
        end = GaugeMetricFamily(
            "isthmus_signing_key_end_seconds", "End of the key in use, Unix time.", labels=("ring", "algorithm")
        )
        for ring, algorithms in ALGORITHMS.items():
            for algorithm in algorithms:
                with contextlib.suppress(NoSigningKey):  # a relay without applications
                    key = self._keys.active(ring, algorithm)
                    age.add_metric((ring, algorithm), max(0.0, self._clock() - key.since))
                    end.add_metric((ring, algorithm), key.record.not_after)
        stage = GaugeMetricFamily(
            "isthmus_signing_keys_stage",
            "1 for the stage that the replacement of a ring's keys is in; 0 for all others.",
            labels=("ring", "stage"),
        )
        problem = GaugeMetricFamily(
            "isthmus_signing_keys_problem",
            "1 while something about the replacement of a ring's keys needs an operator; the event is that of the alert.",
            labels=("ring", "event"),
        )
        for ring_health in self._health():
            for name in STAGES:
                stage.add_metric((ring_health.ring, name), float(name == ring_health.stage))
            alerts = {found.alert for found in ring_health.problems}
            for name in ALERTS:
                problem.add_metric((ring_health.ring, name), float(name in alerts))
        return (age, end, stage, problem)
