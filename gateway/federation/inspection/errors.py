"""What whoever looks is refused."""

from __future__ import annotations

from gateway.relay import RelayError


class NotEvidence(RelayError):
    """A file in which nothing is that could have been issued. problem: why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem}; give a file with a token, the answer of a token endpoint, or a SAML response"
