"""The lockout guard: what may still be spent on an account."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from directory.credentials.guard import Counters, decide, effective_count, is_locked
from directory.credentials.lockout_policy import LockoutPolicy

POLICY = LockoutPolicy(threshold=5, window=1800.0, duration=1800.0)
NOW = 1_800_000_000.0


def counters(bad: int = 0, at: float = NOW - 10, locked: float = 0.0, computed: int | None = None) -> Counters:
    """Of a domain controller."""
    return Counters(bad, at, locked, computed)


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 5))
def test_the_guard_never_lets_the_last_attempts_be_spent(bad: int, threshold: int, margin: int) -> None:
    """After all that it allows were wrong, at least `margin` wrong passwords are left before the lock."""
    decision = decide(counters(bad), LockoutPolicy(threshold, 1800.0, 1800.0), margin, NOW)
    assert decision.allowance is not None
    assert decision.allowance == 0 or bad + decision.allowance <= threshold - margin


def test_an_old_count_does_not_count_and_a_lock_ends() -> None:
    """After the observation window AD starts at one again; after the lockout duration the account is open."""
    assert effective_count(counters(4, NOW - 1800), POLICY, NOW) == 0
    assert effective_count(counters(4, NOW - 1799), POLICY, NOW) == 4
    assert is_locked(counters(locked=NOW - 1799), POLICY, NOW)
    assert not is_locked(counters(locked=NOW - 1801), POLICY, NOW)
    assert is_locked(counters(locked=NOW - 1e9), LockoutPolicy(5, 1800.0, math.inf), NOW)


def test_the_servers_own_word_on_a_lock_wins() -> None:
    """msDS-User-Account-Control-Computed."""
    assert is_locked(counters(computed=0x10), POLICY, NOW)
    assert not is_locked(counters(locked=NOW, computed=0), POLICY, NOW)


def test_no_threshold_no_limit_and_locked_means_locked() -> None:
    """A threshold of 0 never locks."""
    assert decide(counters(100), LockoutPolicy(0, 0.0, 0.0), 1, NOW).allowance is None
    assert decide(counters(locked=NOW), POLICY, 1, NOW).locked
