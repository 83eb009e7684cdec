"""What somebody has decided about what the guard holds or stops: allow or reject, by whom, why. It lasts. Pure.

About one person and one kind of operation, or about one cause. Causes name the edit of a rule and the reading of a source,
so that allowing what one edit does allows nothing that the next one does.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.model import GuardDecision, OperationKind
from sync.plan.entries import PlanEntry


class GuardDecisions:
    """Decisions by what they are about. Of several about the same thing the last one counts."""

    def __init__(self, decisions: Iterable[GuardDecision]) -> None:
        self._persons: dict[tuple[str, int, OperationKind | None], GuardDecision] = {}
        self._causes: dict[tuple[str, str], GuardDecision] = {}
        for decision in sorted(decisions, key=lambda decision: decision.at):
            if decision.person is not None:
                self._persons[decision.target, decision.person, decision.kind] = decision
            elif decision.cause:
                self._causes[decision.target, decision.cause] = decision

    def about(self, entry: PlanEntry) -> GuardDecision | None:
        """What counts for an operation. Any rejection does, before every permission; a permission by causes only if it is
        there for all of the operation's causes."""
        if not self._persons and not self._causes:
            return None  # as in almost every run
        operation = entry.operation
        person = [self._persons.get((target, operation.person, operation.kind)) for target in (operation.target, "")]
        causes = [self.about_cause(cause.key, operation.target) for cause in entry.causes]
        rejected = [decision for decision in (*person, *causes) if decision is not None and not decision.allow]
        allowed = [decision for decision in person if decision is not None and decision.allow]
        if not rejected and not allowed and causes and None not in causes:
            return causes[0]
        return next(iter(rejected or allowed), None)

    def about_cause(self, key: str, *targets: str) -> GuardDecision | None:
        """What counts for a cause or a stop at a target, or at all of them. Again, a rejection before a permission."""
        found = [self._causes.get((target, key)) for target in (*targets, "")]
        known = [decision for decision in found if decision is not None]
        return min(known, key=lambda decision: decision.allow, default=None)
