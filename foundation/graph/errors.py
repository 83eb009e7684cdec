"""What can go wrong between us and Microsoft Graph.

GraphError
├── SignInRefused       the application's credential was refused: one try, no more
├── CredentialUnusable  the file with the credential, or with a CA, cannot be used
├── Unreachable         no answer, after every retry that is safe: nothing was changed
├── Throttled           429, for longer than we wait: nothing was changed
├── PermissionMissing   403
├── NotThere            404
├── Conflict            409
├── Rejected            any other 4xx: the request itself is wrong
├── OutcomeUnknown      a change was sent and its answer did not come: look before doing it again
└── MalformedAnswer     an answer that is not what Graph documents
"""

from __future__ import annotations

from pathlib import Path


class GraphError(Exception):
    """`what` was being done, in words; `reason` is what came of it; `remedy` what to do."""

    def __init__(self, what: str, reason: str, remedy: str = "", *, code: str = "", request_id: str = "") -> None:
        super().__init__(what, reason, remedy)
        self.what, self.reason, self.remedy = what, reason, remedy
        self.code = code
        """Graph's error code, or AADSTS's."""
        self.request_id = request_id
        """What Microsoft's support asks for."""

    def __str__(self) -> str:
        code = f" ({self.code})" if self.code else ""
        request = f" [request-id {self.request_id}]" if self.request_id else ""
        return f"{self.what}: {self.reason}{code}. {self.remedy}".rstrip() + request


class SignInRefused(GraphError):
    """The application may not sign in. Not tried again in this run."""


class CredentialUnusable(GraphError):
    """A file of ours. Nothing was sent."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(str(path), problem, remedy)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.remedy}"


class Unreachable(GraphError):
    """No usable answer. Nothing was changed."""


class Throttled(GraphError):
    """Too many requests. `retry_after` is in seconds."""

    def __init__(self, what: str, retry_after: float, **more: str) -> None:
        remedy = f"Graph asks to wait {retry_after:.0f} s; run the command again after that"
        super().__init__(what, "too many requests; nothing was changed", remedy, **more)
        self.retry_after = retry_after


class PermissionMissing(GraphError):
    """The application lacks a permission, or an administrator's consent to it."""


class NotThere(GraphError):
    """No such thing."""


class Conflict(GraphError):
    """It contradicts what is there."""


class Rejected(GraphError):
    """Graph does not accept the request."""


class OutcomeUnknown(GraphError):
    """The change may or may not have taken effect."""


class MalformedAnswer(GraphError):
    """Too large, not JSON, or not of the documented shape."""
