"""Settings of operations, without the command line's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from adfs_mgmt.farm import FarmSettings
from adfs_mgmt.health import Thresholds
from adfs_mgmt.operations import OperationContext
from adfs_mgmt.remoting import RemotingSettings, Shell
from adfs_mgmt.trust import EntraSettings
from certs.acme import AcmeSettings
from tests.adfs.deploy.support import VirtualClock
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator


@dataclass(frozen=True)
class Settings:
    """Whatever has these is settings enough: a portal's would be another class."""

    state_dir: Path
    farms: tuple[FarmSettings, ...]
    entra: tuple[EntraSettings, ...] = ()
    remoting: RemotingSettings = field(default_factory=RemotingSettings)
    acme: AcmeSettings = field(default_factory=AcmeSettings)
    thresholds: Thresholds = field(default_factory=Thresholds)


def farm(name: str = "prod", **more: object) -> FarmSettings:
    """One that is not looked at."""
    return FarmSettings(name=name, federation_name=f"{name}.example.com", **more)  # type: ignore[arg-type]


def tenant(name: str = "contoso", farm: str = "") -> EntraSettings:
    """One that is not asked."""
    return EntraSettings(tenant=name, client_id="1", secret_file=Path("secret"), farm=farm)


def context_of(simulator: Simulator, clock: ManualClock, settings: Settings) -> OperationContext:
    """The way to the servers leads into the simulator, and waiting takes no time."""

    def connect(_settings: RemotingSettings) -> Shell:
        return SimulatedShell(simulator)

    return OperationContext(settings=settings, connect=connect, clock=VirtualClock(clock))
