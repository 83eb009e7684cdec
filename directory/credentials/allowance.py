"""How many wrong passwords may still be spent on an account, and holding one of them while a bind is under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from directory.credentials.guard import decide, read_counters
from directory.credentials.lockout_policy import policy_without_counts, resultant_policy
from directory.credentials.password_policy import BrokenRule, find_broken_rule
from directory.credentials.policies import PolicyReader
from directory.credentials.reservations import Reservations
from directory.ldap import LdapConnection, codec
from directory.model import CheckOutcome, CheckResult, PasswordRequirements
from directory.people import Account
from directory.settings import DirectorySettings

_NO_LIMIT = 1_000_000
_PASSWORD_SET = codec.attribute_list(("pwdLastSet",))


class Allowance(NamedTuple):
    """What the lockout guard says of one account."""

    refused: CheckResult | None
    """Where nothing may be bound."""
    attempts: int
    """Wrong passwords that may be spent …"""
    read_at: float
    """… beside those that are in AD's count, or older than this (time.monotonic())."""


class Reservation:
    """One attempt, taken for as long as the block lasts; the block gets None where none was left, or free in time."""

    __slots__ = ("_allowance", "_give_up", "_key", "_reservations", "_taken", "refused")

    def __init__(self, reservations: Reservations, key: bytes, allowance: Allowance, give_up: float) -> None:
        self.refused = True
        """Until the answer is here, it may have been counted: so it is where the attempt is cancelled or its answer lost."""
        self._reservations, self._key, self._allowance, self._give_up = reservations, key, allowance, give_up
        self._taken = False

    async def __aenter__(self) -> Reservation | None:
        allowance = self._allowance
        self._taken = await self._reservations.take(
            self._key, allowance.attempts, read_at=allowance.read_at, give_up=self._give_up
        )
        return self if self._taken else None

    async def __aexit__(self, *_: object) -> None:
        if self._taken:
            self._reservations.give_back(self._key, refused=self.refused)


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

    async def broken_rule(
        self, connection: LdapConnection, account: Account, password: str, skew: float
    ) -> BrokenRule | None:
        """Which rule refused this new password; None where nobody can know. Raises LdapConnectionError, ServerRefused."""
        policy = await self._policies.new_password_policy(connection, resultant_policy(account.entry))
        if policy is None:
            return None
        timeout = self._settings.search_timeout
        found = await connection.search(
            account.dn.encode(), codec.SCOPE_BASE, codec.ANYTHING, _PASSWORD_SET, limit=1, timeout=timeout
        )
        entry = {**account.entry, **found[0][1]} if found else account.entry
        return find_broken_rule(policy, entry, password, self._clock() + skew)

    async def requirements(self, connection: LdapConnection, account: Account, skew: float) -> PasswordRequirements | None:
        """What a new password has to be; None where nobody can know. Raises LdapConnectionError, ServerRefused."""
        if self._settings.kind != "ad":
            return None
        policy = await self._policies.new_password_policy(connection, resultant_policy(account.entry))
        return policy.requirements(account.entry, self._clock() + skew) if policy is not None else None

    def known_requirements(self, account: Account, skew: float) -> PasswordRequirements | None:
        """The same, as far as the lockout guard has read it: whoever signs in does not wait for it."""
        policy = self._policies.known_new_password_policy(resultant_policy(account.entry))
        return policy.requirements(account.entry, self._clock() + skew) if policy is not None else None

    def reserve(self, account: Account, allowance: Allowance, give_up: float) -> Reservation:
        """Hold one attempt for as long as a block lasts; give_up: time.monotonic()."""
        return Reservation(self._reservations, account.guid, allowance, give_up)
