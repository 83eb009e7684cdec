"""What sign-in refuses.

SignInError
├── BadForm         what the browser sent is not what the page asked for; has an HTTP status
└── ApiProblem      an answer of the API (RFC 9457)
"""

from __future__ import annotations

from dataclasses import dataclass


class SignInError(Exception):
    """Base of this package's errors."""


class BadForm(SignInError):
    """The form cannot be taken. `message` is a key of the message catalogue."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message, status)
        self.message, self.status = message, status


@dataclass(frozen=True)
class ApiProblem(SignInError):
    """An error answer of the API: `application/problem+json`."""

    status: int
    title: str
    detail: str = ""
    retry_after: float = 0.0
