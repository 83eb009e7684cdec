"""Refusals in the trail: one entry for each name or address and minute, however many there are.

The first is written at once. Those that follow within the minute are counted; the next entry says how many it stands for
(`times`). Nobody was asked about them, so there is nothing in each that the entry does not say.

Kind of state: counts, this node's. A process that is killed takes the count of its last minute along; the first refusal of
the minute is in the trail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, replace

from gateway.store import AuditEvent, AuditLog, StoreError

MOST = 1000
"""Names and addresses that are told apart in a minute; the others share one entry."""
_WINDOW = 60.0
_TOGETHER = 100
"""Entries that are written at once."""


@dataclass(slots=True)
class _Folded:
    begun: float
    times: int = 0
    """Since the last entry."""
    last: AuditEvent | None = None

    def is_over(self, now: float) -> bool:
        """Also after a clock that was set back."""
        return not self.begun <= now < self.begun + _WINDOW


class FoldedTrail:
    """Writes to a trail."""

    def __init__(self, audit: AuditLog, most: int = MOST) -> None:
        self._audit, self._most = audit, most
        self._folded: dict[Hashable, _Folded] = {}

    def __len__(self) -> int:
        """Names and addresses that are told apart."""
        return len(self._folded)

    async def append(self, key: Hashable, event: AuditEvent) -> bool:
        """Write it, or count it to the last entry of the same key: False. Raises StoreError: then it is counted."""
        folded = self._folded.get(key)
        if folded is None and len(self._folded) >= self._most:
            key, folded = None, self._folded.get(None)
            event = replace(event, detail={**event.detail, "others": f"names and addresses beyond {self._most} share this"})
        if folded is None:
            folded = self._folded[key] = _Folded(event.time)
        elif not folded.is_over(event.time):
            folded.times, folded.last = folded.times + 1, event
            return False
        await self._write(folded, event, folded.times + 1, event.time)
        return True

    async def flush(self, now: float, *, everything: bool = False) -> None:
        """Write what was counted in minutes that are over (everything: in all), and forget those. Raises StoreError."""
        over = [(key, folded) for key, folded in self._folded.items() if everything or folded.is_over(now)]
        for key, folded in over:
            if folded.last is None:
                del self._folded[key]
        counted = [(folded, folded.last) for _, folded in over if folded.last is not None]
        for first in range(0, len(counted), _TOGETHER):
            part = counted[first : first + _TOGETHER]
            await asyncio.gather(*(self._write(folded, last, folded.times, now) for folded, last in part))

    async def _write(self, folded: _Folded, event: AuditEvent, times: int, now: float) -> None:
        folded.begun, folded.times, folded.last = now, 0, None
        detail = {**event.detail, "times": str(times)} if times > 1 else event.detail
        try:
            await self._audit.append(replace(event, detail=detail))
        except StoreError:
            folded.times, folded.last = folded.times + times, folded.last or event
            raise
