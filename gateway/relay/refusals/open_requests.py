"""How many requests may be open at once, refused ones that wait for their answer included. Pure.

Kind of state: this node's. Whoever finds no place is told "busy" at once, before anybody looked at the name: that says
nothing about an account. A flood from few addresses leaves room for the others: the less is free, the less one may take.
"""

from __future__ import annotations

from collections import Counter

MOST = 4096
"""Requests of all addresses: some 60 MB."""
_SHARE = 8
"""One address has an eighth of what is free at most: a thousand that take all they can leave room for who has nothing."""


class OpenRequests:
    """Counts them. most: of all addresses together; per_address: of one."""

    def __init__(self, per_address: int, most: int = MOST) -> None:
        self._per_address, self._most = per_address, most
        self._all = 0
        self._by_address: Counter[str] = Counter()

    def use(self, per_address: int) -> None:
        """Settings were read anew; who has more open than that keeps them."""
        self._per_address = per_address

    def __len__(self) -> int:
        """How many there are."""
        return self._all

    def enter(self, address: str) -> bool:
        """Take a place; False where there is none. address: as it is counted, empty for one that stands for many people."""
        free = self._most - self._all
        if free <= 0:
            return False
        if address:
            if self._by_address[address] >= min(self._per_address, max(free // _SHARE, 1)):
                return False
            self._by_address[address] += 1
        self._all += 1
        return True

    def leave(self, address: str) -> None:
        """Give the place back."""
        self._all -= 1
        if address:
            left = self._by_address[address] - 1
            if left:
                self._by_address[address] = left
            else:
                del self._by_address[address]
