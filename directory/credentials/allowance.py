"""How many wrong passwords may still be spent on an account, and holding one of them while a bind is under way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from directory.credentials.guard import decide, read_counters
from directory.credentials.lockout_policy import policy_without_counts, resultant_policy
from directory.credentials.policies import PolicyReader
from directory.credentials.reservations import Reservations
from directory.ldap import LdapConnection
from directory.model import CheckOutcome, CheckResult
from directory.people import Account
from directory.settings import DirectorySettings

_NO_LIMIT = 1_000_000


class Allowance(NamedTuple):
    """What the lockout guard says of one account."""

    refused: CheckResult | None
    """Where nothing may be bound."""
    attempts: int
    """Wrong passwords that may be spent …"""
    read_at: float
    """… beside those that are in AD's count, or older than this (time.monotonic())."""


@dataclass(slots=True)
class Reservation:
    """One attempt that is taken."""

    refused: bool = True
    """Until the answer is here, it may have been counted: so it is where the attempt is cancelled or its answer lost."""


class Allowances:
    """One for a directory. clock: Unix seconds."""

    def __init__(self, settings: DirectorySettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._policies = PolicyReader(settings)
        self._reservations = Reservations()
        self._unguarded = settings.kind != "ad" or not settings.lockout_guard

    async def of(self, connection: LdapConnection, account: Account, read_at: float, skew: float) -> Allowance:
        """Of an account that was read at `read_at`, by a server whose clock is `skew` seconds ahead of ours.

        Raises LdapConnectionError, ServerRefused.
        """
        if self._unguarded:
            return Allowance(None, _NO_LIMIT, read_at)
        settings, entry = self._settings, account.entry
        policy = await self._policies.policy(connection, resultant_policy(entry))
        if not await self._policies.counts_are_readable(connection, seen=b"badpwdcount" in entry):
            policy = policy_without_counts(policy, settings.unreadable_policy_threshold)
            read_at -= policy.window
        decision = decide(read_counters(entry), policy, settings.lockout_margin, self._clock() + skew)
        if decision.locked:
            return Allowance(CheckResult(CheckOutcome.ACCOUNT_LOCKED, detail=decision.detail), 0, read_at)
        if decision.allowance == 0:
            return Allowance(CheckResult(CheckOutcome.WOULD_LOCK_OUT, detail=decision.detail), 0, read_at)
        return Allowance(None, decision.allowance if decision.allowance is not None else _NO_LIMIT, read_at)

    @asynccontextmanager
    async def reserve(self, account: Account, allowance: Allowance, give_up: float) -> AsyncIterator[Reservation | None]:
        """Hold one attempt; None where none was left, or free by `give_up` (time.monotonic()). Say on it what came of it."""
        reservations, key = self._reservations, account.guid
        if not await reservations.take(key, allowance.attempts, read_at=allowance.read_at, give_up=give_up):
            yield None
            return
        reservation = Reservation()
        try:
            yield reservation
        finally:
            reservations.give_back(key, refused=reservation.refused)
