"""Where a lockout policy comes from, and what attribute values mean: the lockout guard is as right as they are."""

from __future__ import annotations

import math

import pytest

from directory.credentials.guard import Counters, read_counters
from directory.credentials.lockout_policy import (
    NEVER_LOCKS,
    LockoutPolicy,
    assumed_policy,
    policy_without_counts,
    read_policy,
    resultant_policy,
)
from directory.ldap.naming_contexts import domain_root
from directory.ldap.values import as_text, format_guid, format_sid, integer_of, text_of

NAMES = (b"lockoutthreshold", b"lockoutobservationwindow", b"lockoutduration")
MINUTE = 600_000_000
"""In steps of 100 ns."""


@pytest.mark.parametrize(
    ("base_dn", "root"),
    [
        ("DC=corp,DC=example,DC=com", "DC=corp,DC=example,DC=com"),
        ("OU=People,OU=Köln,dc=corp,dc=example", "dc=corp,dc=example"),
        ("OU=People, DC=corp, DC=example", "DC=corp, DC=example"),
        (r"OU=a\,DC=b,DC=corp", "DC=corp"),
        ("ou=people,o=example", "ou=people,o=example"),
    ],
)
def test_the_domain_of_a_base_dn(base_dn: str, root: str) -> None:
    """Its last DC parts: that is where the domain's policy stands. A comma that is escaped ends nothing."""
    assert domain_root(base_dn) == root


def test_a_policy_is_read_from_three_attributes() -> None:
    """Threshold, window, duration; an interval without end is one."""
    entry = {NAMES[0]: [b"5"], NAMES[1]: [b"%d" % (-30 * MINUTE)], NAMES[2]: [b"%d" % (-10 * MINUTE)]}
    assert read_policy(entry, NAMES) == LockoutPolicy(threshold=5, window=1800.0, duration=600.0)
    entry[NAMES[2]] = [b"%d" % -(2**63)]
    assert read_policy(entry, NAMES).duration == math.inf
    entry[NAMES[0]] = [b"1"]
    assert read_policy(entry, NAMES).threshold == 1


@pytest.mark.parametrize("threshold", [b"0", b"-1", b"many"])
def test_a_policy_without_a_threshold_never_locks(threshold: bytes) -> None:
    """Whatever its window and duration are."""
    entry = {NAMES[0]: [threshold], NAMES[1]: [b"%d" % (-30 * MINUTE)], NAMES[2]: [b"%d" % (-10 * MINUTE)]}
    assert read_policy(entry, NAMES) == read_policy({}, NAMES) == NEVER_LOCKS == LockoutPolicy(0, 0.0, 0.0)


def test_an_account_may_have_a_policy_of_its_own() -> None:
    """msDS-ResultantPSO names it."""
    assert resultant_policy({b"msds-resultantpso": [b"CN=strict"]}) == b"CN=strict"
    assert resultant_policy({b"msds-resultantpso": []}) is None
    assert resultant_policy({}) is None


def test_what_is_assumed_of_a_policy_that_cannot_be_read() -> None:
    """The threshold that the settings name, for half an hour."""
    assert assumed_policy(7) == LockoutPolicy(threshold=7, window=1800.0, duration=1800.0)


@pytest.mark.parametrize(("threshold", "expected"), [(10, 3), (3, 3), (2, 2), (1, 1)])
def test_where_the_count_is_not_readable_the_lower_threshold_holds(threshold: int, expected: int) -> None:
    """Of the policy's and the settings'; the rest of the policy stays."""
    policy = policy_without_counts(LockoutPolicy(threshold, 60.0, 70.0), 3)
    assert policy == LockoutPolicy(expected, 60.0, 70.0)


def test_where_nothing_locks_no_count_is_needed() -> None:
    """Nor is a threshold made up; one of one wrong password is one."""
    assert policy_without_counts(NEVER_LOCKS, 3) == NEVER_LOCKS
    assert policy_without_counts(LockoutPolicy(1, 60.0, 70.0), 0).threshold == 0


def test_the_counters_of_an_account() -> None:
    """Each from its own attribute; times are FILETIMEs, and an account that never failed has none."""
    entry = {
        b"badpwdcount": [b"3"],
        b"badpasswordtime": [b"116444736010000000"],
        b"lockouttime": [b"116444736020000000"],
    }
    assert read_counters(entry) == Counters(3, 1.0, 2.0, None)
    assert read_counters({}) == Counters(0, 0.0, 0.0, None)


def test_attribute_values() -> None:
    """Numbers that are none are 0, text that is none is empty or base64."""
    entry = {b"number": [b"-7", b"8"], b"word": [b"Anna", b"Ben"], b"none": [], b"bytes": [b"a\xff"]}
    assert [integer_of(entry, name) for name in (b"number", b"word", b"none", b"absent")] == [-7, 0, 0, 0]
    assert [text_of(entry, name) for name in (b"word", b"none", b"absent", b"bytes")] == ["Anna", "", "", "a\ufffd"]
    assert [as_text(value) for value in ("Köln".encode(), b"\xff\x00", b"a\x07")] == ["Köln", "/wA=", "YQc="]


def test_sids_and_guids() -> None:
    """The authority is big-endian and six bytes, the parts after it are little-endian and four; only as many as it says."""
    raw = bytes([1, 2, 0, 0, 1, 0, 0, 5]) + (21).to_bytes(4, "little") + (2**31 + 1).to_bytes(4, "little")
    assert format_sid(raw) == format_sid(raw + b"more") == "S-1-16777221-21-2147483649"
    guid = bytes(range(16))
    assert format_guid(guid) == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert format_guid(b"0A0B-entryUUID") == "0a0b-entryuuid"
    assert format_guid(b"\xff") == "\ufffd"
