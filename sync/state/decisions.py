"""What somebody decided about what the guard had stopped. Which decision counts for what, `sync.plan` says."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from sync.model import GuardDecision, OperationKind
from sync.state.database import Row, StateFile

_COLUMNS = "id, allow, who, why, at, target, person, kind, cause"


class Decisions:
    """See `DecisionPort`."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def decide(self, decision: GuardDecision) -> GuardDecision:
        """Keep it; with its number. Needs no lease: an administrator decides while a process runs. Raises ValueError.

        One without a cause and without a person would allow, or reject, everything that ever comes.
        """
        if not decision.cause and decision.person is None:
            raise ValueError("a decision names a cause or a person")
        with self._file.write(fenced=False):
            number = self._file.insert(
                "INSERT INTO decisions (allow, who, why, at, target, person, kind, cause) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    decision.allow,
                    decision.by,
                    decision.why,
                    decision.at,
                    decision.target,
                    decision.person,
                    decision.kind,
                    decision.cause,
                ),
            )
        return structs.replace(decision, id=number)

    def all(self) -> Iterator[GuardDecision]:
        """In the order in which they were taken."""
        for row in self._file.pages(f"SELECT {_COLUMNS} FROM decisions WHERE id > ? ORDER BY id LIMIT ?", after=(0,)):
            yield _decision(row)

    def withdraw(self, number: int) -> bool:
        """As if it had not been taken. Whether there was one."""
        with self._file.write(fenced=False):
            return self._file.run("DELETE FROM decisions WHERE id = ?", (number,)) > 0


def _decision(row: Row) -> GuardDecision:
    number, allow, who, why, at, target, person, kind, cause = row
    known = OperationKind(kind) if kind is not None else None
    return GuardDecision(bool(allow), who, why, at, target, person, known, cause, number)
