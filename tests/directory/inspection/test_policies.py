"""Lockout policies as the troubleshooter judges them: where the guard sees too little, or has nothing to work with."""

from __future__ import annotations

import pytest

from directory import DirectorySettings
from directory.inspection.policies import FinePolicy, judge_domain_policy, judge_fine_policies

SETTINGS = DirectorySettings(name="corp.example.com", base_dn="DC=corp,DC=example,DC=com", lockout_margin=1)


@pytest.mark.parametrize(
    ("threshold", "status"), [(None, "fail"), (0, "warn"), (1, "fail"), (2, "fail"), (3, "pass"), (10, "pass")]
)
def test_a_domains_threshold_leaves_something_to_try(threshold: int | None, status: str) -> None:
    """More than one attempt beyond the margin; a domain that never locks is told of."""
    assert judge_domain_policy("here", SETTINGS, threshold).status == status


@pytest.mark.parametrize(
    ("domain", "threshold", "status"),
    [
        (10, None, "warn"),
        (10, 1, "fail"),
        (10, 2, "fail"),
        (10, 3, "warn"),
        (10, 9, "warn"),
        (10, 10, "pass"),
        (50, 10, "pass"),
        (5, 5, "pass"),
        (5, 4, "warn"),
        (0, 5, "warn"),
        (None, 5, "warn"),
        (10, 0, "pass"),
    ],
)
def test_a_fine_grained_policy_that_locks_sooner_is_told_of(domain: int | None, threshold: int | None, status: str) -> None:
    """One that cannot be read, too: the guard assumes a threshold for it, and may be wrong."""
    (finding,) = judge_fine_policies("here", SETTINGS, domain, [FinePolicy("strict", threshold)])
    assert (finding.status, "strict" in finding.seen) == (status, True)
    assert bool(finding.remedy) is (status != "pass")


def test_without_fine_grained_policies_nothing_is_said() -> None:
    """Most domains have none."""
    assert judge_fine_policies("here", SETTINGS, 10, []) == []
