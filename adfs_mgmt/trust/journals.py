"""What was done about a domain, in files of `state_dir/trust`: updates and conversions, one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from adfs_mgmt.trust.conversion import ConversionState
from adfs_mgmt.trust.domain_executor import FEDERATED, MANAGED, UPDATE_KIND
from adfs_mgmt.trust.update import SlotChange
from foundation.procedures import FileJournal, Record, StateTypes, read

STATES: StateTypes = {UPDATE_KIND: SlotChange, MANAGED: ConversionState, FEDERATED: ConversionState}
"""By kind of the procedure."""


class DomainJournals:
    """Those of one tenant."""

    def __init__(self, state_dir: Path, tenant: str) -> None:
        self._directory, self._tenant = state_dir / "trust", quote(tenant, safe="")

    def path(self, domain: str) -> Path:
        """Of its journal, whatever characters its name has."""
        return self._directory / f"{self._tenant}.{quote(domain.lower(), safe='')}.journal"

    def record(self, domain: str) -> Record[Any] | None:
        """What was done about it last. Raises JournalError."""
        return read(self.path(domain), STATES)

    def open(self, domain: str, now: float) -> FileJournal:
        """For writing. Raises JournalError, JournalLocked."""
        return FileJournal(self.path(domain), STATES, now=now)
