"""What procedures do about a farm, besides commands of the catalogue. Their texts are without secrets."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.procedures import Act

ENTRA = "entra"
"""Place of what Entra ID is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyImport:
    """Put a certificate and its key into LocalMachine\\My of a host. The key is the executor's to find."""

    thumbprint: str

    def __str__(self) -> str:
        return f"import {self.thumbprint} with its key into LocalMachine\\My"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Put a certificate into the slot of a federated domain that does not hold `keep`."""

    domain: str
    thumbprint: str
    keep: str = ""

    def __str__(self) -> str:
        kept = f", {self.keep} stays" if self.keep else ""
        return f"domain {self.domain}: {self.thumbprint} into the free slot{kept}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Take a certificate out of a federated domain; `keep` must be in it and stays."""

    domain: str
    thumbprint: str
    keep: str

    def __str__(self) -> str:
        return f"domain {self.domain}: {self.thumbprint} out, {self.keep} stays"


def import_key(host: str, thumbprint: str) -> Act:
    """Into the host's store."""
    return Act(place=host, what=KeyImport(thumbprint=thumbprint))


def publish(domain: str, thumbprint: str, keep: str) -> Act:
    """Tell Entra ID of one more certificate. Known by domain and certificate, whatever else is in the slots by then."""
    what = Publication(domain=domain, thumbprint=thumbprint, keep=keep)
    return Act(place=ENTRA, what=what, name=f"domain {domain}: {thumbprint} in")


def withdraw(domain: str, thumbprint: str, keep: str) -> Act:
    """Tell Entra ID of one less."""
    what = Withdrawal(domain=domain, thumbprint=thumbprint, keep=keep)
    return Act(place=ENTRA, what=what, name=f"domain {domain}: {thumbprint} out")
