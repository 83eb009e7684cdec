"""A keyring in memory, for what only signs and checks; and private keys of relays, each made once for a run."""

from __future__ import annotations

import functools
from typing import Any

from gateway.federation.keys.material import make_key, new_private_key
from gateway.federation.keys.model import PrivateKey, Ring
from gateway.store import DerivedKey, SigningKeyRecord
from gateway.store.keyring import RootKey


class FixedKeyring:
    """One key for each use. `rolled` makes newer ones; at most two of a use are valid."""

    def __init__(self) -> None:
        self.rolled = 0

    def clock(self) -> float:
        return 0.0

    def _key(self, use: str, number: int) -> DerivedKey:
        return DerivedKey(str(number), f"{use} {number}".encode())

    def current(self, use: str) -> DerivedKey:
        return self._key(use, self.rolled)

    def valid(self, use: str) -> tuple[DerivedKey, ...]:
        return tuple(self._key(use, number) for number in range(self.rolled, max(-1, self.rolled - 2), -1))

    def find(self, use: str, key_id: str) -> DerivedKey | None:
        return self._key(use, int(key_id)) if int(key_id) <= self.rolled else None

    async def roll(self) -> RootKey:
        self.rolled += 1
        return RootKey(self.rolled, str(self.rolled), b"", 0.0)

    async def load(self) -> None:
        """Nobody else rolls it."""


@functools.cache
def _private_key(ring: Ring, algorithm: str) -> PrivateKey:
    return new_private_key(algorithm)


def first_key(ring: Ring, algorithm: str, **options: Any) -> SigningKeyRecord:
    """For `make_key` where a relay makes its first keys: the private key is the same for every relay of the run."""
    return make_key(ring, algorithm, private=_private_key(ring, algorithm), **options)
