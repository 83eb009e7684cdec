"""What every operation needs: the settings, farms and tenants by name, the way to the servers, and a clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from adfs_mgmt.farm import ExternalView, FarmSettings, read_external_view
from adfs_mgmt.health import Thresholds
from adfs_mgmt.operations.errors import FileUnusable, NotPossible, SelectionError, SettingsError
from adfs_mgmt.remoting import RemotingSettings, Shell, split_host
from adfs_mgmt.trust import EntraSettings
from certs.acme import AcmeSettings
from foundation.procedures import Clock, Progress, WallClock

if TYPE_CHECKING:
    from foundation.graph import Graph


class OperationSettings(Protocol):
    """What operations read of the settings; the command line's are more."""

    @property
    def state_dir(self) -> Path:
        """For journals, backups, pending keys and the ledgers of partners."""

    @property
    def farms(self) -> tuple[FarmSettings, ...]:
        """The AD FS farms."""

    @property
    def remoting(self) -> RemotingSettings:
        """The way to their servers."""

    @property
    def entra(self) -> tuple[EntraSettings, ...]:
        """Tenants whose domains are federated with a farm."""

    @property
    def acme(self) -> AcmeSettings:
        """For SSL certificates."""

    @property
    def thresholds(self) -> Thresholds:
        """When a finding is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedTenant:
    """A tenant of Entra ID, and the farm that its domains are federated with."""

    entra: EntraSettings
    farm: FarmSettings

    def graph(self) -> Graph:
        """Microsoft Graph as this tenant's application, to be entered with `async with`. Loads msal."""
        from foundation.graph import Graph

        return Graph(self.entra)


OnProgress = Callable[[Progress], None]
"""Hears of what a run is doing."""


def silent(progress: Progress) -> None:
    """For whoever does not watch."""


def connect(settings: RemotingSettings) -> Shell:
    """A shell over WinRM. Raises RemotingError for settings that cannot work."""
    from adfs_mgmt.remoting import WinRm

    return WinRm(settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationContext:
    """Passed to every operation. Raises SettingsError where farms would be taken for one another."""

    settings: OperationSettings
    recording: Path | None = None
    """A new file for what is said to the servers and what they answer, with names replaced; None: it is not written down."""
    connect: Callable[[RemotingSettings], Shell] = connect
    external: Callable[[FarmSettings, float], Awaitable[ExternalView]] = read_external_view
    """What observes servers as anybody on the network does."""
    clock: Clock = field(default_factory=WallClock)

    def __post_init__(self) -> None:
        if wrong := _inconsistencies(self.settings.farms):
            raise SettingsError("; ".join(wrong))

    @property
    def state_dir(self) -> Path:
        """Of the settings."""
        return self.settings.state_dir

    def now(self) -> float:
        """Unix seconds."""
        return self.clock.now()

    def farms(self, names: Sequence[str] = ()) -> tuple[FarmSettings, ...]:
        """The farms of these names; all for none. Raises SelectionError."""
        known = {farm.name: farm for farm in self.settings.farms}
        if not known:
            raise SelectionError("the settings contain no farm; add one under [[farms]]")
        if unknown := [name for name in names if name not in known]:
            raise SelectionError(f"no farm {', '.join(unknown)} in the settings; available: {', '.join(known)}")
        return tuple(known[name] for name in dict.fromkeys(names)) or self.settings.farms

    def farm(self, name: str = "") -> FarmSettings:
        """The farm of this name, or the only one. Raises SelectionError."""
        farms = self.farms([name] if name else ())
        if len(farms) > 1:
            raise SelectionError(
                f"this command works on one farm; choose it with --farm: {', '.join(farm.name for farm in farms)}"
            )
        return farms[0]

    def managed_farm(self, name: str = "") -> FarmSettings:
        """As `farm`; one that can be changed. Raises NotPossible for one that is observed from outside only."""
        farm = self.farm(name)
        if not farm.winrm or not farm.nodes:
            raise NotPossible(
                f"farm {farm.name} is only observed from outside; to change it, list its nodes in the settings"
            )
        return farm

    def tenants(self, name: str = "") -> tuple[FederatedTenant, ...]:
        """Every tenant with its farm, or the one of this name. Raises SelectionError, SettingsError."""
        if not self.settings.entra:
            raise SelectionError("the settings contain no tenant; add one under [[entra]]")
        wanted = [entra for entra in self.settings.entra if name in {"", entra.tenant}]
        if not wanted:
            known = ", ".join(entra.tenant for entra in self.settings.entra)
            raise SelectionError(f"no tenant {name} in the settings; available: {known}")
        return tuple(FederatedTenant(entra=entra, farm=self._farm_of(entra)) for entra in wanted)

    def tenant(self, name: str = "") -> FederatedTenant:
        """The tenant of this name, or the only one. Raises SelectionError, SettingsError."""
        found = self.tenants(name)
        if len(found) > 1:
            known = ", ".join(tenant.entra.tenant for tenant in found)
            raise SelectionError(f"there are several tenants; choose one with --tenant: {known}")
        return found[0]

    @asynccontextmanager
    async def shell(self) -> AsyncIterator[Shell]:
        """The way to the servers, closed afterwards. Raises RemotingError, FileUnusable."""
        shell = self.connect(self.settings.remoting)
        if self.recording is not None:
            shell = _recorder(shell, self.recording)
        try:
            yield shell
        finally:
            await shell.close()

    def _farm_of(self, entra: EntraSettings) -> FarmSettings:
        farms = {farm.name: farm for farm in self.settings.farms}
        if not entra.farm and len(farms) == 1:
            return self.settings.farms[0]
        if not entra.farm:
            known = ", ".join(farms) or "the farms (there are none)"
            raise SettingsError(f"[[entra]] {entra.tenant}: set `farm` to one of {known}")
        if entra.farm not in farms:
            raise SettingsError(f"[[entra]] {entra.tenant}: there is no farm {entra.farm!r} in the settings")
        return farms[entra.farm]


def _recorder(shell: Shell, path: Path) -> Shell:
    from adfs_mgmt.remoting import Recorder

    try:
        return Recorder(shell, path)
    except OSError as error:
        raise FileUnusable(path, f"cannot be written ({error.strerror})") from error


def _inconsistencies(farms: Sequence[FarmSettings]) -> list[str]:
    """Farms of one name, and servers that are in two places."""
    names = [farm.name for farm in farms]
    wrong = [f"two farms are called {name}" for name in dict.fromkeys(names) if names.count(name) > 1]
    places: dict[str, str] = {}
    for farm in farms:
        for kind, hosts in (("node", farm.nodes), ("proxy", farm.proxies)):
            for host in hosts:
                name, place = split_host(host)[0].lower(), f"a {kind} of {farm.name}"
                if name in places:
                    wrong.append(f"{name} is {places[name]} and {place}; list each server only once")
                places[name] = place
    return wrong
