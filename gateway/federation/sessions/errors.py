"""What is refused of an administrator's acts on sessions.

RelayError
├── UnknownSession        no live session has this name
└── SelectionUnclear      several things were named at once, or none
"""

from __future__ import annotations

from gateway.relay import RelayError


class UnknownSession(RelayError):
    """No live session has this name."""

    def __init__(self, session: str) -> None:
        super().__init__(session)
        self.session = session

    def __str__(self) -> str:
        return f"there is no session {self.session!r}, or it has ended; `isthmus relay sessions list` lists them"


class SelectionUnclear(RelayError):
    """Several things were named at once, or none."""

    def __str__(self) -> str:
        return "name one of these: a user, a session, an application, or everybody"
