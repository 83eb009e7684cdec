"""What can be wrong with what a farm is looked at with.

Unreadable   something that a server sent is not what it should be; `what` it was, and the `reason`
"""

from __future__ import annotations


class Unreadable(Exception):
    """A server sent something that cannot be used."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"
