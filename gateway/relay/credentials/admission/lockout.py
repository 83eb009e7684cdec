"""Smart lockout: one record for each user name and familiarity.

                    wrong password (a new one), failures < threshold
                         ┌───────┐
                         ▼       │
     success ──►  ┌──────────────┴─┐  failures = threshold   ┌────────┐
    ┌───────────► │      OPEN      │ ──────────────────────► │ LOCKED │ ──► every attempt is refused, nobody is asked
    │             └────────────────┘                         └───┬────┘
    │                                                            │ the lock ends
    │             ┌────────────────┐ ◄───────────────────────────┘
    └──────────── │     PROBING    │   a wrong password locks again, twice as long
     success      └────────────────┘   (an administrator's unlock: back to OPEN with nothing counted)

- Only *different* wrong passwords count: the last few are kept as keyed digests, so that a phone with an old password
  does not lock its owner out.
- Familiar and unfamiliar places count apart: an outsider's guesses do not lock out the person at their own desk.
- An attempt under way counts as a failure until it is settled: a thousand parallel guesses pass no more than the
  threshold allows.
- Outcomes of the infrastructure count for nothing. Neither do those for which the password was right (expired, must
  change, …), nor WOULD_LOCK_OUT, where AD was not asked.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gateway.relay.credentials.admission.settings import AdmissionSettings


@dataclass(slots=True)
class LockRecord:
    """What is remembered of a user name. Times are Unix seconds."""

    digests: deque[bytes] = field(default_factory=deque)
    failures: int = 0
    in_flight: int = 0
    locks: int = 0
    """Locks in a row."""
    locked_until: float = 0.0
    touched: float = 0.0


def refusal(record: LockRecord, settings: AdmissionSettings, now: float) -> float:
    """Seconds until another attempt may pass; 0 if this one may now."""
    if now < record.locked_until:
        return record.locked_until - now
    allowed = 1 if record.locks else settings.threshold - record.failures
    if record.in_flight >= max(allowed, 1):
        return 1.0  # the others are about to be settled
    return 0.0


def begin(record: LockRecord, now: float) -> None:
    """An attempt is passed on to AD: from now on it counts as a failure, until `end`."""
    record.in_flight += 1
    record.touched = now


def end(record: LockRecord) -> None:
    """An attempt is settled or given up: it no longer counts as one under way."""
    record.in_flight = max(record.in_flight - 1, 0)


def succeed(record: LockRecord) -> None:
    """The password was right: forget everything."""
    record.digests.clear()
    record.failures = record.locks = 0
    record.locked_until = 0.0


def fail(record: LockRecord, digest: bytes, settings: AdmissionSettings, now: float) -> bool:
    """The password was wrong; True if that locks the name."""
    record.touched = now
    if digest in record.digests and not record.locks:
        return False
    record.digests.append(digest)
    while len(record.digests) > settings.remembered_passwords:
        record.digests.popleft()
    record.failures += 1
    if record.failures < settings.threshold and not record.locks:
        return False
    record.locked_until = now + min(settings.lock_seconds * 2**record.locks, settings.lock_ceiling)
    record.locks = min(record.locks + 1, 30)
    return True


def is_stale(record: LockRecord, settings: AdmissionSettings, now: float) -> bool:
    """Whether it may be forgotten: nothing under way, no lock, and the last wrong password long ago."""
    return not record.in_flight and now >= record.locked_until and now - record.touched > settings.forget_after
