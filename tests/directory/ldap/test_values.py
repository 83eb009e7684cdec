"""How Active Directory writes times."""

from __future__ import annotations

import math

from directory.ldap.values import from_filetime, from_interval


def test_times_of_active_directory() -> None:
    """FILETIME and negative intervals; the smallest integer is for ever."""
    assert from_filetime(0) == 0.0
    assert from_filetime(116444736000000000) == 0.0
    assert from_filetime(116444736010000000) == 1.0
    assert from_interval(-18000000000) == 1800.0
    assert from_interval(-(2**63)) == math.inf
