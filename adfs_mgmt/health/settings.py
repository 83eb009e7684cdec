"""When a finding is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from settings import Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of `isthmus adfs check`."""

    ssl_warning_days: Annotated[float, Bounds(zero=True)] = 90.0
    """Remaining validity of SSL and Service-Communications certificates below which there is a warning, in days, as
    in Connect Health. 0: no warning."""
    ssl_failure_days: Annotated[float, Bounds(zero=True)] = 14.0
    """Remaining validity of these certificates below which there is a failure, in days. 0: only when they have
    expired."""
    token_warning_days: Annotated[float, Bounds(zero=True)] = 30.0
    """Remaining validity of token certificates below which there is a warning, in days, unless
    AutoCertificateRollover renews them. 0: no warning."""
    token_failure_days: Annotated[float, Bounds(zero=True)] = 7.0
    """Remaining validity of these certificates below which there is a failure, in days. 0: only when they have
    expired. A certificate that AutoCertificateRollover renews is a failure only if AD FS is late, or past its own
    critical threshold."""
    sync_seconds: float = 900.0
    """Maximum age of a secondary's last successful poll, in seconds: by default, three polls."""
    clock_seconds: float = 60.0
    """Maximum difference of a server's clock, in seconds."""
    slow_milliseconds: float = 1500.0
    """Response time above which a server is reported as congested, in milliseconds."""
