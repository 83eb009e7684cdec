"""When a finding is one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of `isthmus adfs check`."""

    ssl_warning_days: float = 90.0
    """SSL and Service-Communications certificates that end sooner are a warning, as in Connect Health."""
    ssl_failure_days: float = 14.0
    """… and a failure."""
    token_warning_days: float = 30.0
    """Token certificates that end sooner are a warning where AutoCertificateRollover does not look after them."""
    token_failure_days: float = 7.0
    """… and a failure. One that AutoCertificateRollover looks after is an alarm only where AD FS is late with it, or past
    its own critical threshold."""
    sync_seconds: float = 900.0
    """A secondary whose last successful poll is older than this lags: three polls."""
    clock_seconds: float = 60.0
    """Seconds by which a server's clock may differ."""
    slow_milliseconds: float = 1500.0
    """An answer that takes longer means congestion."""
