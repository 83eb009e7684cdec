"""How long a record is kept: as its kind says, which is the last byte of its key. Pure."""

from __future__ import annotations

from gateway.relay.credentials.admission import failures, lockout
from gateway.relay.credentials.admission.record import LockRecord
from gateway.relay.credentials.admission.settings import AdmissionSettings


def is_brief(key: bytes) -> bool:
    """Whether it is kept for a minute only: of failures of what is no account."""
    return key.endswith(failures.KIND)


def expiry(key: bytes, record: LockRecord, settings: AdmissionSettings) -> float:
    """Unix time after which it may be forgotten, but for what is under way."""
    return failures.expiry(record) if is_brief(key) else lockout.expiry(record, settings)


def is_stale(key: bytes, record: LockRecord, settings: AdmissionSettings, now: float) -> bool:
    """Whether it may be forgotten."""
    return failures.is_stale(record, now) if is_brief(key) else lockout.is_stale(record, settings, now)
