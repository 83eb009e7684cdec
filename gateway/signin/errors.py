"""What sign-in refuses.

SignInError
├── BadForm         what the browser sent is not what the page asked for; has an HTTP status
│   └── StaleForm       its token does not fit: it was open for too long, or is not ours
├── BadBranding     a setting of the page's look or words cannot be used
└── ApiProblem      an answer of the API (RFC 9457)
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.signin.messages import Message
from settings import Unfit


class SignInError(Exception):
    """Base of this package's errors."""


class BadForm(SignInError):
    """The form cannot be taken. `message` is what the person is told, `field` the name of the field that is wrong."""

    def __init__(self, message: Message, status: int = 400, field: str = "") -> None:
        super().__init__(message, status)
        self.message, self.status, self.field = message, status, field


class StaleForm(BadForm):
    """No form of this browser's, or no longer one. `return_to`: where the person wanted to go; not checked."""

    def __init__(self, return_to: str, *, cookie: bool) -> None:
        super().__init__(Message.STALE if cookie else Message.NO_COOKIE, 403)
        self.return_to = return_to


class BadBranding(Unfit, SignInError):
    """A setting of the page's look or words cannot be used; its key is that in the settings of sign-in."""


@dataclass(frozen=True)
class ApiProblem(SignInError):
    """An error answer of the API: `application/problem+json`."""

    status: int
    title: str
    detail: str = ""
    retry_after: float = 0.0
