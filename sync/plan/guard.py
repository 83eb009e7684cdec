"""Whether a plan may be carried out. Pure.

    entry ──► rejected? ──► evidence there? ──► held, or counted ──► a limit exceeded? ──► stop, before the first write

Evidence (`sync.plan.evidence`) is needed by each deletion and disabling. Without it the operation is *held*; others go on.

Limits are about the whole: where one is exceeded, nothing at all is written to any target, because nobody knows what else is
wrong. Counted are operations that would be written and that nobody has decided on, together with those of the last runs:
many small runs are one large one.

Of decisions (`sync.plan.decisions`) a rejection always wins. Allowing a person stands for evidence that is missing, and for
a change to somebody who is protected, because somebody has looked at this person; allowing a cause does not.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Struct, structs

from settings import Bounds
from sync.model import AccountOperation, GuardDecision, OperationKind
from sync.plan.decisions import GuardDecisions
from sync.plan.entries import CauseKind, PlanEntry
from sync.plan.evidence import missing_evidence

_DELETIONS: Final = frozenset({OperationKind.SOFT_DELETE, OperationKind.DELETE})
_CAUSES_NAMED: Final = 5


class LimitName(enum.StrEnum):
    """What a stop is about."""

    DELETIONS = "deletions"
    DISABLES = "disables"
    LOST_LINKS = "lost_links"
    RENAMES = "renames"
    PROTECTED = "protected"
    RULE_EDIT = "rule_edit"
    SOURCE_EMPTY = "source_empty"
    SOURCE_SHRANK = "source_shrank"
    FIRST_RUN = "first_run"


Percent = Annotated[float, Bounds(zero=True, most=100)]
Count = Annotated[int, Bounds(zero=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """How much a run may change before somebody has to decide. Each limit is a number, and a percentage of what is there."""

    deletions: Count = 100
    """Accounts that are deleted or soft-deleted."""
    deletions_percent: Percent = 5.0
    """The same, of the target's accounts."""
    disables: Count = 200
    """Accounts that are disabled."""
    disables_percent: Percent = 10.0
    """The same, of the target's accounts."""
    lost_links: Count = 2_000
    """Memberships that are lost, those of deleted groups too. A manager that is replaced is not lost."""
    lost_links_percent: Percent = 10.0
    """The same, of the target's memberships."""
    renames: Count = 200
    """Accounts whose sign-in name or another unique value changes."""
    renames_percent: Percent = 10.0
    """The same, of the target's accounts."""
    protected: Count = 0
    """Changes to protected groups and to administrators. 0: each one needs a decision."""
    rule_edit: Count = 500
    """Operations that one edit of one rule makes."""
    rule_edit_percent: Percent = 10.0
    """The same, of the target's accounts."""
    source_shrank_percent: Percent = 10.0
    """By how much a source may shrink since targets were written the last time."""
    small: Count = 10
    """Up to this number no percentage counts: of ten accounts, one is ten per cent."""


class TargetTotals(Struct, frozen=True):
    """What a target has before the run."""

    accounts: int
    """That it has confirmed to us."""
    links: int = 0
    first_run: bool = False
    """Nothing was ever written to it."""
    strangers: int = 0
    """Of a first run: accounts that are there and not ours."""


class SourceCount(Struct, frozen=True):
    """Objects that a source had when targets were written the last time, and has now."""

    source: str
    before: int
    now: int


class GuardStop(Struct, frozen=True, omit_defaults=True):
    """Why nothing is written."""

    limit: LimitName
    count: int
    total: int = 0
    """Of which `count` is a part; 0 where there is none."""
    permitted: int = 0
    percent: float = 0.0
    """Permitted."""
    target: str = ""
    subject: str = ""
    """Source or rule."""
    decide: str = ""
    """Key that decides all of it; empty where the single causes or persons have to be decided on."""
    causes: tuple[tuple[str, int], ...] = ()
    """Keys of the causes with most of the operations."""
    earlier: int = 0
    """Of `count`: operations of the last runs."""


