"""Failures of what is no account: secrets of clients that are tried, codes that are typed. Pure.

Counted within a minute from the first one on, in records of the same kind as those of accounts, so that nodes share them.
What succeeds costs no look at the store: a node learns of a limit that others have reached with its own next failure.
"""

from __future__ import annotations

from msgspec.structs import replace

from gateway.relay.credentials.admission.record import LockRecord

WINDOW = 60.0
"""Seconds."""


def fail(record: LockRecord, now: float) -> LockRecord:
    """Count one. `touched` is when the window began: a clock that was set back begins another one."""
    if not 0 <= now - record.touched < WINDOW:
        return LockRecord(failures=1, touched=now)
    return replace(record, failures=record.failures + 1)


def wait(record: LockRecord, most: int, now: float) -> float:
    """Seconds until one more may be tried; 0 where it may now."""
    age = now - record.touched
    return WINDOW - age if 0 <= age < WINDOW and record.failures >= most else 0.0
