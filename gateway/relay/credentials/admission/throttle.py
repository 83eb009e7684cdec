"""Throttle for each client address: against password spraying, which shows in breadth and not in depth.

Two sliding windows: attempts of any kind, and different user names that failed. An IPv6 client is its /64.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gateway.relay.credentials.admission.settings import AdmissionSettings


@dataclass(slots=True)
class AddressRecord:
    """What is remembered of an address. Times are Unix seconds."""

    attempts: deque[float] = field(default_factory=deque)
    failed: dict[bytes, float] = field(default_factory=dict)
    """Key of a user name -> when it failed last."""
    seen: float = 0.0
    """When the address was seen last."""


def refusal(record: AddressRecord, settings: AdmissionSettings, now: float) -> float:
    """Seconds until another attempt may pass; 0 if one may now.

    What lies ahead, after a clock that was set back, no longer counts: it would for as long as the clock was wrong.
    """
    begin = now - settings.address_window
    while record.attempts and not begin < record.attempts[0] <= now:
        record.attempts.popleft()
    if len(record.attempts) >= settings.address_rate:
        return record.attempts[0] - begin
    if len(record.failed) >= settings.address_failures:  # only now: who stays below costs no look at each name
        record.failed = {name: when for name, when in record.failed.items() if begin < when <= now}
        if len(record.failed) >= settings.address_failures:
            return min(record.failed.values()) - begin
    return 0.0


def attempt(record: AddressRecord, now: float) -> None:
    """Count an attempt that is passed on."""
    record.attempts.append(now)
    record.seen = now


def fail(record: AddressRecord, user: bytes, now: float) -> None:
    """Count a user name for which AD refused the password."""
    record.failed[user] = now


def is_stale(record: AddressRecord, settings: AdmissionSettings, now: float) -> bool:
    """Whether it may be forgotten: the address was not seen for a whole window."""
    return now - record.seen > settings.address_window