class Guard:
    """Rules on the entries of a plan one by one, then on the whole. Holds counts only."""

    def __init__(
        self,
        limits: GuardLimits,
        decisions: Iterable[GuardDecision],
        totals: Mapping[str, TargetTotals],
        *,
        names: Mapping[str, frozenset[str]],
        earlier: Mapping[tuple[str, LimitName], int] | None = None,
    ) -> None:
        """names: by target, the attributes whose change is a rename. earlier: what the runs of the last day have done, by
        target and limit, without what was decided on."""
        self._limits, self._totals, self._names = limits, totals, names
        self._decisions = GuardDecisions(decisions)
        self._earlier = earlier or {}
        self._counts: Counter[tuple[str, LimitName]] = Counter()
        self._causes: dict[tuple[str, LimitName], Counter[str]] = {}
        self._edits: Counter[tuple[str, str]] = Counter()

    def check(self, entry: PlanEntry) -> PlanEntry:
        """The same entry, held where it must not be written. To be called once for each."""
        if entry.held:
            return entry
        decision = self._decisions.about(entry)
        if decision is not None and not decision.allow:
            return structs.replace(entry, held=f"rejected by {decision.by}: {decision.why}")
        looked_at = decision is not None and decision.person is not None
        if not looked_at and (missing := missing_evidence(entry)):
            return structs.replace(entry, held=f"no evidence: {missing}")
        if not looked_at:
            self._count(entry, by_cause=decision is not None)
        return entry

    def stops(self, sources: Iterable[SourceCount]) -> tuple[GuardStop, ...]:
        """After all entries: why nothing may be written. Empty: the plan may be carried out."""
        found = [stop for count in sources for stop in self._of_source(count)]
        for target in sorted(self._totals):
            found += self._of_target(target)
        return tuple(found)

    def _count(self, entry: PlanEntry, *, by_cause: bool) -> None:
        """by_cause: its causes are allowed, which counts for everything but what is protected."""
        target = entry.operation.target
        for limit, number in counted(entry, self._names.get(target, frozenset())):
            if by_cause and limit is not LimitName.PROTECTED:
                continue
            self._counts[target, limit] += number
            causes = self._causes.setdefault((target, limit), Counter())
            causes.update({cause.key: number for cause in entry.causes})
        if not by_cause:
            self._edits.update((target, cause.key) for cause in entry.causes if cause.kind is CauseKind.RULE)

    def _of_source(self, count: SourceCount) -> Iterable[GuardStop]:
        lost = count.before - count.now
        if count.before and not count.now:
            limit, permitted = LimitName.SOURCE_EMPTY, 0.0
        elif lost > self._limits.small and lost * 100 > self._limits.source_shrank_percent * count.before:
            limit, permitted = LimitName.SOURCE_SHRANK, self._limits.source_shrank_percent
        else:
            return
        key = f"{limit}:{count.source}@{count.before}-{count.now}"
        if not self._allows(key):
            yield GuardStop(limit, lost, count.before, percent=permitted, subject=count.source, decide=key)

    def _allows(self, key: str, *targets: str) -> bool:
        decision = self._decisions.about_cause(key, *targets)
        return decision is not None and decision.allow

    def _of_target(self, target: str) -> Iterable[GuardStop]:
        totals, limits = self._totals[target], self._limits
        if totals.first_run and totals.strangers:
            key = f"{LimitName.FIRST_RUN}:{target}"
            if not self._allows(key, target):
                yield GuardStop(LimitName.FIRST_RUN, totals.strangers, target=target, decide=key)
        rows = (
            (LimitName.DELETIONS, limits.deletions, limits.deletions_percent, totals.accounts),
            (LimitName.DISABLES, limits.disables, limits.disables_percent, totals.accounts),
            (LimitName.LOST_LINKS, limits.lost_links, limits.lost_links_percent, totals.links),
            (LimitName.RENAMES, limits.renames, limits.renames_percent, totals.accounts),
        )
        for limit, most, percent, total in rows:
            earlier = self._earlier.get((target, limit), 0)
            count = self._counts[target, limit]
            # Where this run does nothing of the kind, what was done before is no reason to stop it
            if count and self._exceeds(count + earlier, most, percent, total):
                yield self._stop(limit, target, count + earlier, total, most, percent, earlier)
        if (count := self._counts[target, LimitName.PROTECTED]) > limits.protected:
            yield self._stop(LimitName.PROTECTED, target, count, 0, limits.protected, 0.0, 0)
        for (edited, key), count in self._edits.items():
            if edited == target and self._exceeds(count, limits.rule_edit, limits.rule_edit_percent, totals.accounts):
                yield GuardStop(
                    LimitName.RULE_EDIT,
                    count,
                    totals.accounts,
                    permitted=limits.rule_edit,
                    percent=limits.rule_edit_percent,
                    target=target,
                    subject=key.removeprefix(f"{CauseKind.RULE}:"),
                    decide=key,
                )

    def _exceeds(self, count: int, most: int, percent: float, total: int) -> bool:
        return count > most or (count > self._limits.small and count * 100 > percent * total)

    def _stop(
        self, limit: LimitName, target: str, count: int, total: int, most: int, percent: float, earlier: int
    ) -> GuardStop:
        causes = tuple(self._causes[target, limit].most_common(_CAUSES_NAMED))
        return GuardStop(limit, count, total, permitted=most, percent=percent, target=target, causes=causes, earlier=earlier)


