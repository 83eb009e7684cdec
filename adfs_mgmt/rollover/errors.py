"""What can go wrong with a rollover itself. What goes wrong on a host is a RemotingError.

RolloverError
├── Refused          a precondition does not hold; nothing was done. Has every reason, each with its remedy
├── FarmChanged      the farm is not the one that the saved plan was made for
├── PlanUnusable     a saved plan that is damaged, of another version, or of another farm
├── JournalError     the journal is damaged, of a newer version, open to others, or cannot be written; nothing was done
│   └── JournalLocked    another administrator is at it
└── ActFailed        a command or an update of the trust failed; has its effect: none, refused or unknown
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Effect = Literal["none", "refused", "unknown"]


class RolloverError(Exception):
    """Base of this room's errors."""


class Refused(RolloverError):
    """It must not be done now. `reasons` are sentences, each with what to do about it."""

    def __init__(self, what: str, reasons: Sequence[str]) -> None:
        super().__init__(what, tuple(reasons))
        self.what, self.reasons = what, tuple(reasons)

    def __str__(self) -> str:
        if len(self.reasons) == 1:
            return f"{self.what} is refused: {self.reasons[0]}"
        return f"{self.what} is refused:" + "".join(f"\n  - {reason}" for reason in self.reasons)


class FarmChanged(RolloverError):
    """Somebody changed the farm after the plan was made."""

    def __init__(self, farm: str, differences: Sequence[str]) -> None:
        super().__init__(farm, tuple(differences))
        self.farm, self.differences = farm, tuple(differences)

    def __str__(self) -> str:
        changes = "".join(f"\n  - {difference}" for difference in self.differences)
        return f"farm {self.farm} has changed since the plan was made; nothing was done. Make a new plan.{changes}"


class PlanUnusable(RolloverError):
    """A saved plan cannot be applied."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; nothing was done. Make a new plan with `plan --save`."


class JournalError(RolloverError):
    """The journal cannot be used. `line` counts from 1; 0 for the file as a whole. `effect`: what that means."""

    def __init__(self, path: Path, problem: str, remedy: str, line: int = 0, *, effect: str = "nothing was done") -> None:
        super().__init__(path, problem, remedy, line)
        self.path, self.problem, self.remedy, self.line, self.effect = path, problem, remedy, line, effect

    def __str__(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line else str(self.path)
        return f"{where}: {self.problem}; {self.effect}. {self.remedy}"


class JournalLocked(JournalError):
    """Somebody else is at work with it."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(path, f"in use {holder}" if holder else "in use", "Wait until that has ended.")
        self.holder = holder


class ActFailed(RolloverError):
    """Something was tried and did not go well. `effect`: `none` (never sent), `refused` (it was sent) or `unknown`."""

    def __init__(self, where: str, why: str, effect: Effect) -> None:
        super().__init__(where, why, effect)
        self.where, self.why, self.effect = where, why, effect

    def __str__(self) -> str:
        return self.why
