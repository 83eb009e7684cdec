"""How many requests are answered in a minute: what counting needs, and the rates that are no settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

KEPT_A_MINUTE: Final = 120
"""Requests that the store keeps for one address of somebody who has proved nothing: each takes room until it expires, which
others need."""


class Rates(Protocol):
    """Of `gateway.relay.Admission` what counting needs."""

    def draw(self, whose: str, rate: float, now: float) -> float:
        """Count one: 0, or seconds until one more may be. rate: how many a minute."""
        ...


class SharedRates(Rates, Protocol):
    """And of failures, which all nodes count together."""

    def failing(self, whose: str, most: int, now: float) -> float:
        """Seconds until whoever has failed `most` times within a minute may try again; 0 for others."""
        ...

    def fail_here(self, whose: Sequence[str], now: float) -> None:
        """Count a failure of each on this node alone, without a look at the store."""
        ...

    async def fail(self, whose: Sequence[str], now: float) -> None:
        """Count a failure of each. Raises StoreError."""
        ...
