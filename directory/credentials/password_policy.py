"""Why Active Directory refused a new password. Pure; times are Unix seconds.

Windows says no more than "length, history, age or complexity" (ERROR_PASSWORD_RESTRICTION). So its rules are looked at here
in its order (MS-SAMR section 3.1.1.7.1 and 3.1.1.7.2), against the policy that holds for the account: the domain's, or the
fine-grained one. Only the history cannot be looked into: it is what is left.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from directory.ldap.codec import Entry
from directory.ldap.values import from_filetime, from_interval, integer_of, text_of
from directory.model import PasswordRequirements, PasswordRule

KINDS = 3
"""Of the five kinds of characters, those that a complex password has at least."""

_COMPLEX = 0x1
"""DOMAIN_PASSWORD_COMPLEX in pwdProperties (MS-SAMR section 2.2.1.9)."""
_SPECIAL = frozenset("~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/")
_TOKENS = re.compile(r"[,.\-_ #\t]+")
_SHORTEST_TOKEN = 3
"""Parts of a name that are shorter may be in a password."""


class PasswordPolicy(NamedTuple):
    """What a new password has to be."""

    name: str
    """For the operator: the domain's, or the DN of a password settings object."""
    least_characters: int
    history: int
    """Passwords that may not be used again."""
    complexity: bool
    least_age: float
    """Seconds between two changes."""

    def requirements(self, account: Entry, now: float) -> PasswordRequirements:
        """As a person reads them before typing. now: on the domain controller's clock."""
        kinds = KINDS if self.complexity else 0
        return PasswordRequirements(self.least_characters, kinds, self.history, _whole(_time_left(self, account, now)))


class BrokenRule(NamedTuple):
    """A rule that refused a password; value: see `CheckResult.rule_value`."""

    rule: PasswordRule
    value: int
    detail: str


def read_new_password_policy(entry: Entry, names: Sequence[bytes], name: str) -> PasswordPolicy | None:
    """From the four attributes of these names: length, history, complexity, age. None where they may not be read."""
    length, history, complexity, age = names
    if length not in entry:
        return None
    flag = text_of(entry, complexity)
    return PasswordPolicy(
        name=name,
        least_characters=integer_of(entry, length),
        history=integer_of(entry, history),
        complexity=flag.upper() == "TRUE" or bool(integer_of(entry, complexity) & _COMPLEX),
        least_age=from_interval(integer_of(entry, age)),
    )


def find_broken_rule(policy: PasswordPolicy, account: Entry, password: str, now: float) -> BrokenRule | None:
    """Which rule refused it; None where it keeps all that can be known. now: on the domain controller's clock."""
    left = _time_left(policy, account, now)
    if left > 0:
        seconds = _whole(left)
        return _broken(PasswordRule.MIN_AGE, seconds, f"minimum age, {seconds} s left", policy)
    characters = len(password.encode("utf-16-le")) // 2
    if characters < policy.least_characters:
        text = f"minimum length {policy.least_characters}"
        return _broken(PasswordRule.MIN_LENGTH, policy.least_characters, text, policy)
    if policy.complexity and not is_complex(password, text_of(account, b"samaccountname"), text_of(account, b"displayname")):
        return _broken(PasswordRule.COMPLEXITY, KINDS, "complexity", policy)
    if policy.history:
        return _broken(PasswordRule.HISTORY, policy.history, f"history of {policy.history}, or a password filter", policy)
    return None


def is_complex(password: str, account_name: str, display_name: str) -> bool:
    """Whether it has characters of three kinds, and no name in it ("Password must meet complexity requirements")."""
    lowered = password.lower()
    names = [account_name, *_TOKENS.split(display_name)]
    if any(len(name) >= _SHORTEST_TOKEN and name.lower() in lowered for name in names):
        return False
    return len({kind for character in password if (kind := _kind(character))}) >= KINDS


def _kind(character: str) -> str:
    if character in _SPECIAL:
        return "special"
    if "0" <= character <= "9":
        return "digit"
    category = unicodedata.category(character)
    return category if category in {"Lu", "Ll"} else "other letter" if category[0] == "L" else ""


def _time_left(policy: PasswordPolicy, account: Entry, now: float) -> float:
    """Seconds until the minimum age is over; may be infinite."""
    changed = from_filetime(integer_of(account, b"pwdlastset"))  # 0 where it must be changed: then any age will do
    if not changed or policy.least_age <= 0 or now - changed >= policy.least_age:
        return 0.0
    # The clocks are compared to the second: what was changed just now may seem to be in the future
    return policy.least_age - max(0.0, now - changed)


def _whole(seconds: float) -> int:
    """Rounded up; 0 where it never ends."""
    return math.ceil(seconds) if math.isfinite(seconds) else 0


def _broken(rule: PasswordRule, value: int, text: str, policy: PasswordPolicy) -> BrokenRule:
    return BrokenRule(rule, value, f"{text}, of {policy.name}")
