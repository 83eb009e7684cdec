"""How many requests an address and a client may send: so that neither keeps the relay from everybody else.

And how often they may be wrong: so that nobody tries out secrets of clients, or codes that devices show.

Kind of state: counts, through Admission. Requests are those of this node alone, as sign-ins from an address are; failures
those of all nodes, for what is tried at one would be free at the next. A good request costs no look at the store.

Many applications can be behind one address, and one of them, or a stranger, can use up what may be wrong there. A client
that has proved itself from that address lately is heard all the same, and has its own number of wrong secrets, as before:
so there are at most `WRONG_SECRETS_OF_ADDRESS` guesses a minute from an address, and `WRONG_SECRETS` more for each client
that is known there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from foundation.addresses import address_key
from gateway.federation.oidc.errors import InvalidClient, TooManyRequests
from gateway.federation.oidc.proven_clients import ProvenClients
from gateway.federation.rates import KEPT_A_MINUTE, SharedRates
from gateway.federation.settings import FederationSettings
from gateway.federation.trusts import Trust

WRONG_SECRETS: Final = 30
"""A minute, of one client from one address: an application that was given another secret tries it for each of its users."""
WRONG_SECRETS_OF_ADDRESS: Final = 300
"""A minute, of all clients from one address, but for those that have proved themselves there: many may be behind it."""


class RequestLimits:
    """clock: Unix seconds."""

    def __init__(self, rates: SharedRates, settings: FederationSettings, clock: Callable[[], float]) -> None:
        self._rates, self._settings, self._clock = rates, settings, clock
        self._proven = ProvenClients()

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

    async def try_secret(self, client_id: str, address: str, verify: Callable[[], None]) -> None:
        """Verify a client's secret; a wrong one counts. Known clients and others alike.

        Where too many were wrong from the address, the secret is looked at as ever, and neither answer nor time tell what it
        is worth, or which clients are known there: a wrong one of theirs counts on this node alone, since a look at the
        store takes time. verify: raises InvalidClient. Raises that, TooManyRequests, StoreError.
        """
        where = address_key(address)
        own, all_there = f"secret {where} {client_id}", f"secrets {where}"
        self.check_failures({own: WRONG_SECRETS})
        crowded = self._failed_too_often(all_there, WRONG_SECRETS_OF_ADDRESS)
        known = self._proven.knows(client_id, address, self._clock())
        try:
            verify()
        except InvalidClient:
            if crowded is None:
                await self.count_failure((own, all_there))
                raise
            if known:
                self._rates.fail_here([f"oidc {own}"], self._clock())
            raise crowded from None
        if crowded is not None and not known:
            raise crowded
        self._proven.note(client_id, address, self._clock())

    def check_failures(self, whose: Mapping[str, int]) -> None:
        """None of them has failed too often within a minute. Raises TooManyRequests."""
        for name, most in whose.items():
            if (refusal := self._failed_too_often(name, most)) is not None:
                raise refusal

    async def count_failure(self, whose: Iterable[str]) -> None:
        """Of each of them. Raises StoreError."""
        await self._rates.fail([f"oidc {name}" for name in whose], self._clock())

    def _failed_too_often(self, whose: str, most: int) -> TooManyRequests | None:
        wait = self._rates.failing(f"oidc {whose}", most, self._clock())
        return TooManyRequests(f"{whose} has failed {most} times within a minute", wait) if wait > 0 else None

    def _check(self, whose: str, rate: float) -> None:
        if (wait := self.draw(whose, rate)) > 0:
            raise TooManyRequests(f"{whose} has sent more than {rate:g} requests a minute", wait)
