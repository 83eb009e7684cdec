"""How long the audit trail is kept: a duty, so that of several nodes one prunes.

Whole days go at a time (UTC): a trail that is kept for 90 days has between 90 and 91 of them, and is pruned once a day.

A clock that is ahead makes everything old. Where nothing was written for a week before yesterday, either nobody was here or
the clock has jumped: an alarm is raised, and pruning waits for a day. The entry about it is what was written, then.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import structlog

from gateway.housekeeping import Housekeeping
from gateway.store.chain import AuditEvent
from gateway.store.errors import AuditBroken, DutyLost
from gateway.store.store import Store
from settings import Bounds

log = structlog.get_logger()

DAY = 86_400.0
QUIET = 8 * DAY
"""Without an entry for so long, but for the last day, the clock is doubted."""
LEASE = 300.0
"""Seconds: longer than a round takes; of one that is over it is given up."""

Alarm = Callable[[str, dict[str, str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """The audit trail."""

    keep_days: Annotated[int, Bounds(most=36_500, zero=True)] = 0
    """Retention of audit trail entries, in days. Older entries are deleted; the others still verify. 0:
    permanently."""


class Retention:
    """Once a minute, in portions. clock: Unix seconds. alarm: raises one, and returns at once."""

    def __init__(self, store: Store, settings: AuditSettings, clock: Callable[[], float], alarm: Alarm) -> None:
        self._store, self._keep_days, self._clock, self._alarm = store, settings.keep_days, clock, alarm
        self._holder = f"{store.node}-{secrets.token_hex(4)}"
        self._alarmed: set[tuple[int, int]] = set()

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Once a minute, where anything is to go at all."""
        if self._keep_days:
            housekeeping.every_minute("retention", self.run)

    async def run(self) -> None:
        """Prune, unless somebody else does. Raises StoreError."""
        now = self._clock()
        lease = await self._store.duties.take("retention", self._holder, now=now, until=now + LEASE)
        if lease is None:
            return
        before = oldest_kept(now, self._keep_days)
        try:
            if await self._is_doubtful(now, before):
                return
            report = await self._store.audit.prune(before, now, lease)
            if report.entries:
                detail = {"before": _day(before), "entries": str(report.entries)}
                await self._store.audit.append(AuditEvent(time=now, kind="audit.pruned", actor="relay", detail=detail))
            for error in report.broken:
                self._tell(error)
        except DutyLost:
            log.warning("audit.prune_interrupted", remedy="none: another node continues")
        finally:
            await self._store.duties.give_up(lease)

    async def _is_doubtful(self, now: float, before: float) -> bool:
        """Whether the clock may have jumped ahead while there is something to prune."""
        audit = self._store.audit
        if await audit.entries(since=now - QUIET, until=now - DAY, limit=1) or not await audit.entries(
            until=before, limit=1
        ):
            return False
        if not await audit.entries(kind="alert.audit.prune_postponed", since=now - DAY, until=now + 1, limit=1):
            remedy = "see whether the clock of this machine is right: entries are deleted in a day"
            self._alarm("audit.prune_postponed", {"before": _day(before), "remedy": remedy})
        return True

    def _tell(self, error: AuditBroken) -> None:
        """Once for each place: it stays as it is, until somebody looks."""
        if (error.chain, error.seq) not in self._alarmed:
            self._alarmed.add((error.chain, error.seq))
            self._alarm("audit.broken", {"entry": f"{error.chain}-{error.seq}", "problem": error.problem})


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def oldest_kept(now: float, keep_days: int) -> float:
    """The moment before which entries are deleted: the beginning of a day, UTC."""
    return (now - keep_days * DAY) // DAY * DAY
