"""The heads of the audit trail, logged so that they leave the machine."""

from __future__ import annotations

import structlog

from gateway.housekeeping import Housekeeping
from gateway.store.audit import AuditLog

log = structlog.get_logger()


class AuditHeads:
    """Whoever has this machine can rewrite the trail, but not the logs that have left it."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._logged: dict[int, int] = {}

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Log the heads once a minute."""
        housekeeping.every_minute("note_head", self.note)

    async def note(self) -> None:
        """Log the heads of this node's chains that have moved: `audit.head` with `noted`. Raises StoreError."""
        for head in await self._audit.heads():
            if self._logged.get(head.chain) != head.seq:
                self._logged[head.chain] = head.seq
                log.info("audit.head", noted=head.noted)
