"""Admission's records for several nodes: all of them in the store, attempts under way included.

Kind of state: counts. Every attempt is one transaction before and one after; the store puts those that wait into one. As
in memory, where there are more records than the settings allow, the oldest go that hold nothing against anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import structlog
from msgspec import DecodeError

from gateway.relay.credentials.admission import AdmissionRows, AdmissionSettings, LockRecord, Row, Rule
from gateway.relay.credentials.admission.record import BLANK, decode, encode, weight
from gateway.relay.credentials.admission.retention import expiry

log = structlog.get_logger()

T = TypeVar("T")


class SharedAdmissionStore:
    """Implements `AdmissionStore` over `AdmissionRows`.

    Raises StoreError where the store is down: nothing was decided then, so nobody is asked and nobody signs in. A lease
    whose settlement could not be written ends with its deadline.
    """

    def __init__(self, settings: AdmissionSettings, rows: AdmissionRows) -> None:
        self._rows = rows
        self.use(settings)

    def use(self, settings: AdmissionSettings) -> None:
        """These settings, or, when they were read anew, others; what is recorded stays."""
        self._settings = settings
        self._rows.bound(settings.records, _weigh)

    async def apply(self, keys: Sequence[bytes], rule: Rule[T]) -> T:
        """See `port.AdmissionStore`."""

        def in_rows(values: Mapping[bytes, bytes]) -> tuple[list[Row], list[bytes], T]:
            changes, result = rule({key: _read(key, value) for key, value in values.items()})
            rows = [
                (key, encode(record), self._expiry(key, record)) for key, record in changes.items() if record is not None
            ]
            return rows, [key for key, record in changes.items() if record is None], result

        return await self._rows.apply(sorted(keys), in_rows)

    async def records(self) -> list[tuple[bytes, LockRecord]]:
        """See `port.AdmissionStore`."""
        return [(key, _read(key, value)) for key, value, _ in await self._rows.all()]

    async def purge(self, now: float) -> int:
        """See `port.AdmissionStore`."""
        return await self._rows.purge(now)

    def _expiry(self, key: bytes, record: LockRecord) -> float:
        under_way = max((lease.deadline for lease in record.leases), default=0.0)
        return max(expiry(key, record, self._settings), under_way) if record.touched else under_way


def _weigh(value: bytes) -> int:
    try:
        return weight(decode(value))
    except DecodeError:  # whoever wrote it, it counts for nothing here
        return 0


def _read(key: bytes, value: bytes) -> LockRecord:
    """Nothing for one that cannot be read: it must keep neither its account out permanently nor the others off the list."""
    try:
        return decode(value)
    except DecodeError as error:
        log.warning("admission.unreadable", key=key.hex(), error=str(error))
        return BLANK
