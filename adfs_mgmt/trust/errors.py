"""What can go wrong between us and Entra ID, and with the trust itself.

TrustError
├── GraphError            Microsoft Graph, or the sign-in to it
│   ├── SignInRefused       the application's credential was refused: one try, no more
│   ├── Unreachable         no answer, after every retry that is safe: nothing was changed
│   ├── Throttled           429, for longer than we wait: nothing was changed
│   ├── PermissionMissing   403
│   ├── NotThere            404
│   ├── Conflict            409
│   ├── Rejected            any other 4xx: the request itself is wrong
│   ├── OutcomeUnknown      a change was sent and its answer did not come: look before doing it again
│   └── MalformedAnswer     an answer that is not what Graph documents
├── Refused               our own checks said no: nothing was changed. Every reason with its remedy
├── TrustChanged          somebody else changed the trust after it was looked at: nothing was changed
├── NotTaken              a change was answered with success and is not there
├── LiveKeyLost           a change cost the trust the key that signs now; `restored` says whether it is back
├── NotConfirmed          a confirmation that does not name the domain
└── FileProblem           a backup, or the ledger of partners, cannot be read or written
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class TrustError(Exception):
    """Base of everything that this room raises."""


class GraphError(TrustError):
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


class Refused(TrustError):
    """A check of ours failed. `reasons` are sentences, each with what to do about it."""

    def __init__(self, what: str, reasons: Sequence[str]) -> None:
        super().__init__(what, tuple(reasons))
        self.what, self.reasons = what, tuple(reasons)

    def __str__(self) -> str:
        if len(self.reasons) == 1:
            return f"{self.what} is refused: {self.reasons[0]}"
        return f"{self.what} is refused:" + "".join(f"\n  - {reason}" for reason in self.reasons)


class TrustChanged(TrustError):
    """Two administrators at once: theirs stands."""

    def __init__(self, domain: str, expected: str, found: str) -> None:
        super().__init__(domain, expected, found)
        self.domain, self.expected, self.found = domain, expected, found

    def __str__(self) -> str:
        return (
            f"{self.domain}: its certificates were {self.expected}, now they are {self.found}: somebody else (or Entra ID "
            "itself) changed them meanwhile. Nothing was changed; look again, then repeat the command."
        )


class NotTaken(TrustError):
    """Entra ID answered a change with success and does not show it."""

    def __init__(self, domain: str, missing: str) -> None:
        super().__init__(domain, missing)
        self.domain, self.missing = domain, missing

    def __str__(self) -> str:
        return (
            f"{self.domain}: Entra ID did not take {self.missing}, and says nothing of why. What was there before is still "
            "there. Try again; if it persists, look into the tenant's audit log for `Set federation settings on domain`."
        )


class LiveKeyLost(TrustError):
    """The key that signs now vanished from the trust with a change."""

    def __init__(self, domain: str, thumbprint: str, *, restored: bool, backup: Path | None = None) -> None:
        super().__init__(domain, thumbprint, restored)
        self.domain, self.thumbprint, self.restored, self.backup = domain, thumbprint, restored, backup

    def __str__(self) -> str:
        lost = f"{self.domain}: with the change Entra ID lost {self.thumbprint}, the certificate that signs now. "
        if self.restored:
            return (
                lost + "It has been put back, the new certificate is not published. Look at the tenant before you repeat it."
            )
        where = f" from {self.backup}" if self.backup else ""
        return lost + f"IT COULD NOT BE PUT BACK: sign-in to {self.domain} fails until it is. Restore it at once{where}."


class NotConfirmed(TrustError):
    """Converting a domain needs its name, typed."""

    def __init__(self, domain: str) -> None:
        super().__init__(domain)
        self.domain = domain

    def __str__(self) -> str:
        return (
            f"the confirmation does not name {self.domain} (type it, or give --confirm {self.domain}); nothing was changed"
        )


class FileProblem(TrustError):
    """A file of ours."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path, self.problem, self.remedy = path, problem, remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.remedy}"
