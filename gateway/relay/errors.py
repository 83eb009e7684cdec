"""What the relay refuses.

RelayError
├── EnrolmentRefused     a token that is unknown, used, expired or for somebody else; a request without proof
├── RenewalRefused       a certificate request that this agent may not make
└── UnknownAgent         no agent of this name was ever enrolled
"""

from __future__ import annotations


class RelayError(Exception):
    """Base of the relay's own refusals."""


class EnrolmentRefused(RelayError):
    """An enrolment was refused; `reason` may be told to whoever asks."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"enrolment refused: {self.reason}. Make a new token with `isthmus relay token --name NAME`"


class RenewalRefused(RelayError):
    """A renewal was refused; `reason` is told to the agent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"renewal refused: {self.reason}"


class UnknownAgent(RelayError):
    """No agent of this name was ever enrolled."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no agent {self.name!r} was enrolled here; `isthmus relay agents` lists them"
