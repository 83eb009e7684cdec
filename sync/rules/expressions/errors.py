"""What can be wrong with an expression.

ExpressionError
├── ExpressionRefused        found when it is read: it cannot be used at all
└── EvaluationFailed         found in a run: what it says cannot be done with the values of one object
    └── StoppedByRule        its own Error("...") was reached: the rule wants this object stopped
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file: line and column, both from 1."""

    file: str
    line: int = 1
    column: int = 1

    def inside(self, line: int, column: int) -> Place:
        """Where this line and column of a text stand, if the text begins here."""
        return Place(self.file, self.line + line - 1, column + (self.column - 1 if line == 1 else 0))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class ExpressionProblem:
    """One thing that is wrong with an expression, without any value of an object."""

    place: Place
    problem: str
    """What is wrong, and what was expected."""
    remedy: str
    """What to do about it."""

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}. {self.remedy}"


class ExpressionError(Exception):
    """Base of every error of this package."""


class ExpressionRefused(ExpressionError):
    """The text is not an expression of its dialect."""

    def __init__(self, problem: ExpressionProblem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


class EvaluationFailed(ExpressionError):
    """An object's values do not allow what the expression says; it gives no value for this object.

    The text of the error names no value of the object: `value` has the one in question, for those who may see it.
    """

    def __init__(self, place: Place, problem: str, remedy: str, value: object = None) -> None:
        super().__init__(place, problem)
        self.place = place
        self.problem = problem
        self.remedy = remedy
        self.value = value

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}. {self.remedy}"


class StoppedByRule(EvaluationFailed):
    """The rule's own `Error("...")`. Its text may have values of the object in it and is therefore in `value` only."""

    def __init__(self, place: Place, text: str) -> None:
        super().__init__(
            place, "the rule stops this object by Error", "Change the object, or the rule that does not allow it", text
        )


class UnfitValue(ExpressionError):
    """Inside this package: a function or operator cannot take a value. Whoever called it adds the place."""

    def __init__(self, problem: str, remedy: str = "Change the value, or have the rule leave it out by IIF") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
