"""What can be wrong with XML from outside."""

from __future__ import annotations


class MalformedXml(Exception):
    """Not well-formed, over a limit, or with what is never accepted. `what` names the document."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"
