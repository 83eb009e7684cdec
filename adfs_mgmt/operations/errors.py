"""What can be wrong with what somebody asked for. What goes wrong on the way is the packages' own.

OperationError
├── SelectionError        no farm or tenant of that name, or several where one is needed
├── SettingsError         farms that would be taken for one another, or a tenant without a farm
├── NotPossible           what is under way, or is not, does not allow it now
└── FileUnusable          a file that was named cannot be read or written
"""

from __future__ import annotations


class OperationError(Exception):
    """Base of this package's errors; the text says what to do about it."""


class SelectionError(OperationError):
    """No such farm or tenant, or several."""


class SettingsError(OperationError):
    """The settings contradict themselves."""


class NotPossible(OperationError):
    """Not now, or not with this farm."""


class FileUnusable(OperationError):
    """`path` cannot be read or written."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"
