"""Why Active Directory refused a new password: the first of its rules that the password breaks."""

from __future__ import annotations

import math

import pytest

from directory.credentials.password_policy import (
    KINDS,
    PasswordPolicy,
    find_broken_rule,
    is_complex,
    read_new_password_policy,
)
from directory.ldap import Entry
from directory.model import PasswordRequirements, PasswordRule

NOW = 1_800_000_000.0
DAY = 86_400.0
POLICY = PasswordPolicy("the domain's policy", least_characters=12, history=24, complexity=True, least_age=DAY)
GOOD = "Lagoon-Strait-01"


def account(*, age: float = 2 * DAY, must_change: bool = False) -> Entry:
    """age: seconds since its password was set."""
    changed = 0 if must_change else int((NOW - age + 11_644_473_600) * 10_000_000)
    return {b"pwdlastset": [str(changed).encode()], b"samaccountname": [b"anna"], b"displayname": [b"Berg, Anna-Lena (IT)"]}


@pytest.mark.parametrize(
    ("age", "password", "rule", "value", "said"),
    [
        (-1.0, "x", PasswordRule.MIN_AGE, int(DAY), f"minimum age, {int(DAY)} s left, of the domain's policy"),
        (DAY - 90.0, "x", PasswordRule.MIN_AGE, 90, "minimum age, 90 s left, of the domain's policy"),
        (DAY, "x" * 11, PasswordRule.MIN_LENGTH, 12, "minimum length 12, of"),
        (DAY, "\U0001f970" * 5, PasswordRule.MIN_LENGTH, 12, "minimum length 12, of"),
        (DAY, "\U0001f970" * 6, PasswordRule.COMPLEXITY, KINDS, "complexity, of"),
        (DAY, "x" * 12, PasswordRule.COMPLEXITY, KINDS, "complexity, of"),
        (DAY, GOOD, PasswordRule.HISTORY, 24, "history of 24, or a password filter, of"),
    ],
)
def test_the_first_rule_that_is_broken_is_named(
    age: float, password: str, rule: PasswordRule, value: int, said: str
) -> None:
    """In the order of MS-SAMR 3.1.1.7: a young password is not called too simple. Characters are UTF-16's."""
    broken = find_broken_rule(POLICY, account(age=age), password, NOW)
    assert broken is not None
    assert (broken.rule, broken.value) == (rule, value)
    assert broken.detail.startswith(said)


def test_a_password_that_must_be_changed_has_no_age() -> None:
    """Nor one that nobody has set."""
    for entry in (account(must_change=True), {}):
        broken = find_broken_rule(POLICY, entry, "x", NOW)
        assert broken is not None
        assert broken.rule is PasswordRule.MIN_LENGTH


def test_a_rule_that_is_off_refuses_nothing() -> None:
    """What is left then is not known."""
    lax = PasswordPolicy("CN=lax", least_characters=0, history=0, complexity=False, least_age=0.0)
    for age in (0.0, -0.9):  # the clocks are compared to the second
        assert find_broken_rule(lax, account(age=age), "x", NOW) is None


@pytest.mark.parametrize(
    ("entry", "least_age", "wait"),
    [
        (account(age=2 * DAY), DAY, 0),
        (account(age=DAY - 89.5), DAY, 90),
        (account(age=-1.0), DAY, int(DAY)),
        (account(must_change=True), DAY, 0),
        ({}, DAY, 0),
        (account(age=0.0), 0.0, 0),
        (account(age=0.0), math.inf, 0),  # never: of no use to somebody who waits
    ],
)
def test_what_is_told_before_anything_is_typed(entry: Entry, least_age: float, wait: int) -> None:
    """The rules, and how long the minimum age of this password still lasts."""
    policy = POLICY._replace(least_age=least_age)
    assert policy.requirements(entry, NOW) == PasswordRequirements(least_characters=12, kinds=KINDS, history=24, wait=wait)


@pytest.mark.parametrize(
    ("password", "complex_enough"),
    [
        ("abcDEF123", True),
        ("abc123!", True),
        ("abcDEFghi", False),
        ("abc\u20ac\u20ac123", False),  # currency signs are no special characters
        ("abc\u4e16123", True),  # letters without case are a kind of their own
        ("\u0431\u0411123", True),
        ("xxANNA123!", False),  # the account's name
        ("Lena-123!x", False),  # a part of the full name, in any case
        ("It-123456x", True),  # shorter than three
        ("Berg, Anna1", False),
    ],
)
def test_what_is_complex_enough(password: str, complex_enough: bool) -> None:
    """Three of five kinds, no name of three characters or more."""
    assert is_complex(password, "anna", "Berg, Anna-Lena (IT)") is complex_enough


@pytest.mark.parametrize(
    ("complexity", "expected"), [(b"1", True), (b"17", True), (b"16", False), (b"TRUE", True), (b"FALSE", False)]
)
def test_a_policy_is_read(complexity: bytes, expected: bool) -> None:
    """The domain's complexity is a flag among others, a fine-grained policy's a BOOLEAN."""
    names = (b"length", b"history", b"complexity", b"age")
    entry = {b"length": [b"7"], b"history": [b"24"], b"complexity": [complexity], b"age": [b"-864000000000"]}
    expected_policy = PasswordPolicy("p", least_characters=7, history=24, complexity=expected, least_age=DAY)
    assert read_new_password_policy(entry, names, "p") == expected_policy
    assert read_new_password_policy({}, names, "p") is None
