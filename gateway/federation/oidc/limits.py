"""How many requests an address and a client may send: so that neither keeps the relay from everybody else.

And how often they may be wrong: so that nobody tries out secrets of clients, or codes that devices show.

Kind of state: counts, through Admission. Requests are those of this node alone, as sign-ins from an address are; failures
those of all nodes, for what is tried at one would be free at the next. A good request costs no look at the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from foundation.addresses import address_key
from gateway.federation.oidc.errors import TooManyRequests
from gateway.federation.rates import KEPT_A_MINUTE, SharedRates
from gateway.federation.settings import FederationSettings
from gateway.federation.trusts import Trust

WRONG_SECRETS: Final = 30
"""A minute, of one client from one address: an application that was given another secret tries it for each of its users."""
WRONG_SECRETS_OF_ADDRESS: Final = 300
"""A minute, of all clients from one address: many may be behind it."""


class RequestLimits:
    """clock: Unix seconds."""

    def __init__(self, rates: SharedRates, settings: FederationSettings, clock: Callable[[], float]) -> None:
        self._rates, self._settings, self._clock = rates, settings, clock

    def draw(self, whose: str, rate: float) -> float:
        """See `Rates`."""
        return self._rates.draw(f"oidc {whose}", rate, self._clock())

    def check_address(self, address: str) -> None:
        """Before anything is read. Raises TooManyRequests."""
        self._check(f"address {address_key(address)}", self._settings.address_rate)

    def check_client(self, trust: Trust, address: str) -> None:
        """When the client has proved itself. Whoever sends a public client's name counts by their own address.

        Raises TooManyRequests.
        """
        public = trust.oidc.authentication == "none"
        whose = f"client {trust.id} {address_key(address)}" if public else f"client {trust.id}"
        self._check(whose, self._settings.client_rate)

    def check_kept(self, trust: Trust, address: str) -> None:
        """Before the store keeps something for a client that anybody can say to be. Raises TooManyRequests."""
        if trust.oidc.authentication == "none":
            self._check(f"kept {address_key(address)}", KEPT_A_MINUTE)

    def of_secrets(self, client_id: str, address: str) -> Mapping[str, int]:
        """Whose wrong secrets are counted, and how many a minute may be wrong. Known clients and others alike."""
        where = address_key(address)
        return {
            f"secret {where} {client_id}": WRONG_SECRETS,
            f"secrets {where}": WRONG_SECRETS_OF_ADDRESS,
        }

    def check_failures(self, whose: Mapping[str, int]) -> None:
        """None of them has failed too often within a minute. Raises TooManyRequests."""
        now = self._clock()
        for name, most in whose.items():
            if (wait := self._rates.failing(f"oidc {name}", most, now)) > 0:
                raise TooManyRequests(f"{name} has failed {most} times within a minute", wait)

    async def count_failure(self, whose: Mapping[str, int]) -> None:
        """Of each of them. Raises StoreError."""
        await self._rates.fail([f"oidc {name}" for name in whose], self._clock())

    def _check(self, whose: str, rate: float) -> None:
        if (wait := self.draw(whose, rate)) > 0:
            raise TooManyRequests(f"{whose} has sent more than {rate:g} requests a minute", wait)