def counted(entry: PlanEntry, names: frozenset[str]) -> Sequence[tuple[LimitName, int]]:
    """What an operation counts as. names: attributes whose change is a rename. The journal counts by it, too."""
    operation = entry.operation
    found = []
    if operation.kind in _DELETIONS:
        found.append((LimitName.DELETIONS, 1))
    if operation.kind is OperationKind.DISABLE:
        found.append((LimitName.DISABLES, 1))
    if lost := _lost_links(operation) + (entry.links if operation.kind in _DELETIONS else 0):
        found.append((LimitName.LOST_LINKS, lost))
    if operation.kind is OperationKind.UPDATE and not names.isdisjoint({*operation.set, *operation.clear}):
        found.append((LimitName.RENAMES, 1))
    if entry.protected:
        found.append((LimitName.PROTECTED, 1))
    return found


def _lost_links(operation: AccountOperation) -> int:
    """A single value that is replaced by another is not lost."""
    return sum(len(persons) for name, persons in operation.removed.items() if name not in operation.added)


def stop_text(stop: GuardStop) -> str:
    """In one sentence, with what to do next."""
    where = f"{stop.target}: " if stop.target else ""
    if stop.limit is LimitName.SOURCE_EMPTY:
        return f"{where}the source {stop.subject} is empty; it had {stop.total} objects"
    if stop.limit is LimitName.SOURCE_SHRANK:
        return (
            f"{where}the source {stop.subject} has lost {stop.count} of {stop.total} objects, more than {stop.percent:g} %"
        )
    if stop.limit is LimitName.FIRST_RUN:
        return f"{where}first run, and {stop.count} accounts are there that are not ours"
    permitted = f"{stop.permitted}" + (f" or {stop.percent:g} % of {stop.total}" if stop.total else "")
    earlier = f" ({stop.earlier} of them in the last runs)" if stop.earlier else ""
    return f"{where}{stop.count} {_WORDS[stop.limit].format(subject=stop.subject)}{earlier}; permitted are {permitted}"


_WORDS: Final = {
    LimitName.DELETIONS: "deletions",
    LimitName.DISABLES: "accounts to be disabled",
    LimitName.LOST_LINKS: "lost memberships",
    LimitName.RENAMES: "renames",
    LimitName.PROTECTED: "changes to protected groups or administrators",
    LimitName.RULE_EDIT: "operations by one edit of the rule {subject}",
}
