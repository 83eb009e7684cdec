"""What can go wrong with the trust itself. What goes wrong on the way to Entra ID is a GraphError (`foundation.graph`).

TrustError
├── TrustRefused          our own checks said no: nothing was changed. Every reason with its remedy
├── TrustChanged          somebody else changed the trust after it was looked at: nothing was changed
├── NotTaken              a change was sent and does not show: it may still take effect
├── LiveKeyLost           a change cost the trust the key that signs now; `restored` says whether it is back
└── FileProblem           a backup cannot be read or written
"""

from __future__ import annotations

from pathlib import Path

from certs import KeyStoreError
from foundation.procedures import Refused


class TrustError(Exception):
    """Base of this package's errors."""


class TrustRefused(Refused, TrustError):
    """A check of ours said no: nothing was changed. `reasons` are sentences, each with what to do about it."""


class TrustChanged(TrustError):
    """Two administrators at once: theirs stands."""

    def __init__(self, domain: str, expected: str, found: str) -> None:
        super().__init__(domain, expected, found)
        self.domain, self.expected, self.found = domain, expected, found

    def __str__(self) -> str:
        return (
            f"{self.domain}: its certificates were {self.expected}, now they are {self.found}: someone else (or Entra ID "
            "itself) changed them meanwhile. Nothing was changed; check again, then repeat the command."
        )


class NotTaken(TrustError):
    """Entra ID does not show a change. `said`: what Graph answered to it, where that was an error."""

    def __init__(self, domain: str, missing: str, said: str = "") -> None:
        super().__init__(domain, missing, said)
        self.domain, self.missing, self.said = domain, missing, said

    def __str__(self) -> str:
        said = f"Graph answered: {self.said}" if self.said else "Graph answered without an error"
        return (
            f"{self.domain}: {self.missing} is not yet visible at Entra ID, and may still take effect. {said}. Wait some "
            "minutes and look (`isthmus adfs trust show`) before you repeat it; if it persists, look into the tenant's "
            "audit log for `Set federation settings on domain`."
        )


class LiveKeyLost(TrustError):
    """The key that signs now vanished from the trust with a change."""

    def __init__(self, domain: str, thumbprint: str, *, restored: bool, backup: Path | None = None) -> None:
        super().__init__(domain, thumbprint, restored)
        self.domain, self.thumbprint, self.restored, self.backup = domain, thumbprint, restored, backup

    def __str__(self) -> str:
        lost = f"{self.domain}: the change removed {self.thumbprint}, the current token-signing certificate, from Entra ID. "
        if self.restored:
            return (
                lost + "It has been restored; the new certificate is not published. Check the tenant "
                "before you repeat the command."
            )
        where = f" from {self.backup}" if self.backup else ""
        return lost + f"IT COULD NOT BE RESTORED: sign-in to {self.domain} fails until it is. Restore it immediately{where}."


class FileProblem(KeyStoreError, TrustError):
    """A file of ours."""
