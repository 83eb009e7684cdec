"""Applications that sign people in here, each as the document that describes it. Kind of state: lasting.

Whoever keeps a copy watches the generation `trusts`, which every change raises in its own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

GENERATION = "trusts"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRecord:
    """One trust in one version. The store reads nothing of the document."""

    id: str
    version: int
    """1 for a new one; each change is the next."""
    document: bytes
    """TOML, as `gateway.federation.trusts` reads it."""
    origin: str = "command"
    """`command`, or `file:NAME`: then only a changed file changes it."""
    disabled: str = ""
    """Why it signs nobody in; empty where it does."""
    changed_at: float
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyMetadata:
    """The last good metadata of a SAML trust, and what came of the last look. Kind of state: a copy of what is elsewhere."""

    trust: str
    document: bytes
    """Empty where none was ever good."""
    fetched_at: float
    """When the document was."""
    checked_at: float
    problem: str = ""
    """Why the last look brought none."""
    valid_until: float = 0.0


class TrustStore(Protocol):
    """Trusts and their metadata. Changes of trusts go through `UnitOfWork` with their entry in the audit trail."""

    async def all(self) -> list[TrustRecord]:
        """Of every trust the version that holds, by id."""
        ...

    async def get(self, trust: str) -> TrustRecord | None:
        """The version that holds."""
        ...

    async def metadata(self) -> list[PartyMetadata]:
        """Of every trust that has any."""
        ...

    async def keep_metadata(self, metadata: PartyMetadata) -> None:
        """Keep it in place of the one before; raises the generation where the document is another one."""
        ...


# UnitOfWork gets: put_trust(record) [raises TrustChanged where record.version is not the kept version + 1],
# remove_trust(trust, version), both raising the generation `trusts`.
