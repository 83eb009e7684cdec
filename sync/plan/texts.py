"""What stands in a plan, in words: the same in terminal and page. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from foundation.times import minute
from foundation.visible_text import visible
from sync.model import AccountOperation, OperationKind, Plain
from sync.plan.entries import CauseKind, ChangeCause, DepartureEvidence, EvidenceKind
from sync.plan.values import members

OPERATION_WORDS: Final = {
    OperationKind.CREATE: "create",
    OperationKind.ADOPT: "adopt",
    OperationKind.UPDATE: "update",
    OperationKind.DISABLE: "disable",
    OperationKind.ENABLE: "enable",
    OperationKind.SOFT_DELETE: "soft-delete",
    OperationKind.RESTORE: "restore",
    OperationKind.DELETE: "delete",
    OperationKind.LINK: "links",
}
_CAUSE_WORDS: Final = {
    CauseKind.NEW: "new in the source",
    CauseKind.RETURNED: "came back",
    CauseKind.ATTRIBUTE: "attribute {name} changed",
    CauseKind.RULE: "rule {name} edited",
    CauseKind.OU: "moved: {name}",
    CauseKind.LINKS: "links changed: {name}",
    CauseKind.DELETED: "deleted in {name}",
    CauseKind.ABSENT: "gone from {name}",
    CauseKind.TARGET: "changed at the target",
    CauseKind.UNDO: "run {name} is undone",
    CauseKind.UNKNOWN: "not known",
}
_LONGEST: Final = 200
"""Characters of a value that are shown."""
_MOST: Final = 20
"""Values of an attribute that are shown."""


def cause_text(cause: ChangeCause) -> str:
    """Without its edition."""
    return _CAUSE_WORDS[cause.kind].format_map({"name": visible(cause.name)})


def value_text(value: Plain) -> str:
    """One value on one line: nothing in it moves a cursor or turns a direction. What is cut is said."""
    if isinstance(value, bytes):
        text = value[: _LONGEST // 2].hex()
        return f"{text} ({len(value)} bytes)"
    text = str(value)
    if len(text) <= _LONGEST:
        return visible(text)
    return f"{visible(text[:_LONGEST])}… ({len(text)} characters)"


def value_texts(value: Plain | tuple[Plain, ...] | None) -> list[str]:
    """The values of an attribute."""
    values = members(value)
    texts = [value_text(single) for single in values[:_MOST]]
    return [*texts, f"and {len(values) - _MOST} more"] if len(values) > _MOST else texts


def change_text(operation: AccountOperation) -> str:
    """What an operation does, in short: attributes, or how many come and go."""
    if operation.kind is OperationKind.LINK:
        names = sorted({*operation.added, *operation.removed})
        return ", ".join(_coming_and_going(operation, name) for name in names)
    names = [*operation.set, *(f"{name} (cleared)" for name in sorted(operation.clear))]
    words = ", ".join(map(visible, names))
    return f"{words} (temporary)" if operation.temporary else words


def evidence_text(evidence: DepartureEvidence) -> str:
    """What was seen, where and when."""
    source, reading = visible(evidence.source), visible(evidence.reading)
    if evidence.kind is EvidenceKind.UNDO:
        return f"run {visible(evidence.run)} is undone"
    what = f"{evidence.key.hex()} of {source}"
    if evidence.kind is EvidenceKind.TOMBSTONE:
        return f"{what}: its tombstone was seen" + (f" in reading {reading}" if reading else "")
    if evidence.kind is EvidenceKind.ABSENT:
        asked = f", asked for by its key at {minute(evidence.asked)}" if evidence.asked else ", not asked for by its key"
        return f"{what}: not in the complete reading {reading or '(none)'}{asked}"
    verb = "says that it is disabled" if evidence.kind is EvidenceKind.DISABLED else "no longer has it in scope"
    return f"{what}: the rule {visible(evidence.rule) or '(none)'} {verb}{_because(evidence)}"


def _because(evidence: DepartureEvidence) -> str:
    reasons = []
    if evidence.edition:
        reasons.append("the rule was edited")
    if evidence.attribute:
        reasons.append(f"its {visible(evidence.attribute)} changed")
    if evidence.moved is not None:
        before, now = evidence.moved
        reasons.append(f"it was moved from {visible(before)} to {visible(now)}")
    return f", because {_joined(reasons)}" if reasons else ""


def _joined(words: Iterable[str]) -> str:
    return " and ".join(words)


def _coming_and_going(operation: AccountOperation, name: str) -> str:
    added, removed = len(operation.added.get(name, ())), len(operation.removed.get(name, ()))
    numbers = [f"+{added}"] * bool(added) + [f"-{removed}"] * bool(removed)
    return f"{visible(name)} {' '.join(numbers)}"
