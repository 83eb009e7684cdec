"""What can be wrong with keys and certificates.

CertsError
├── KeyStoreError          a file or directory that cannot be used, or is open to others
├── CertificateRefused     a certificate, certificate request or signature that is not accepted; has a `reason`
├── CertificateUnreadable  bytes that are no X.509 certificate; has `what` they were, and the `reason`
├── SourceError            a new certificate that cannot be had, or is not fit for its use
├── ThumbprintMalformed    text that is not a thumbprint
├── PartnerUnknown         no partner of that name in the ledger
├── TokenRefused           an enrolment token that is truncated, foreign or expired
└── RolloverRefused        a step that the rollover's state does not allow
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Reason = Literal["malformed", "wrong_authority", "wrong_role", "expired", "not_yet_valid", "wrong_key", "bad_signature"]


class CertsError(Exception):
    """Base of this package's errors."""


class KeyStoreError(CertsError):
    """A file or directory of the key store."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path, self.problem, self.remedy = path, problem, remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.remedy}"


class CertificateRefused(CertsError):
    """A certificate or signature is not accepted. `reason` is for programs, `detail` for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"certificate refused ({self.reason.replace('_', ' ')}): {self.detail}"


class CertificateUnreadable(CertsError):
    """Not a certificate. `what` names what it was to be."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


class SourceError(CertsError):
    """A new certificate that cannot be had or used. `source` is where it was to come from."""

    def __init__(self, source: str, problem: str, remedy: str) -> None:
        super().__init__(source, problem, remedy)
        self.source, self.problem, self.remedy = source, problem, remedy

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}; {self.remedy}"


class ThumbprintMalformed(CertsError):
    """Text that was given as a thumbprint."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"{self.text[:60]!r} is not a thumbprint: 40 hexadecimal digits, as `isthmus adfs status` shows them"


class PartnerUnknown(CertsError):
    """The farm's ledger has no such partner. `known` are the names that it has."""

    def __init__(self, farm: str, name: str, known: Sequence[str]) -> None:
        super().__init__(farm, name, tuple(known))
        self.farm, self.name, self.known = farm, name, tuple(known)

    def __str__(self) -> str:
        return f"farm {self.farm} has no partner {self.name!r}; known partners: {', '.join(self.known) or 'none yet'}"


class TokenRefused(CertsError):
    """An enrolment token cannot be used."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        remedy = "Make a new one on the relay: isthmus relay token --name NAME --domain DOMAIN"
        return f"enrolment token refused: {self.problem}. {remedy}"


class RolloverRefused(CertsError):
    """The rollover does not allow this step now."""

    def __init__(self, key: str, step: str, problem: str) -> None:
        super().__init__(key, step, problem)
        self.key, self.step, self.problem = key, step, problem

    def __str__(self) -> str:
        return f"cannot {self.step} key {self.key}: {self.problem}"
