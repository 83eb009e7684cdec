"""What can be wrong with keys and certificates.

CertsError
├── KeyStoreError        a file or directory that cannot be used, or is open to others
├── CertificateRefused   a certificate, certificate request or signature that is not accepted; has a `reason`
├── TokenRefused         an enrolment token that is truncated, foreign or expired
└── RolloverRefused      a step that the rollover's state does not allow
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Reason = Literal["malformed", "wrong_authority", "wrong_role", "expired", "not_yet_valid", "wrong_key", "bad_signature"]


class CertsError(Exception):
    """Base of this room's errors."""


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


class TokenRefused(CertsError):
    """An enrolment token cannot be used."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"enrolment token refused: {self.problem}. Make a new one on the relay: isthmus relay token --name NAME"


class RolloverRefused(CertsError):
    """The rollover does not allow this step now."""

    def __init__(self, key: str, step: str, problem: str) -> None:
        super().__init__(key, step, problem)
        self.key, self.step, self.problem = key, step, problem

    def __str__(self) -> str:
        return f"cannot {self.step} key {self.key}: {self.problem}"
