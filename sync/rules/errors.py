"""What can be wrong with rules, and with an object under them.

RulesError
├── RulesRefused       found when rules are read, or held against the sources: no run starts with them
└── ObjectHeld         found in a run: nothing follows for this object until it, or a rule, is changed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_TOLD = 50
"""Problems that the text of an error has; the error itself has all."""


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """One thing that is wrong with rules."""

    file: str
    line: int
    """From 1; 0 where it is about the file as a whole."""
    column: int
    """From 1; 0 where only the line is known."""
    key: str
    """Dotted, with indexes: `inbound[2].flows[0].expression`."""
    problem: str
    """What is wrong, and what was expected."""
    remedy: str
    rule: str = ""
    """Id of the rule that it is in."""

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        key = f"{self.key} (rule {self.rule})" if self.key and self.rule else self.key or (self.rule and f"rule {self.rule}")
        text = ": ".join(filter(None, (where, key, self.problem)))
        return f"{text}. {self.remedy}" if self.remedy else text


class RulesError(Exception):
    """Base of every error of this package, but for those of single expressions."""


class RulesRefused(RulesError):
    """Rules cannot be used; holds everything that is wrong with them."""

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        told = [str(problem) for problem in self.problems[:MOST_TOLD]]
        if more := len(self.problems) - len(told):
            told.append(f"… and {more} more")
        return "\n".join(told)


class ObjectHeld(RulesError):
    """What an object holds does not allow what the rules say. Nothing changes for it: above all, nothing is deleted.

    The text of the error names no value of the object: `value` has the one in question, for those who may see it.
    """

    def __init__(
        self,
        cause: str,
        problem: str,
        remedy: str,
        *,
        rule: str = "",
        objects: Sequence[tuple[str, bytes]] = (),
        persons: Sequence[int] = (),
        value: object = None,
    ) -> None:
        super().__init__(cause, problem)
        self.cause = cause
        """Name in the table of causes."""
        self.problem = problem
        self.remedy = remedy
        self.rule = rule
        self.objects = tuple(objects)
        """Source and key of every object that has part in it."""
        self.persons = tuple(persons)
        """Where several persons may be meant: all of them."""
        self.value = value

    def __str__(self) -> str:
        rule = f"rule {self.rule}: " if self.rule else ""
        return f"{self.cause}: {rule}{self.problem}. {self.remedy}"
