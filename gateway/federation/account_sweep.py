"""Asks about the accounts behind sessions and grants that nobody uses: a duty, in portions, at a bounded pace.

Who is disabled is signed out so without coming back; and while agents answer, no session or grant stays unchecked so long
that a short outage would end it. Every write is harmless twice: a node that has lost the duty does no damage.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import structlog
from msgspec import MsgspecError

from gateway.federation.oidc import GrantChecks
from gateway.housekeeping import Housekeeping, Sleep
from gateway.signin import PATIENCE, Sessions
from gateway.store import GrantRecord, SessionRecord, Store, StoreError

log = structlog.get_logger()

PACE: Final = 60.0
"""Seconds between two rounds; less where `unchecked_lifetime` is short."""
LEASE: Final = 120.0
"""Seconds."""
ROUND: Final = 45.0
"""Seconds after which a round ends, wherever it is: agents may be slow."""
AT_ONCE: Final = 8
"""Questions under way."""
_DUTY: Final = "account checks"


_Record = TypeVar("_Record", GrantRecord, SessionRecord)


class AccountSweep:
    """lifetime: `unchecked_lifetime`, in seconds; each account is asked about four times within it, as far as `per_minute`,
    the most questions of a minute, allows. clock: Unix seconds."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        grants: GrantChecks,
        clock: Callable[[], float],
        *,
        lifetime: float,
        per_minute: int,
    ) -> None:
        self._store, self._sessions, self._grants, self._clock = store, sessions, grants, clock
        self._every = lifetime / 4
        self.pace = min(PACE, self._every)
        self._most = max(1, int(per_minute * self.pace / 60 / 2))
        self._holder = f"{store.node}-{secrets.token_hex(4)}"
        self._places: dict[str, bytes] = {}
        """Up to where the last rounds came: those of whom nobody knows are not asked about again before the others."""

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Sweep, for as long as the relay serves."""

        async def keep_sweeping() -> None:
            while True:
                await sleep(self.pace)
                try:
                    await self.run()
                except StoreError as error:
                    log.warning("account_checks.postponed", error=str(error))

        housekeeping.beside("relay-account-checks", keep_sweeping)

    async def run(self) -> None:
        """One round, unless another node is at it. Raises StoreError."""
        now = self._clock()
        lease = await self._store.duties.take(_DUTY, self._holder, now=now, until=now + LEASE)
        if lease is None:
            return
        try:
            before = now - self._every
            sessions = await self._store.sessions.unchecked(before, self._place("sessions"), self._most, now)
            await self._each("sessions", sessions, self._check_session, now)
            grants = await self._store.grants.unchecked(before, self._place("grants"), self._most, now)
            await self._each("grants", grants, self._grants.sweep, now)
        finally:
            await self._store.duties.give_up(lease)

    def _place(self, name: str) -> bytes:
        return self._places.get(name, b"")

    async def _each(
        self, name: str, records: Sequence[_Record], check: Callable[[_Record], Awaitable[None]], began: float
    ) -> None:
        """Check them, a few at a time. From the last one on the next round continues; behind the end it starts anew."""
        for first in range(0, len(records), AT_ONCE):
            if not 0 <= self._clock() - began < ROUND:
                return
            some = records[first : first + AT_ONCE]
            outcomes = await asyncio.gather(*(check(record) for record in some), return_exceptions=True)
            for failed in filter(None, outcomes):
                raise failed
            self._places[name] = some[-1].digest
        if len(records) < self._most:
            self._places.pop(name, None)

    async def _check_session(self, record: SessionRecord) -> None:
        try:
            session = self._sessions.read(record)
        except MsgspecError:
            log.error("session.unreadable", account=record.account.object)  # noqa: TRY400 - the next ones are checked
            return
        await self._sessions.check(session, patience=PATIENCE)
