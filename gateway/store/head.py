"""The head of the audit trail, logged so that it leaves the machine."""

from __future__ import annotations

import structlog

from gateway.housekeeping import Housekeeping
from gateway.store.port import AuditLog

log = structlog.get_logger()


class AuditHeads:
    """Whoever has this machine can rewrite the trail, but not the logs that have left it."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._logged = 0

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Log the head once a minute."""
        housekeeping.every_minute("note_head", self.note)

    async def note(self) -> None:
        """Log the head where it has moved: `audit.head` with `noted`, the number and the hash. Raises StoreError."""
        for entry in await self._audit.entries(limit=1):
            if entry.seq != self._logged:
                self._logged = entry.seq
                log.info("audit.head", noted=f"{entry.seq}:{entry.hash}")
