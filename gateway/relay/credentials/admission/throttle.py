"""Throttle for each client address: against password spraying, which shows in breadth and not in depth.

Sliding windows: attempts of any kind, different user names that failed, enrolments. An IPv6 client is its /64.

A name counts from the moment that its attempt begins, as one that failed: or a burst would pass as a whole before the first
answer is there. Whoever finds no room for one more waits until one of those under way is settled.
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
    under_way: dict[bytes, int] = field(default_factory=dict)
    """Key of a user name -> attempts that are not settled yet."""
    enrolments: deque[float] = field(default_factory=deque)
    seen: float = 0.0
    """When the address was seen last."""


def refusal(record: AddressRecord, settings: AdmissionSettings, now: float) -> float:
    """Seconds until another attempt may pass; 0 if one may now."""
    wait = _wait(record.attempts, settings.address_rate, settings, now)
    if wait > 0:
        return wait
    if len(record.failed) >= settings.address_failures:  # only now: who stays below costs no look at each name
        _forget(record, settings, now)
        if len(record.failed) >= settings.address_failures:
            return min(record.failed.values()) - (now - settings.address_window)
    return 0.0


def is_crowded(record: AddressRecord, user: bytes, settings: AdmissionSettings, now: float) -> bool:
    """Whether one more name would be too many, were all that are under way to fail."""
    if len(record.failed) + len(record.under_way) < settings.address_failures:
        return False
    _forget(record, settings, now)
    names = record.failed.keys() | record.under_way.keys()
    return user not in names and len(names) >= settings.address_failures


def begin(record: AddressRecord, user: bytes, now: float) -> None:
    """Count an attempt before it is passed on."""
    record.attempts.append(now)
    record.under_way[user] = record.under_way.get(user, 0) + 1
    record.seen = now


def withdraw(record: AddressRecord, user: bytes, now: float) -> None:
    """It was not passed on after all."""
    end(record, user)
    if now in record.attempts:
        record.attempts.remove(now)


def end(record: AddressRecord, user: bytes) -> None:
    """An attempt is settled or given up."""
    left = record.under_way.pop(user, 1) - 1
    if left > 0:
        record.under_way[user] = left


def fail(record: AddressRecord, user: bytes, now: float) -> None:
    """Count a user name for which AD refused the password."""
    record.failed[user] = now


def enrol(record: AddressRecord, settings: AdmissionSettings, now: float) -> float:
    """Count an enrolment, where one more may be asked for: 0. Otherwise seconds until then."""
    wait = _wait(record.enrolments, settings.address_enrolments, settings, now)
    if wait > 0:
        return wait
    record.enrolments.append(now)
    record.seen = now
    return 0.0


def _wait(moments: deque[float], most: int, settings: AdmissionSettings, now: float) -> float:
    """What lies ahead, after a clock that was set back, no longer counts: it would for as long as the clock was wrong."""
    begin = now - settings.address_window
    while moments and not begin < moments[0] <= now:
        moments.popleft()
    return moments[0] - begin if len(moments) >= most else 0.0


def _forget(record: AddressRecord, settings: AdmissionSettings, now: float) -> None:
    begin = now - settings.address_window
    record.failed = {name: when for name, when in record.failed.items() if begin < when <= now}


def is_stale(record: AddressRecord, settings: AdmissionSettings, now: float) -> bool:
    """Whether it may be forgotten: the address was not seen for a whole window."""
    return now - record.seen > settings.address_window
