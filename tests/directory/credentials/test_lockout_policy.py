"""Lockout policies as their attributes say, and as they are assumed where nothing says."""

from __future__ import annotations

import math

import pytest

from directory.credentials.guard import Counters, read_counters
from directory.credentials.lockout_policy import (
    NEVER_LOCKS,
    LockoutPolicy,
    assumed_policy,
    domain_root,
    policy_without_counts,
    read_policy,
    resultant_policy,
)

NAMES = (b"lockoutthreshold", b"lockoutobservationwindow", b"lockoutduration")


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("DC=corp,DC=example,DC=com", "DC=corp,DC=example,DC=com"),
        ("OU=People,DC=corp,DC=example", "DC=corp,DC=example"),
        ("ou=a\\,dc=b,dc=corp, dc=example", "dc=corp, dc=example"),
        ("o=Example", "o=Example"),
        ("", ""),
    ],
)
def test_a_policy_stands_at_the_root_of_the_domain(base: str, root: str) -> None:
    """Wherever below it people are searched for; an escaped comma is part of a name."""
    assert domain_root(base) == root


def test_a_policy_is_read_from_three_attributes() -> None:
    """Intervals are negative steps of 100 ns; the smallest integer is without end."""
    entry = {NAMES[0]: [b"5"], NAMES[1]: [b"-18000000000"], NAMES[2]: [str(-(2**63)).encode()]}
    assert read_policy(entry, NAMES) == LockoutPolicy(5, 1800.0, math.inf)


@pytest.mark.parametrize("threshold", [b"0", b"-1", b"x"])
def test_no_threshold_never_locks(threshold: bytes) -> None:
    """Whatever the other two say."""
    assert read_policy({NAMES[0]: [threshold], NAMES[1]: [b"-18000000000"]}, NAMES) == NEVER_LOCKS


def test_what_is_assumed_forgets_after_half_an_hour() -> None:
    """As Active Directory proposes."""
    assert assumed_policy(3) == LockoutPolicy(3, 1800.0, 1800.0)


def test_without_a_readable_count_the_smaller_threshold_holds() -> None:
    """A policy that never locks stays: there is nothing to be careful about."""
    policy = LockoutPolicy(10, 60.0, 120.0)
    assert policy_without_counts(policy, 3) == LockoutPolicy(3, 60.0, 120.0)
    assert policy_without_counts(policy, 20) == policy
    assert policy_without_counts(NEVER_LOCKS, 3) == NEVER_LOCKS


def test_what_an_account_says_of_itself() -> None:
    """Its fine-grained policy and its counters; nothing is zero, and no policy."""
    entry = {
        b"msds-resultantpso": [b"CN=strict"],
        b"badpwdcount": [b"3"],
        b"badpasswordtime": [b"116444736010000000"],
        b"lockouttime": [b"116444736020000000"],
    }
    assert resultant_policy(entry) == b"CN=strict"
    assert read_counters(entry) == Counters(3, 1.0, 2.0, None)
    assert resultant_policy({}) is None
    assert read_counters({}) == Counters(0, 0.0, 0.0, None)
