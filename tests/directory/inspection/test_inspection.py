"""What the troubleshooter makes of a domain controller's certificate and clock."""

from __future__ import annotations

import pytest

from directory.inspection.inspection import _certificate, _clock, _trust_remedy
from tests.directory.test_authority import ROOT, START

NOW = START.timestamp()
DAY = 86400.0


@pytest.mark.parametrize(
    ("told", "now", "status"),
    [
        ("20260101000100.0Z", NOW, "pass"),
        ("20260101000101.0Z", NOW, "warn"),
        ("20260101000000.0Z", NOW + 300, "warn"),
        ("20260101000000.0Z", NOW + 301, "fail"),
        ("20260101000000.0Z", NOW - 3 * DAY, "fail"),
        ("", NOW, "pass"),
        ("yesterday", NOW, "pass"),
    ],
)
def test_a_clock_that_kerberos_refuses_fails(told: str, now: float, status: str) -> None:
    """Beyond five minutes; a server that tells no time is not held against it."""
    assert _clock("dc1", told, now).status == status


@pytest.mark.parametrize(("days", "status"), [(0, "pass"), (334, "pass"), (336, "warn"), (400, "warn")])
def test_a_certificate_that_ends_soon_is_told_of(days: int, status: str) -> None:
    """A month before."""
    assert _certificate("dc1", ROOT.der, NOW + days * DAY).status == status


def test_without_tls_passwords_can_be_read() -> None:
    """By everybody on the way."""
    assert _certificate("dc1", None, NOW).status == "warn"


@pytest.mark.parametrize("reason", ["certificate has expired", "certificate is not yet valid"])
def test_a_wrong_time_may_be_our_own(reason: str) -> None:
    """So it is said what time it is here."""
    assert "2026-01-01 00:00 UTC" in _trust_remedy(reason, NOW)
    assert "ca_file" in _trust_remedy("self-signed certificate", NOW)
