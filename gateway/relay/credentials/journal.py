"""Admission's records on one node: in memory, and whatever is held against somebody in the store, too.

Kind of state: counts. Attempts under way end with the process, so they are not written; neither is anything for a
sign-in that succeeds where nothing was held against anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeVar

import structlog
from msgspec import DecodeError
from msgspec.structs import replace

from gateway.relay.credentials.admission import AdmissionRows, AdmissionSettings, LockRecord, MemoryAdmissionStore, Row, Rule
from gateway.relay.credentials.admission.record import BLANK, decode, encode
from gateway.relay.credentials.admission.retention import expiry
from gateway.store import StoreError

log = structlog.get_logger()

T = TypeVar("T")


class JournaledAdmissionStore(MemoryAdmissionStore):
    """Implements `AdmissionStore` for one node whose counts survive a restart.

    Memory decides, at once; a change is written before `apply` returns. What the store did not take is logged, continues
    counting in memory, and is written with the next change or within a minute: a store that is down loosens nothing while
    the process lives, and nobody signs in while it is down, since the audit trail has the same store.
    """

    def __init__(self, settings: AdmissionSettings, rows: AdmissionRows) -> None:
        super().__init__(settings)
        self._rows = rows
        self._unwritten: set[bytes] = set()
        self._changes = 0
        """How often something was changed that has to be written."""
        self._writing = asyncio.Lock()

    async def restore(self) -> None:
        """Read what was there before this start. Raises StoreError."""
        records = {}
        for key, value, _ in await self._rows.all():
            try:
                records[key] = decode(value)
            except DecodeError as error:  # one record that cannot be read must not keep the relay from starting
                log.warning("admission.unreadable", key=key.hex(), error=str(error))
        self.load(records)

    async def apply(self, keys: Sequence[bytes], rule: Rule[T]) -> T:
        """See `port.AdmissionStore`."""
        before = self._changes
        result = await super().apply(keys, rule)
        if self._changes != before:  # not for what others changed: nobody waits for the failures of somebody else
            await self._write()
        return result

    async def purge(self, now: float) -> int:
        """See `port.AdmissionStore`."""
        gone = await super().purge(now)
        if self._unwritten:
            await self._write()
        return gone

    def changed(self, key: bytes, before: LockRecord | None, after: LockRecord | None) -> None:
        """What is held against somebody is written; what is forgotten here must not come back with a restart.

        Without a time (`touched`) nothing is held: it is an attempt under way and no more.
        """
        if ((before and before.touched) or (after and after.touched)) and _lasting(before) != _lasting(after):
            self._unwritten.add(key)
            self._changes += 1

    async def _write(self) -> None:
        async with self._writing:
            keys, self._unwritten = self._unwritten, set()
            if not keys:  # whoever held the lock took ours along
                return
            written = False
            try:
                await self._rows.save(*self._split(keys))
                written = True
            except StoreError as error:
                log.error("admission.not_saved", records=len(keys), error=str(error))  # noqa: TRY400 - it says all
            finally:  # cancelled, too
                if not written:
                    self._unwritten |= keys

    def _split(self, keys: Iterable[bytes]) -> tuple[list[Row], list[bytes]]:
        rows: list[Row] = []
        gone: list[bytes] = []
        for key in sorted(keys):
            record = _lasting(self.get(key))
            if record == BLANK:
                gone.append(key)
            else:
                rows.append((key, encode(record), expiry(key, record, self._settings)))
        return rows, gone


def _lasting(record: LockRecord | None) -> LockRecord:
    """Without what ends with the process."""
    if record is None:
        return BLANK
    return replace(record, leases=()) if record.leases else record
