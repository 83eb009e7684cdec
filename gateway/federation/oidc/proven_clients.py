"""From which addresses clients have proved themselves by their secrets lately.

Kind of state: this node's. Another node, or this one after a restart, knows a client there after its next right secret.
Only who has a right secret gets in, and each client has a number of addresses of its own: nobody pushes out another one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from foundation.addresses import address_key

LATELY: Final = 86_400.0
"""Seconds: as long as between two runs of a job that runs once a day."""
ADDRESSES: Final = 100
"""Of one client; the one that was not seen for longest goes."""


class ProvenClients:
    """now: Unix seconds; a time ahead, after a clock that was set back, is none."""

    def __init__(self) -> None:
        self._seen: dict[str, OrderedDict[str, float]] = {}

    def note(self, client_id: str, address: str, now: float) -> None:
        """A client brought its secret from there."""
        seen = self._seen.setdefault(client_id, OrderedDict())
        seen[address_key(address)] = now
        seen.move_to_end(address_key(address))
        if len(seen) > ADDRESSES:
            seen.popitem(last=False)

    def knows(self, client_id: str, address: str, now: float) -> bool:
        """Whether it did within `LATELY`."""
        seen = self._seen.get(client_id)
        at = seen.get(address_key(address)) if seen is not None else None
        return at is not None and 0 <= now - at <= LATELY
