"""Counters of credential checks, with those that pass-through administrators know.

`isthmus_pta_authentications_total`, `isthmus_pta_failed_total`, `isthmus_pta_successful_total` and
`isthmus_pta_errors_total` are the four of Microsoft's agent; `isthmus_signin_total` splits by outcome.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from gateway.protocol import Outcome

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
_INFRASTRUCTURE = frozenset(outcome.value for outcome in Outcome if outcome.is_infrastructure)


class SignInMetrics:
    """Counts credential checks in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._total = Counter("isthmus_pta_authentications", "Credential checks.", registry=registry)
        self._failed = Counter("isthmus_pta_failed", "Credential checks that AD refused.", registry=registry)
        self._successful = Counter("isthmus_pta_successful", "Credential checks that succeeded.", registry=registry)
        self._errors = Counter("isthmus_pta_errors", "Checks that nobody could judge.", registry=registry)
        self._outcomes = Counter(
            "isthmus_signin", "Credential checks by kind and outcome.", ("kind", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "isthmus_signin_seconds", "Duration of a credential check.", buckets=_BUCKETS, registry=registry
        )
        self._children: dict[tuple[str, str], Counter] = {}  # `labels` costs more than the rest of `count`

    def count(self, kind: str, outcome: str, milliseconds: float) -> None:
        """Count one credential check. kind: `signin` or `password_change`; outcome: as in the audit trail."""
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
