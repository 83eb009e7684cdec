"""Wrong passwords that are being spent right now: keeps several checks of one account from overrunning the guard.

Each of them has read the same `badPwdCount`; were all wrong, the count would pass what the guard allowed. So a bind
first reserves one of the allowed attempts. What was refused after the count was read is added to it; what is still
under way is waited for, since it will probably be right and then costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

_KEEP = 1800.0
"""Seconds that a spent attempt is remembered when memory is short: AD's usual observation window."""


class _Account:
    __slots__ = ("refused", "under_way", "waiting")

    def __init__(self) -> None:
        self.under_way = 0
        self.waiting: set[asyncio.Future[None]] = set()
        self.refused: deque[float] = deque(maxlen=64)


class Reservations:
    """By account (any hashable key); times are `time.monotonic()` seconds."""

    def __init__(self, *, most_accounts: int = 10_000) -> None:
        self._accounts: dict[bytes, _Account] = {}
        self._most = most_accounts

    def __len__(self) -> int:
        """Accounts that something is remembered about."""
        return len(self._accounts)

    async def take(self, key: bytes, allowance: int, *, read_at: float, give_up: float) -> bool:
        """Reserves one attempt of `allowance`, beside those refused since `read_at`; waits for others until `give_up`."""
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= self._most:
                self._forget(time.monotonic())
            account = self._accounts[key] = _Account()
        while True:
            refused = sum(1 for at in account.refused if at >= read_at)
            if refused >= allowance:
                return False
            if refused + account.under_way < allowance:
                account.under_way += 1
                return True
            changed = asyncio.get_running_loop().create_future()
            account.waiting.add(changed)
            try:
                await asyncio.wait((changed,), timeout=max(0.0, give_up - time.monotonic()))
            finally:
                account.waiting.discard(changed)
            if not changed.done():
                return False

    def give_back(self, key: bytes, *, refused: bool) -> None:
        """The attempt is over; `refused` where it may have been counted."""
        account = self._accounts[key]
        account.under_way -= 1
        if refused:
            account.refused.append(time.monotonic())
        if account.waiting:
            for changed in account.waiting:
                if not changed.done():
                    changed.set_result(None)
        elif not account.under_way and not account.refused:
            del self._accounts[key]

    def _forget(self, now: float) -> None:
        idle = [
            key
            for key, account in self._accounts.items()
            if not account.under_way and not account.waiting and (not account.refused or account.refused[-1] < now - _KEEP)
        ]
        for key in idle:
            del self._accounts[key]
