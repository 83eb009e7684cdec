"""Whether a deletion or disabling rests on something that was seen, and not on something that was not heard of. Pure.

TOMBSTONE    the source says that the object was deleted
LEFT_SCOPE   the object is there; a rule's scope no longer has it, because the rule was edited or the object changed
ABSENT       a complete reading did not have it, and the source was asked for its key and did not have it
DISABLED     the object is there, and an edited rule or a changed object says that it is disabled: for disabling only
UNDO         somebody undoes the run that made the account
"""

from __future__ import annotations

from typing import Final

from sync.model import OperationKind
from sync.plan.entries import DepartureEvidence, EvidenceKind, PlanEntry

_DEPARTURES: Final = frozenset({OperationKind.DISABLE, OperationKind.SOFT_DELETE, OperationKind.DELETE})
_NAMED: Final = 3


def missing_evidence(entry: PlanEntry) -> str:
    """What a deletion or disabling lacks, in words; empty where it lacks nothing. Other operations need none."""
    kind = entry.operation.kind
    if kind not in _DEPARTURES or any(_is_undo(found) for found in entry.evidence):
        return ""
    if not entry.objects:
        return "it is not known what the account was made of"
    if kind is OperationKind.DISABLE and any(
        _says_disabled(found) and (found.source, found.key) in entry.objects for found in entry.evidence
    ):
        return ""
    # Each: a person in two sources who leaves one is still in the other
    shown = {(found.source, found.key) for found in entry.evidence if _has_left(found)}
    missing = [(source, key) for source, key in entry.objects if (source, key) not in shown]
    return f"nothing shows that {_named(missing)} left" if missing else ""


def _is_undo(found: DepartureEvidence) -> bool:
    return found.kind is EvidenceKind.UNDO and bool(found.run)


def _has_left(found: DepartureEvidence) -> bool:
    if found.kind is EvidenceKind.TOMBSTONE:
        return True
    if found.kind is EvidenceKind.ABSENT:
        return bool(found.reading) and found.asked > 0
    return found.kind is EvidenceKind.LEFT_SCOPE and _made_the_difference(found)


def _says_disabled(found: DepartureEvidence) -> bool:
    return found.kind is EvidenceKind.DISABLED and _made_the_difference(found)


def _made_the_difference(found: DepartureEvidence) -> bool:
    """A rule, and what changed: the rule itself or the object."""
    moved = found.moved is not None and found.moved[0] != found.moved[1]
    return bool(found.rule) and (bool(found.edition) or bool(found.attribute) or moved)


def _named(objects: list[tuple[str, bytes]]) -> str:
    named = ", ".join(f"{key.hex()} of {source}" for source, key in objects[:_NAMED])
    return named + (f" and {len(objects) - _NAMED} more" if len(objects) > _NAMED else "")
