"""Records in this process's memory: bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import TypeVar

from gateway.relay.credentials.admission.port import Rule
from gateway.relay.credentials.admission.record import LockRecord, weight
from gateway.relay.credentials.admission.retention import is_brief, is_stale
from gateway.relay.credentials.admission.settings import AdmissionSettings

T = TypeVar("T")

_LOOKED_AT = 64
"""Records among which one is looked for that may go, where there is no room: a bound on time."""
_AT_ONCE = 1000
"""Records that one call of `purge` forgets at most: the event loop waits meanwhile."""


class MemoryAdmissionStore:
    """Implements `port.AdmissionStore` for one node. `apply` never suspends: nobody is cancelled in its midst."""

    def __init__(self, settings: AdmissionSettings) -> None:
        self._settings = settings
        self._records: OrderedDict[bytes, LockRecord] = OrderedDict()
        """The one that was changed last at the end."""
        self._brief: OrderedDict[bytes, None] = OrderedDict()
        """Keys of those that are kept for a minute, in the same order: behind a record of a day they would stay as long."""

    def use(self, settings: AdmissionSettings) -> None:
        """Settings were read anew; what is recorded stays."""
        self._settings = settings

    def __len__(self) -> int:
        return len(self._records)

    async def apply(self, keys: Sequence[bytes], rule: Rule[T]) -> T:
        """See `port.AdmissionStore`."""
        records = self._records
        changes, result = rule({key: records[key] for key in keys if key in records})
        for key, record in changes.items():
            before = records.get(key)
            if record is None:
                self._forget(key)
            else:
                if before is None and len(records) >= self._settings.records:
                    self._make_room(changes)
                self._keep(key, record)
            self.changed(key, before, record)
        return result

    async def records(self) -> list[tuple[bytes, LockRecord]]:
        """See `port.AdmissionStore`."""
        return list(self._records.items())

    async def purge(self, now: float) -> int:
        """See `port.AdmissionStore`; the oldest first."""

        def stale(keys: Iterable[bytes]) -> Iterator[bytes]:
            return takewhile(lambda key: is_stale(key, self._records[key], self._settings, now), keys)

        gone = set(islice(stale(self._brief), _AT_ONCE))
        gone.update(islice((key for key in stale(self._records) if key not in gone), _AT_ONCE - len(gone)))
        for key in gone:
            self.changed(key, self._forget(key), None)
        return len(gone)

    def load(self, records: Mapping[bytes, LockRecord]) -> None:
        """What was there before a restart; of more than there is room for, those that are locked and those that failed
        last."""
        by_weight = sorted(records.items(), key=lambda item: (item[1].locks > 0, item[1].touched))
        room = max(len(records) - self._settings.records, 0)
        for key, record in by_weight[:room]:
            self.changed(key, record, None)
        for key, record in sorted(by_weight[room:], key=lambda item: item[1].touched):
            self._keep(key, record)

    def get(self, key: bytes) -> LockRecord | None:
        """The record under a key."""
        return self._records.get(key)

    def changed(self, key: bytes, before: LockRecord | None, after: LockRecord | None) -> None:
        """Called for each change, and for each record that was stale or had to go to make room."""

    def _make_room(self, wanted: Mapping[bytes, LockRecord | None]) -> None:
        """The oldest that hold nothing against anybody go first, then any: flooding with invented names cannot push out
        a locked one while there are others. Not those that are being written."""
        while len(self._records) >= self._settings.records:
            oldest = [key for key in islice(self._records, _LOOKED_AT) if key not in wanted]
            expendable = (key for key in oldest if not weight(self._records[key]))
            victim = next(expendable, oldest[0] if oldest else None)
            if victim is None:
                return
            self.changed(victim, self._forget(victim), None)

    def _keep(self, key: bytes, record: LockRecord) -> None:
        self._records[key] = record
        self._records.move_to_end(key)
        if is_brief(key):
            self._brief[key] = None
            self._brief.move_to_end(key)

    def _forget(self, key: bytes) -> LockRecord | None:
        self._brief.pop(key, None)
        return self._records.pop(key, None)
