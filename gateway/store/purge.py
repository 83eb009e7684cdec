"""Forgets what has expired: a duty, so that of several nodes one does it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from gateway.housekeeping import Housekeeping
from gateway.store.errors import StoreError
from gateway.store.store import Store

LEASE = 50.0
"""Seconds; less than the minute after which the next one is due."""


class Purge:
    """Once a minute, in portions. clock: Unix seconds."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._holder = f"{store.node}-{secrets.token_hex(4)}"

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Once a minute."""
        housekeeping.every_minute("purge", self.run)

    async def run(self) -> None:
        """Purge, unless somebody else does. Raises StoreError."""
        now = self._clock()
        lease = await self._store.duties.take("purge", self._holder, now=now, until=now + LEASE)
        if lease is None:
            return
        try:
            store = self._store
            for subject in (
                store.sessions,
                store.grants,
                store.participants,
                store.once,
                store.seen,
                store.admission,
                store.presence,
            ):
                await subject.purge(now)
        except StoreError:
            await self._store.duties.give_up(lease)  # somebody else, or we next minute, may have more luck
            raise
