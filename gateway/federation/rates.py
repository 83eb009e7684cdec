"""How many requests are answered in a minute: what counting needs, and the rates that are no settings."""

from __future__ import annotations

from typing import Final, Protocol

KEPT_A_MINUTE: Final = 120
"""Requests that the store keeps for one address of somebody who has proved nothing: each takes room until it expires, which
others need."""


class Rates(Protocol):
    """Of `gateway.relay.Admission` what counting needs."""

    def draw(self, whose: str, rate: float, now: float) -> float:
        """Count one: 0, or seconds until one more may be. rate: how many a minute."""
        ...
