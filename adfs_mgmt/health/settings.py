"""When a finding is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from settings import Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of `isthmus adfs check`."""

    ssl_warning_days: Annotated[float, Bounds(zero=True)] = 90.0
    """SSL and Service-Communications certificates that end sooner are a warning, as in Connect Health. 0: no
    warning."""
    ssl_failure_days: Annotated[float, Bounds(zero=True)] = 14.0
    """… and a failure. 0: once they have expired."""
    token_warning_days: Annotated[float, Bounds(zero=True)] = 30.0
    """Token certificates that end sooner are a warning where AutoCertificateRollover does not look after them.
    0: no warning."""
    token_failure_days: Annotated[float, Bounds(zero=True)] = 7.0
    """… and a failure. 0: once they have expired. One that AutoCertificateRollover looks after is an alarm only where AD FS
    is late with it, or past its own critical threshold."""
    sync_seconds: float = 900.0
    """A secondary whose last successful poll is older than this lags: three polls."""
    clock_seconds: float = 60.0
    """Seconds by which a server's clock may differ."""
    slow_milliseconds: float = 1500.0
    """An answer that takes longer means congestion."""
