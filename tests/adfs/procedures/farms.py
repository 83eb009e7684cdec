"""Whole farms for the rollover: the simulator behind `read_farm` and `read_external_view`, Entra ID in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adfs_mgmt.farm import FarmSettings
from adfs_mgmt.procedures.executor import AdfsExecutor
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.observer import observe
from adfs_mgmt.trust import Configuration, FederatedDomain, Slot
from adfs_mgmt.trust.model import Authentication
from certs import Certificate, Ledger, PendingKeys
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator
from tests.adfs.simulator.state import Farm


@dataclass
class MemoryTrust:
    """Entra ID with domains that are federated with the farm."""

    slots: dict[str, list[Certificate]]

    async def domains(self, now: float) -> tuple[FederatedDomain, ...]:
        return tuple(
            FederatedDomain(
                name=name,
                authentication=Authentication.FEDERATED,
                configuration=Configuration(
                    id="1", issuer_uri="http://x", certificates=dict(zip(Slot, certificates, strict=False))
                ),
            )
            for name, certificates in self.slots.items()
        )

    async def publish(self, domain: str, certificate: Certificate, keep: str, now: float) -> str:
        kept = [each for each in self.slots[domain] if each.thumbprint == keep]
        self.slots[domain] = [*kept, certificate]
        return ""

    async def withdraw(self, domain: str, thumbprint: str, keep: str, now: float) -> str:
        assert any(each.thumbprint == keep for each in self.slots[domain])
        self.slots[domain] = [each for each in self.slots[domain] if each.thumbprint != thumbprint]
        return ""


@dataclass
class Site:
    """A simulated farm with everything that a rollover needs."""

    simulator: Simulator
    clock: ManualClock
    farm: Farm
    settings: FarmSettings
    trust: MemoryTrust
    vault: PendingKeys
    ledger: Ledger = field(default_factory=lambda: Ledger(farm="prod"))

    @property
    def time(self) -> float:
        return self.clock.now

    @time.setter
    def time(self, value: float) -> None:
        self.clock.now = value

    def now(self) -> float:
        return self.clock.now

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def observe(self) -> FarmObservation:
        return await observe(SimulatedShell(self.simulator), self.settings, self.trust, self.ledger, self.now)

    def executor(self) -> AdfsExecutor:
        return AdfsExecutor(SimulatedShell(self.simulator), self.observe, self.trust, self.vault, self.now)


POLL = 60.0
"""Seconds between the polls of a secondary, instead of 300: a farm that waits is read again and again, over the network."""


@contextmanager
def site(clock: ManualClock, state: Path, **wish: object) -> Iterator[Site]:
    """A farm of three nodes and two proxies, unless `wish` says otherwise."""
    simulator = Simulator(clock)
    farm = simulator.farm(**wish)  # type: ignore[arg-type]
    farm.shared.poll = POLL
    for host in simulator.world.nodes(farm):
        if host.node is not None:
            host.node.configuration.poll = POLL
    with Network(simulator) as network:
        settings = FarmSettings(
            name="prod",
            federation_name=farm.name,
            federation_address=network.federation_address(farm),
            nodes=network.nodes(farm),
            proxies=network.proxies(farm),
            https_port=network.https_port,
            http_port=network.http_port,
            tls_ca_file=network.ca_file,
        )
        yield Site(simulator, clock, farm, settings, MemoryTrust({}), PendingKeys(state))
