"""The lockout guard: never spend an account's last wrong passwords. Pure; all times are Unix seconds.

A domain controller counts wrong passwords in `badPwdCount`, forgets them when the observation window after the last one
(`badPasswordTime`) has gone by, and locks the account when the count reaches the threshold. With a threshold of 5 and
a margin of 1 an attempt is allowed while fewer than 4 are counted: were it wrong, one would still be left.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import NamedTuple

UF_LOCKOUT = 0x10
"""In msDS-User-Account-Control-Computed (MS-ADTS 3.1.1.4.5.17)."""
_EPOCH = 11_644_473_600
_STEPS = 10_000_000


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """Of a domain, or of a password settings object."""

    threshold: int
    """Wrong passwords that lock; 0 never locks."""
    window: float
    """Seconds after which wrong passwords are forgotten."""
    duration: float
    """Seconds that a lock lasts; infinity until an administrator ends it."""


class Counters(NamedTuple):
    """What one domain controller knows about one account."""

    bad_count: int
    bad_time: float
    locked_at: float
    """0 where it is not locked."""
    computed: int | None
    """msDS-User-Account-Control-Computed, or None where it was not asked for."""


class Decision(NamedTuple):
    """What the guard says."""

    locked: bool
    """The account is locked now: a bind would only be refused."""
    allowance: int | None
    """Wrong passwords that may still be spent, 0 for none; None without a limit."""
    detail: str


def from_filetime(value: int) -> float:
    """A FILETIME (100 ns since 1601) as Unix seconds; 0 stays 0."""
    return value / _STEPS - _EPOCH if value > 0 else 0.0


def from_generalized_time(value: bytes) -> float | None:
    """A GeneralizedTime in UTC (RFC 4517 section 3.3.13) as Unix seconds, to the second; None where it is none."""
    try:
        return dt.datetime.strptime(value[:14].decode(), "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        return None


def from_interval(value: int) -> float:
    """A negative interval of 100 ns steps as seconds; the smallest integer means for ever."""
    return math.inf if value <= -(2**63) else -value / _STEPS


def effective_count(counters: Counters, policy: LockoutPolicy, now: float) -> int:
    """Wrong passwords that still count."""
    if counters.bad_count and counters.bad_time + policy.window <= now:
        return 0
    return counters.bad_count


def is_locked(counters: Counters, policy: LockoutPolicy, now: float) -> bool:
    """The server's own word where it was asked for, else lockoutTime and the policy's duration."""
    if counters.computed is not None:
        return bool(counters.computed & UF_LOCKOUT)
    if counters.locked_at <= 0:
        return False
    return policy.duration <= 0 or now < counters.locked_at + policy.duration


def decide(counters: Counters, policy: LockoutPolicy, margin: int, now: float) -> Decision:
    """What may be done to an account in this state, under this policy."""
    if is_locked(counters, policy, now):
        return Decision(True, 0, "lockoutTime is set")
    if policy.threshold <= 0:
        return Decision(False, None, "")
    count = effective_count(counters, policy, now)
    allowance = max(0, policy.threshold - margin - count)
    return Decision(False, allowance, "" if allowance else f"{count} of {policy.threshold} wrong, margin {margin}")
