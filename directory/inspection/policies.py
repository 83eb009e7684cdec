"""Lockout policies: the domain's, and the fine-grained ones (password settings objects). The judgement is pure.

The guard reads the policy of each account that signs in. What it may not read it takes for `unreadable_policy_threshold`,
which is wrong exactly where a fine-grained policy locks sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ldap3

from directory.errors import BaseNotFound
from directory.inspection.client import BASE, LEVEL, SAMPLE, search, texts
from directory.ldap import user_filter
from directory.ldap.naming_contexts import domain_root
from directory.settings import DirectorySettings
from findings import Finding, failed, passed, warned

ADVISED_THRESHOLD = 10


@dataclass(frozen=True, slots=True)
class FinePolicy:
    """A password settings object, as the service account sees it."""

    name: str
    threshold: int | None
    """Wrong passwords that lock, 0 for never; None where it may not be read."""


def read_domain_threshold(settings: DirectorySettings, connection: ldap3.Connection) -> int | None:
    """None where it may not be read. Blocks. Raises LDAPException."""
    root = domain_root(settings.base_dn)
    found = search(connection, root, "(objectClass=*)", ["lockoutThreshold"], scope=BASE)
    return _number(texts(found[0], "lockoutThreshold")) if found else None


def read_fine_policies(settings: DirectorySettings, connection: ldap3.Connection) -> list[FinePolicy]:
    """Those that can be listed, and those that a few users turn out to be under. Blocks. Raises LDAPException."""
    container = f"CN=Password Settings Container,CN=System,{domain_root(settings.base_dn)}"
    named = ["cn", "msDS-LockoutThreshold", "msDS-PSOAppliesTo"]
    try:
        listed = search(connection, container, "(objectClass=msDS-PasswordSettings)", named, scope=LEVEL, limit=1000)
    except BaseNotFound:  # nobody but administrators can see it, unless that was granted
        listed = []
    known = {entry["dn"].lower() for entry in listed}
    policies = [
        FinePolicy("".join(texts(entry, "cn")), _number(texts(entry, "msDS-LockoutThreshold")))
        for entry in listed
        if entry.get("msDS-PSOAppliesTo")
    ]
    hidden = sorted({dn for dn in _in_force(settings, connection) if dn.lower() not in known})
    return policies + [FinePolicy(dn.partition(",")[0].partition("=")[2], None) for dn in hidden]


def _in_force(settings: DirectorySettings, connection: ldap3.Connection) -> set[str]:
    """DNs of the policies of some users: any, and some to whom one was applied directly."""
    users, found = user_filter(settings).text, []
    for matching in (users, f"(&{users}(msDS-PSOApplied=*))"):
        found += search(connection, settings.base_dn, matching, ["msDS-ResultantPSO"], limit=SAMPLE)
    return {dn for entry in found for dn in texts(entry, "msDS-ResultantPSO")}


def judge_domain_policy(where: str, settings: DirectorySettings, threshold: int | None) -> Finding:
    """The domain's own threshold, and what of it may be spent here."""
    if threshold is None:
        seen = f"not readable: {settings.unreadable_policy_threshold} is assumed as threshold"
        remedy = f"Let the service account read {domain_root(settings.base_dn)} itself."
        return failed("lockout policy", where, seen, remedy)
    if threshold == 0:
        remedy = f"Set a threshold of {ADVISED_THRESHOLD} or more in AD."
        return warned("lockout policy", where, "accounts are never locked", remedy)
    if too_low := _too_low(threshold, settings):
        return failed("lockout policy", where, too_low, "Raise the threshold in AD, or lower lockout_margin.")
    seen = f"locks at {threshold}; {threshold - settings.lockout_margin} may be spent here"
    return passed("lockout policy", where, seen)


def judge_fine_policies(
    where: str, settings: DirectorySettings, domain: int | None, policies: Sequence[FinePolicy]
) -> list[Finding]:
    """What the guard does not see, cannot work with, or allows less under than under the domain's own policy."""
    check, found = "fine-grained policy", []
    for policy in policies:
        if policy.threshold is None:
            seen = (
                f"{policy.name} cannot be read: a threshold of {settings.unreadable_policy_threshold} is assumed for its "
                "users, who are locked if it is lower"
            )
            remedy = "Let the service account read it: docs/operators/service-account.md, or lower the assumption."
            found.append(warned(check, where, seen, remedy))
        elif policy.threshold and (too_low := _too_low(policy.threshold, settings)):
            remedy = "Raise its threshold in AD, or lower lockout_margin."
            found.append(failed(check, where, f"{policy.name}: {too_low}", remedy))
        elif policy.threshold and policy.threshold < min(domain or ADVISED_THRESHOLD, ADVISED_THRESHOLD):
            seen = f"{policy.name} locks at {policy.threshold}, the domain at {_said(domain)}"
            remedy = f"Raise it to {ADVISED_THRESHOLD} or more: with several agents the guard can be overrun."
            found.append(warned(check, where, seen, remedy))
    if policies and not found:
        found.append(passed(check, where, f"readable: {', '.join(policy.name for policy in policies)}"))
    return found


def _too_low(threshold: int, settings: DirectorySettings) -> str:
    """What a threshold that leaves one attempt or none means; empty for a higher one."""
    margin = settings.lockout_margin
    if threshold > margin + 1:
        return ""
    leaves = "one attempt" if threshold > margin else "none: nobody under it can sign in"
    return f"threshold {threshold} with lockout_margin {margin} leaves {leaves}"


def _said(threshold: int | None) -> str:
    return "an unknown number" if threshold is None else str(threshold) if threshold else "none (never)"


def _number(values: tuple[str, ...]) -> int | None:
    return int(values[0]) if values else None
