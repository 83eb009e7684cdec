"""What can be wrong with what a host shows."""

from __future__ import annotations


class FetchFailed(Exception):
    """A host answered, but not with what can be used. `what` it was, and the `reason`."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"
