"""Applications, and rollovers of a node, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from certs import KeyState
from gateway.federation.keys import KeySettings, SigningKeys
from gateway.federation.keys.model import Ring
from gateway.federation.keys.rollover import RingContext, Rollovers
from gateway.federation.trusts import KeyNotice, Trust
from gateway.housekeeping import Sleep
from gateway.store import SigningKeyRecord, Store

HOST = "signin.example.com"
SETTINGS = KeySettings(
    oidc_lifetime=10_000.0,
    saml_lifetime=10_000.0,
    create_before=3000.0,
    publish_for=1000.0,
    retire_after=500.0,
    critical=200.0,
    lead=100.0,
)
"""Seconds instead of days. Copies of the key set hold for 250 s."""


class Applications:
    """Trusts, as the registry has them."""

    def __init__(self, *trusts: Trust) -> None:
        self.trusts: tuple[Trust, ...] = trusts

    async def load(self) -> None:
        """There is nothing to be read."""

    def all(self) -> Sequence[Trust]:
        """Those of now."""
        return self.trusts


def saml(name: str, notice: KeyNotice | None = None, contact: str = "") -> Trust:
    """A SAML party."""
    return Trust(id=name, name=name, protocol="saml", keys=notice or KeyNotice(), contact=contact)


class RollingNode:
    """One node: its keys, and what rolls them."""

    def __init__(
        self,
        store: Store,
        applications: Applications,
        clock: Callable[[], float],
        sleep: Sleep,
        settings: KeySettings = SETTINGS,
    ) -> None:
        self.store, self.clock = store, clock
        self.context = RingContext(store=store, settings=settings, trusts=applications, host=HOST, clock=clock)
        self.rollovers = Rollovers(self.context, sleep=sleep)
        self.keys = SigningKeys(store, settings, host=HOST, clock=clock, sleep=sleep)

    async def records(self, ring: Ring) -> list[SigningKeyRecord]:
        """What is kept of a ring."""
        return [record for record in await self.store.signing_keys.all() if record.ring == ring]

    async def states(self, ring: Ring) -> dict[str, KeyState]:
        """By id."""
        return {record.id: KeyState(record.state) for record in await self.records(ring)}

    async def look(self) -> None:
        """What a second does: the duty, and whether the copy is old."""
        await self.rollovers.run()
        await self.store.generations.look()
