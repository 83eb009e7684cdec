"""What can go wrong with a procedure itself. What goes wrong where it acts comes out as ActFailed.

ProcedureError
├── Refused          a precondition does not hold; nothing was done. Has every reason, each with its remedy
├── PlanOutdated     what the plan was made for is not as it was
├── PlanUnusable     a saved plan that is damaged, edited, of another version, or of something that is not known here
├── JournalError     the journal is damaged, of another version, open to others, or cannot be written
│   └── JournalLocked    somebody else is at it
└── ActFailed        an act failed; has its effect: none, refused or unknown
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Effect = Literal["none", "refused", "unknown"]
"""What an act that failed left behind. `none`: it never ran (no answer, no access), which is no try. `refused`: it ran, and
wrote an error. `unknown`: it may have taken effect all the same, or may still be under way."""


class ProcedureError(Exception):
    """Base of this package's errors."""


class Refused(ProcedureError):
    """It must not be done now. `reasons` are sentences, each with what to do about it."""

    def __init__(self, what: str, reasons: Sequence[str]) -> None:
        super().__init__(what, tuple(reasons))
        self.what, self.reasons = what, tuple(reasons)

    def __str__(self) -> str:
        if len(self.reasons) == 1:
            return f"{self.what} is refused: {self.reasons[0]}"
        return f"{self.what} is refused:" + "".join(f"\n  - {reason}" for reason in self.reasons)


class PlanOutdated(ProcedureError):
    """Somebody changed what the plan is about after it was made. `differences` name each part."""

    def __init__(self, subject: str, differences: Sequence[str]) -> None:
        super().__init__(subject, tuple(differences))
        self.subject, self.differences = subject, tuple(differences)

    def __str__(self) -> str:
        changes = "".join(f"\n  - {difference}" for difference in self.differences)
        return f"{self.subject} has changed since the plan was made; nothing was done. Make a new plan.{changes}"


class PlanUnusable(ProcedureError):
    """A saved plan cannot be applied."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; nothing was done. Make a new plan and save it."


class JournalError(ProcedureError):
    """The journal cannot be used. `where`: its file. `line` counts from 1; 0 for all of it. `effect`: what that means."""

    def __init__(self, where: object, problem: str, remedy: str, line: int = 0, *, effect: str = "nothing was done") -> None:
        super().__init__(where, problem, remedy, line)
        self.where, self.problem, self.remedy, self.line, self.effect = where, problem, remedy, line, effect

    def __str__(self) -> str:
        where = f"{self.where}, line {self.line}" if self.line else str(self.where)
        return f"{where}: {self.problem}; {self.effect}. {self.remedy}"


class JournalLocked(JournalError):
    """Somebody else is at work with it. `holder`: who, and since when."""

    def __init__(self, where: object, holder: str) -> None:
        super().__init__(where, f"in use {holder}" if holder else "in use", "Wait until it has finished.")
        self.holder = holder


class ActFailed(ProcedureError):
    """Something was tried and did not go well. `__cause__` is the error of whatever did it."""

    def __init__(self, place: str, why: str, effect: Effect) -> None:
        super().__init__(place, why, effect)
        self.place, self.why, self.effect = place, why, effect

    def __str__(self) -> str:
        return self.why
