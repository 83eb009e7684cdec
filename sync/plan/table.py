"""A plan as tables for a terminal: headers and cells, for whoever prints them. Pure.

Cells are texts of others: whoever prints them makes them visible, as for every table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from msgspec import Struct

from sync.model import OperationKind
from sync.plan.entries import AccountProblem, PlanEntry, PlanLine, RewrittenValue
from sync.plan.guard import stop_text
from sync.plan.header import PlanHeader
from sync.plan.texts import OPERATION_WORDS, cause_text, change_text, value_texts

ROWS_SHOWN: Final = 200


class PlanTable(Struct, frozen=True):
    """One table. `cut`: a sentence about what is not in it; empty where all is."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    cut: str = ""


def summary_table(header: PlanHeader) -> PlanTable:
    """How many operations of each kind, by target."""
    rows = [
        (target, OPERATION_WORDS[OperationKind(kind)], str(number))
        for target, kinds in header.operations.items()
        for kind, number in kinds.items()
    ]
    rows += [("", word, str(number)) for word, number in _others(header) if number]
    return PlanTable(f"Plan {header.id}", ("TARGET", "OPERATION", "NUMBER"), rows)


def stop_table(header: PlanHeader) -> PlanTable:
    """Why the plan may not be carried out, and which key decides."""
    rows = []
    for stop in header.stops:
        keys = [stop.decide] if stop.decide else [f"{key} ({number})" for key, number in stop.causes]
        rows.append((stop_text(stop), "; ".join(keys)))
    return PlanTable("The guard has stopped this plan", ("WHY", "DECIDE ON"), rows)


def cause_table(header: PlanHeader, most: int = ROWS_SHOWN) -> PlanTable:
    """Which cause made how many operations, the largest first."""
    rows = [(count.target, cause_text(count.cause), str(count.total), count.cause.key) for count in header.causes[:most]]
    return PlanTable(
        "Causes", ("TARGET", "CAUSE", "OPERATIONS", "KEY"), rows, _cut(len(rows), header.causes_count, "causes")
    )


def operation_table(header: PlanHeader, lines: Iterable[PlanLine], most: int = ROWS_SHOWN) -> PlanTable:
    """Operations in the order of writes; held ones last, with the reason."""
    entries = (line for line in lines if isinstance(line, PlanEntry))
    rows = [_operation(entry) for entry in islice(entries, most)]
    total = header.total + header.held
    headers = ("#", "TARGET", "OPERATION", "WHO", "WHAT", "WHY", "HELD")
    return PlanTable("Operations", headers, rows, _cut(len(rows), total, "operations"))


def note_table(header: PlanHeader, lines: Iterable[PlanLine], most: int = ROWS_SHOWN) -> PlanTable:
    """Problems, and values that a target rewrites."""
    notes = (line for line in lines if not isinstance(line, PlanEntry))
    rows = [_note(line) for line in islice(notes, most)]
    cut = _cut(len(rows), header.problems + header.rewritten, "notes")
    return PlanTable("Problems and rewritten values", ("TARGET", "WHO", "CAUSE", "WHAT"), rows, cut)


def _operation(entry: PlanEntry) -> Sequence[str]:
    operation = entry.operation
    return (
        str(operation.id),
        operation.target,
        OPERATION_WORDS[operation.kind],
        entry.name or f"person {operation.person}",
        change_text(operation) or "-",
        ", ".join(map(cause_text, entry.causes)) or "-",
        entry.held or "-",
    )


def _note(line: AccountProblem | RewrittenValue) -> Sequence[str]:
    who = line.name or f"person {line.person}"
    if isinstance(line, AccountProblem):
        return (line.target, who, line.cause, line.detail)
    sent, kept = "; ".join(value_texts(line.sent)), "; ".join(value_texts(line.kept)) or "nothing"
    return (line.target, who, "rewritten", f"{line.attribute}: sent {sent}, kept {kept}")


def _others(header: PlanHeader) -> Sequence[tuple[str, int]]:
    return (("held", header.held), ("problems", header.problems), ("rewritten values", header.rewritten))


def _cut(shown: int, total: int, what: str) -> str:
    return f"{shown} of {total} {what} are shown." if shown < total else ""
