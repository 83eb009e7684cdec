"""Settings of admission."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from settings import Bounds, Unfit

LONGEST_NAME = 256
"""Characters of a user name; no directory is asked about more. sAMAccountName has 256 at most (MS-ADA3); of a
userPrincipalName the schema allows 1024, and none that people type is near that."""
LONGEST_LEASE = 300.0
"""Seconds that an attempt can be under way at most, even where the clock was set back meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings:
    """Smart lockout and throttling. Microsoft's defaults where there are any."""

    threshold: Annotated[int, Bounds(most=999)] = 4
    """Number of different wrong passwords in a row after which an account is locked by the relay, regardless of how
    its name is spelt. Must be lower than AD's own lockout threshold, so that attackers lock accounts here and not
    in AD."""
    lock_seconds: float = 60.0
    """Duration of the first lock, in seconds. May be shorter than AD's observation window ("reset account lockout counter
    after"), because the agent's lockout guard keeps attackers from locking the account in AD."""
    lock_ceiling: float = 3600.0
    """Maximum duration of a lock, in seconds; each consecutive lock lasts twice as long as the previous one."""
    forget_after: float = 86400.0
    """Time after the last wrong password until a user name's record is deleted, in seconds."""
    remembered_passwords: Annotated[int, Bounds(most=100, zero=True)] = 3
    """Number of recent wrong passwords that are remembered (as keyed digests); entering one of them again does not
    count. 0: every attempt counts."""
    address_failures: int = 30
    """Maximum number of different user names that may fail from one address within `address_window` (protection
    against password spraying)."""
    address_rate: int = 120
    """Maximum number of attempts of any kind from one address within `address_window`. Raise it if a whole site
    shares one address."""
    address_enrolments: int = 20
    """Maximum number of agent enrolments from one address within `address_window`."""
    address_window: float = 60.0
    """Period over which the attempts of an address are counted, in seconds."""
    records: int = 200_000
    """Maximum number of records of names and accounts, and of addresses; beyond that the oldest empty records are
    deleted, then the oldest that are not locked. Records are kept in the memory of a single node, or in the shared
    database of several nodes. A locked name takes 0.8 KB, a locked account 1.2 KB in three records; users without
    wrong passwords take no space."""

    def contradictions(self) -> Iterator[Unfit]:
        """A longest lock that is shorter than the first one."""
        if self.lock_ceiling < self.lock_seconds:
            problem = f"{self.lock_ceiling:g} is shorter than the first lock (lock_seconds, {self.lock_seconds:g})"
            yield Unfit(problem, "give at least as much", setting="lock_ceiling")
