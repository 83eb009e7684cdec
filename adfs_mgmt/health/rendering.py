"""Certificates and hosts as people read them."""

from __future__ import annotations

from adfs_mgmt.farm import short_name
from adfs_mgmt.remoting import split_host
from certs import Certificate
from foundation.times import day, distance


def end_text(certificate: Certificate, now: float) -> str:
    """Which certificate it is, by the beginning of its thumbprint, and when it ends or ended."""
    name, end = short_name(certificate.thumbprint), certificate.not_after
    if end is None:
        return f"{name}: expiry date unknown"
    return f"{name} {'expires' if end > now else 'expired'} {day(end)} ({distance(end, now)})"


def host_label(host: str) -> str:
    """A host of the settings, `name=address`, without its address."""
    return split_host(host)[0]


def common_name(certificate: Certificate) -> str:
    """CN of the subject, else all of it."""
    parts = [part.strip() for part in certificate.subject.split(",")]
    return next((part[3:] for part in parts if part[:3].upper() == "CN="), certificate.subject) or "(no subject)"
