"""Times and certificates for people."""

from __future__ import annotations

import datetime as dt

from adfs_mgmt.farm.contradictions import short
from adfs_mgmt.farm.settings import split_host
from adfs_mgmt.health.check import DAY
from certs import Certificate


def day(moment: float) -> str:
    """UTC; years that no calendar of ours has are said to be far."""
    try:
        return f"{dt.datetime.fromtimestamp(moment, dt.UTC):%Y-%m-%d}" if moment else "unknown"
    except (ValueError, OverflowError, OSError):
        return "far future" if moment > 0 else "far past"


def distance(moment: float, now: float) -> str:
    """`in 12 days`, `3 days ago`, `today`."""
    days = round((moment - now) / DAY)
    if abs(moment - now) < DAY / 2:
        return "today"
    counted = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
    return f"in {counted}" if moment > now else f"{counted} ago"


def ending(certificate: Certificate, now: float) -> str:
    """Which one, and when it ends."""
    verb = "ends" if certificate.not_after > now else "ended"
    if not certificate.not_after:
        return f"{short(certificate.thumbprint)}: its end is not known"
    return f"{short(certificate.thumbprint)} {verb} {day(certificate.not_after)} ({distance(certificate.not_after, now)})"


def name_of(host: str) -> str:
    """A server without its address."""
    return split_host(host)[0]


def common_name(certificate: Certificate) -> str:
    """CN of the subject, else all of it."""
    parts = [part.strip() for part in certificate.subject.split(",")]
    return next((part[3:] for part in parts if part[:3].upper() == "CN="), certificate.subject) or "(no subject)"
