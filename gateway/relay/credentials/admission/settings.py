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
    """Different wrong passwords in a row after which an account is locked here, however its name is spelt. Must lie below
    AD's own lockout threshold, so that outsiders lock accounts here and not in AD."""
    lock_seconds: float = 60.0
    """Seconds of the first lock; should last longer than AD's observation window shrinks its count."""
    lock_ceiling: float = 3600.0
    """Seconds of the longest lock; each lock in a row is twice as long as the one before."""
    forget_after: float = 86400.0
    """Seconds after the last wrong password until a user name's record is forgotten."""
    remembered_passwords: Annotated[int, Bounds(most=100, zero=True)] = 3
    """How many of the last wrong passwords are remembered (as keyed digests); typing one of them again does not count.
    0: each counts."""
    address_failures: int = 30
    """Different user names that one address may fail for within `address_window`: password spraying shows in breadth."""
    address_rate: int = 120
    """Attempts of any kind that one address may make within `address_window`. Raise it if a whole site sits behind one
    address."""
    address_enrolments: int = 20
    """Enrolments of agents that one address may ask for within `address_window`."""
    address_window: float = 60.0
    """Seconds over which an address is judged."""
    records: int = 200_000
    """Records of names and accounts at most, and addresses as many; beyond that the oldest go that hold nothing, then the
    oldest that are not locked. Of one node in its memory, of several together in their database. A locked name takes 0.8 KB,
    a locked account 1.2 KB in three records, whoever did nothing wrong nothing."""

    def contradictions(self) -> Iterator[Unfit]:
        """A longest lock that is shorter than the first one."""
        if self.lock_ceiling < self.lock_seconds:
            problem = f"{self.lock_ceiling:g} is shorter than the first lock (lock_seconds, {self.lock_seconds:g})"
            yield Unfit(problem, "give at least as much", setting="lock_ceiling")
