"""Failures of what is no account: secrets of clients that are tried, codes that are typed. Pure.

Counted within a minute from the first one on, in records of the same kind as those of accounts, so that nodes share them.
What succeeds costs no look at the store: a node learns of a limit that others have reached with its own next failure.
"""

from __future__ import annotations

from msgspec.structs import replace

from gateway.relay.credentials.admission.record import LockRecord

WINDOW = 60.0
"""Seconds."""
KIND = b"f"
"""Last byte of the key of such a record."""


def fail(record: LockRecord, now: float) -> LockRecord:
    """Count one. `touched` is when the window began: a clock that was set back begins another one."""
    if is_stale(record, now):
        return LockRecord(failures=1, touched=now)
    return replace(record, failures=record.failures + 1)


def wait(record: LockRecord, most: int, now: float) -> float:
    """Seconds until one more may be tried; 0 where it may now."""
    return expiry(record) - now if record.failures >= most and not is_stale(record, now) else 0.0


def expiry(record: LockRecord) -> float:
    """Unix time from which on it says nothing."""
    return record.touched + WINDOW


def is_stale(record: LockRecord, now: float) -> bool:
    """Whether it says nothing: its window is over, or lies ahead."""
    return not 0 <= now - record.touched < WINDOW
