"""Why each operation is there, and how many each cause has made. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from sync.model import AccountOperation, Lineage, OperationKind
from sync.plan.entries import CauseKind, ChangeCause, DepartureEvidence, EvidenceKind, PersonChange, PlanEntry

_DEPARTURES: Final = frozenset({OperationKind.DISABLE, OperationKind.SOFT_DELETE, OperationKind.DELETE})
_RETURNS: Final = frozenset({OperationKind.ENABLE, OperationKind.RESTORE})


class CauseCount(Struct, frozen=True):
    """What one cause made."""

    target: str
    cause: ChangeCause
    operations: Mapping[str, int]
    """By kind of operation."""
    total: int


class CauseTable:
    """Counts operations by cause. An operation with two causes counts for both."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ChangeCause], Counter[str]] = {}

    def add(self, entry: PlanEntry) -> None:
        """Count one operation."""
        for cause in entry.causes:
            counter = self._counts.setdefault((entry.operation.target, cause), Counter())
            counter[entry.operation.kind] += 1

    def rows(self) -> tuple[CauseCount, ...]:
        """The largest first."""
        rows = [
            CauseCount(target, cause, dict(sorted(counter.items())), counter.total())
            for (target, cause), counter in self._counts.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.total, row.target, row.cause.key)))


def causes_of(
    operation: AccountOperation, change: PersonChange, lineage: Mapping[str, tuple[Lineage, ...]]
) -> tuple[ChangeCause, ...]:
    """Why. lineage: by attribute of the account, and of those that are cleared what they had before."""
    if operation.kind in _DEPARTURES:
        return _of_departure(change)
    if operation.kind is OperationKind.LINK:
        return _of_links(operation, change)
    if change.returned:
        return (ChangeCause(CauseKind.RETURNED, edition=change.reading),)
    if operation.kind is OperationKind.UPDATE:
        return _of_values({*operation.set, *operation.clear}, change, lineage)
    if change.new:
        return (ChangeCause(CauseKind.NEW, edition=change.reading),)
    return _of_scope(operation, change, lineage)


def of_evidence(evidence: DepartureEvidence) -> ChangeCause:
    """The cause that a piece of evidence names."""
    if evidence.kind is EvidenceKind.TOMBSTONE:
        return ChangeCause(CauseKind.DELETED, evidence.source, evidence.reading)
    if evidence.kind is EvidenceKind.ABSENT:
        return ChangeCause(CauseKind.ABSENT, evidence.source, evidence.reading)
    if evidence.kind is EvidenceKind.UNDO:
        return ChangeCause(CauseKind.UNDO, evidence.run)
    if evidence.edition:
        return ChangeCause(CauseKind.RULE, evidence.rule, evidence.edition)
    if evidence.moved is not None:
        return _move(evidence.moved, evidence.reading)
    if evidence.attribute:
        return ChangeCause(CauseKind.ATTRIBUTE, f"{evidence.source}.{evidence.attribute}", evidence.reading)
    return ChangeCause(CauseKind.UNKNOWN)


def _of_departure(change: PersonChange) -> tuple[ChangeCause, ...]:
    return _unique(of_evidence(evidence) for evidence in change.evidence) or (ChangeCause(CauseKind.UNKNOWN),)


def _of_links(operation: AccountOperation, change: PersonChange) -> tuple[ChangeCause, ...]:
    names = {*operation.added, *operation.removed}
    return tuple(ChangeCause(CauseKind.LINKS, name, change.reading) for name in sorted(names))


def _of_values(
    names: Iterable[str], change: PersonChange, lineage: Mapping[str, tuple[Lineage, ...]]
) -> tuple[ChangeCause, ...]:
    """An edited rule explains the values that come from it; what no edited rule explains, the object's change does."""
    rules = {name: _edited(lineage.get(name, ()), change) for name in names}
    causes = [cause for name in sorted(rules) for cause in rules[name]]
    if not all(rules.values()):
        causes += _of_object(change) or (ChangeCause(CauseKind.TARGET),)
    return _unique(causes)


def _of_scope(
    operation: AccountOperation, change: PersonChange, lineage: Mapping[str, tuple[Lineage, ...]]
) -> tuple[ChangeCause, ...]:
    """An object that is not new, and has no account yet: it came into scope, or its account was deleted at the target."""
    edited = _unique(cause for name in sorted(operation.set) for cause in _edited(lineage.get(name, ()), change))
    return edited or _of_object(change) or (ChangeCause(CauseKind.TARGET),)


def _edited(lineage: Iterable[Lineage], change: PersonChange) -> tuple[ChangeCause, ...]:
    rules = sorted({origin.rule for origin in lineage if origin.rule in change.rules})
    return tuple(ChangeCause(CauseKind.RULE, rule, change.rules[rule]) for rule in rules)


def _of_object(change: PersonChange) -> tuple[ChangeCause, ...]:
    if change.moved is not None:
        return (_move(change.moved, change.reading),)
    return tuple(ChangeCause(CauseKind.ATTRIBUTE, name, change.reading) for name in sorted(change.attributes))


def _move(moved: tuple[str, str], reading: str) -> ChangeCause:
    before, now = moved
    return ChangeCause(CauseKind.OU, f"{before} -> {now}", reading)


def _unique(causes: Iterable[ChangeCause]) -> tuple[ChangeCause, ...]:
    return tuple(dict.fromkeys(causes))
