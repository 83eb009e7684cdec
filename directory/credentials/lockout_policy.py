"""Lockout policies of Active Directory: what their attributes say, and what to assume where they say nothing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from directory.ldap.codec import Entry
from directory.ldap.values import from_interval, integer_of

_ASSUMED_SECONDS = 1800.0
"""Window and duration where the policy is not readable: what Active Directory proposes itself."""


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """Of a domain, or of a password settings object."""

    threshold: int
    """Wrong passwords that lock; 0 never locks."""
    window: float
    """Seconds after which wrong passwords are forgotten."""
    duration: float
    """Seconds that a lock lasts; infinity until an administrator ends it."""


NEVER_LOCKS = LockoutPolicy(threshold=0, window=0.0, duration=0.0)


def resultant_policy(account: Entry) -> bytes | None:
    """DN of an account's fine-grained password policy (msDS-ResultantPSO), if there is one."""
    values = account.get(b"msds-resultantpso")
    return values[0] if values else None


def read_policy(entry: Entry, names: Sequence[bytes]) -> LockoutPolicy:
    """Threshold, window and duration from the three attributes of these names."""
    threshold, window, duration = (integer_of(entry, name) for name in names)
    if threshold <= 0:
        return NEVER_LOCKS
    return LockoutPolicy(threshold=threshold, window=from_interval(window), duration=from_interval(duration))


def assumed_policy(threshold: int) -> LockoutPolicy:
    """For people under a policy that may not be read."""
    return LockoutPolicy(threshold=threshold, window=_ASSUMED_SECONDS, duration=_ASSUMED_SECONDS)


def policy_without_counts(policy: LockoutPolicy, threshold: int) -> LockoutPolicy:
    """What to go by where AD's count cannot be seen, only our own: some of it may be spent already. 0 still never locks."""
    return replace(policy, threshold=min(policy.threshold, threshold))
