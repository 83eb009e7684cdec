"""Rate of each caller of the API: so that a key that was stolen, or a back end in a loop, asks no more than it was made for.

A bucket holds a minute's worth and fills evenly. It is drawn from before anybody is asked. Kind of state: counts, of this
node alone, as those of client addresses.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

RECORDS: Final = 10_000
"""Callers that are remembered; beyond that the one that asked longest ago is forgotten."""
_MINUTE = 60.0


@dataclass(slots=True)
class CallerRecord:
    """What is left for a caller, and as of when (Unix seconds)."""

    left: float
    at: float


def draw(record: CallerRecord, rate: float, now: float) -> float:
    """Take one attempt; 0 where there was one, else the seconds until there is. rate: attempts a minute.

    A clock that was set back brings nothing, and takes nothing.
    """
    record.left = min(rate, record.left + max(0.0, now - record.at) * rate / _MINUTE)
    record.at = now
    if record.left < 1.0:
        return (1.0 - record.left) * _MINUTE / rate
    record.left -= 1.0
    return 0.0


class CallerRates:
    """All callers of this node."""

    def __init__(self) -> None:
        self._records = OrderedDict[str, CallerRecord]()

    def draw(self, caller: str, rate: float, now: float) -> float:
        """See `draw`; a caller that is not remembered has a minute's worth."""
        record = self._records.get(caller)
        if record is None:
            record = self._records[caller] = CallerRecord(rate, now)
            if len(self._records) > RECORDS:
                self._records.popitem(last=False)
        else:
            self._records.move_to_end(caller)
        return draw(record, rate, now)
