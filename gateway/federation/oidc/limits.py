"""How many requests an address and a client may send: so that neither keeps the relay from everybody else.

Kind of state: counts, through Admission, of this node alone, as those of sign-ins from an address.
"""

from __future__ import annotations

from collections.abc import Callable

from foundation.addresses import address_key
from gateway.federation.oidc.errors import TooManyRequests
from gateway.federation.rates import KEPT_A_MINUTE, Rates
from gateway.federation.settings import FederationSettings
from gateway.federation.trusts import Trust


class RequestLimits:
    """clock: Unix seconds."""

    def __init__(self, rates: Rates, settings: FederationSettings, clock: Callable[[], float]) -> None:
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

    def _check(self, whose: str, rate: float) -> None:
        if (wait := self.draw(whose, rate)) > 0:
            raise TooManyRequests(f"{whose} has sent more than {rate:g} requests a minute", wait)
