"""Places for those who have proved nothing yet, in all and for each address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from foundation.addresses import Network, address_key, lies_within

T = TypeVar("T")


class NoPlace(Exception):
    """All places are taken by those who are at work."""


class ConnectionPlaces(Generic[T]):
    """Whoever waits can be sent away for a newcomer, the one that has waited longest first; whoever is at work cannot.

    So a stranger who takes place after place takes them from themselves, and an honest newcomer, who waits for a moment
    only, finds one. total: places in all; of_address: for each address, IPv6 by its /64; shared: networks whose addresses
    stand for many people (proxies), bounded by `total` alone.
    """

    def __init__(self, total: int, of_address: int, shared: Sequence[Network] = ()) -> None:
        self._total, self._of_address, self._shared = total, min(of_address, total), shared
        self._taken: dict[T, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: dict[T, float] = {}
        """Since when, longest first."""
        self._waiting_at: dict[str, dict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, who: T, address: str, now: float) -> list[T]:
        """Take a place, waiting; who has lost theirs for it. Raises NoPlace."""
        key = "" if lies_within(address, self._shared) else address_key(address)
        gone = []
        if key and self._counts[key] >= self._of_address:
            gone.append(self._send_away(self._waiting_at.get(key, {})))
        if len(self._taken) >= self._total:
            gone.append(self._send_away(self._waiting))
        self._taken[who] = key
        self._counts[key] += 1
        self.wait(who, now)
        return gone

    def wait(self, who: T, now: float) -> None:
        """From now on it can be sent away; nothing for who has no place."""
        if (key := self._taken.get(who)) is not None:
            self._waiting[who] = now
            self._waiting_at.setdefault(key, {})[who] = None

    def work(self, who: T) -> None:
        """From now on it cannot be sent away."""
        if self._waiting.pop(who, None) is not None:
            key = self._taken[who]
            waiting = self._waiting_at[key]
            del waiting[who]
            if not waiting:
                del self._waiting_at[key]

    def leave(self, who: T) -> None:
        """Give the place back; nothing for who has none."""
        self.work(who)
        if (key := self._taken.pop(who, None)) is not None:
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

    def waiting_since(self, moment: float) -> Iterator[T]:
        """Who waits since then or longer."""
        for who, since in list(self._waiting.items()):
            if since > moment:
                return
            yield who

    def _send_away(self, waiting: dict[T, None] | dict[T, float]) -> T:
        who = next(iter(waiting), None)
        if who is None:
            raise NoPlace
        self.leave(who)
        return who
