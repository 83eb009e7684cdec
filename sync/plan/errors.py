"""Errors of plans.

SyncPlanError
├── PlanDamaged      a file that holds no plan, or was changed after it was made
├── PlanNotWritten   a file that could not be written
└── WorldMoved       a plan whose world is not as it was
"""

from __future__ import annotations

from pathlib import Path

_NEXT = "make a new plan"


class SyncPlanError(Exception):
    """Base of this package's errors."""


class PlanDamaged(SyncPlanError):
    """Nothing of it is applied."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; nothing was written to a target: {_NEXT}"


class PlanNotWritten(SyncPlanError):
    """What was at its path before is as it was."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"the plan {self.path} was not written: {self.problem}"


class WorldMoved(SyncPlanError):
    """moved: target, name and what differs, of the first ones; count: of all."""

    def __init__(self, moved: tuple[tuple[str, str, tuple[str, ...]], ...], count: int) -> None:
        super().__init__(moved, count)
        self.moved, self.count = moved, count

    def __str__(self) -> str:
        named = "\n".join(f"  {target}: {name!a}: {', '.join(what)}" for target, name, what in self.moved)
        more = f"\n  and {self.count - len(self.moved)} more" if self.count > len(self.moved) else ""
        return (
            f"the world has moved since the plan was made; nothing was written to a target: {_NEXT}\n"
            f"{self.count} operation{'' if self.count == 1 else 's'} would no longer be the same:\n{named}{more}"
        )
