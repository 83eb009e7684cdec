"""Observes the farm and the server that an operation is about. Changes nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from adfs_mgmt.farm import windows
from adfs_mgmt.farm.asking import Asking, Host
from adfs_mgmt.farm.model import Farm, Outside, SyncRole
from adfs_mgmt.farm.outside import look_outside
from adfs_mgmt.farm.read import read
from adfs_mgmt.farm.settings import FarmSettings, split_host
from adfs_mgmt.procedures.server import (
    ADFS_ROLE,
    PROXY_ROLE,
    WID_FEATURE,
    ObservedServer,
    Operation,
    ServerObservation,
    ServerSpec,
)
from adfs_mgmt.remoting import RemotingError, Shell, Thing
from adfs_mgmt.remoting.catalogue import STORE

_FEATURES = (ADFS_ROLE, PROXY_ROLE, WID_FEATURE)


@dataclass(slots=True, kw_only=True)
class ServerObserver:
    """The farm is read once, by `observe_all`; then only what an operation changes."""

    shell: Shell
    settings: FarmSettings
    spec: ServerSpec
    clock: Callable[[], float]
    """Unix seconds."""
    outside: Callable[[FarmSettings, float], Awaitable[Outside]] = look_outside
    """What looks from outside."""
    _farm: Farm | None = None

    async def observe_all(self) -> ServerObservation:
        """Read the farm, then observe the server. Never raises for one that does not answer."""
        self._farm = await read(self.shell, _without(self.settings, self.spec), self.clock())
        return replace(await self.observe(), resolves_to=await self._resolve())

    async def observe(self) -> ServerObservation:
        """What an operation changes. Never raises for a server that does not answer."""
        farm = self._farm
        if farm is None or (farm.primary is None and farm.nodes):  # it may be back
            farm = self._farm = await read(self.shell, _without(self.settings, self.spec), self.clock())
        host, (listed, farm_error) = await asyncio.gather(self._host(), self._listed(farm))
        primary = farm.primary
        watched = (*((primary.host,) if primary else ()), self.spec.host)
        outside = await self.outside(replace(self.settings, nodes=watched, proxies=()), self.clock())
        served = {row.host: row for row in outside.served}
        return ServerObservation(
            now=self.clock(),
            farm=farm,
            host=host,
            listed=listed,
            farm_error=farm_error,
            served=served.get(self.spec.host),
            reference=served.get(primary.host) if primary else None,
        )

    async def _host(self) -> ObservedServer:
        asked = Host(asking=Asking(shell=self.shell, now=self.clock()), host=self.spec.host)
        try:
            return await self._observed(asked)
        except RemotingError as error:
            return ObservedServer(host=self.spec.host, error=error.reason)

    async def _observed(self, asked: Host) -> ObservedServer:
        computer = await asked.ask_for("Get-CimInstance", ClassName="Win32_ComputerSystem")
        system = await asked.ask_for("Get-CimInstance", ClassName="Win32_OperatingSystem")
        features = await asked.ask("Get-WindowsFeature", Name=_FEATURES)
        stored = await asked.ask("Get-ChildItem", Path=(STORE,))
        found = ObservedServer(
            host=self.spec.host,
            error="; ".join(asked.errors),
            fqdn=windows.fqdn(computer),
            domain=windows.text(computer, "Domain").lower() if windows.flag(computer, "PartOfDomain") else "",
            windows=windows.windows_version(system),
            clock_skew=windows.when(system, "LocalDateTime") - asked.asking.clock,
            features={windows.text(row, "Name"): windows.text(row, "InstallState") for row in features},
            stored=windows.stored(stored, await asked.try_for("Get-IsthmusKeyAccess")),
        )
        if self.spec.operation.role == PROXY_ROLE:
            return await self._proxy(asked, found)
        return await self._node(asked, found)

    async def _node(self, asked: Host, found: ObservedServer) -> ObservedServer:
        if not found.has(ADFS_ROLE):
            return found
        service = await asked.try_for("Get-Service", Name=("adfssrv",))
        sync = _first(await asked.try_for("Get-AdfsSyncProperties"))
        role = windows.sync_role(sync)
        bindings = await asked.try_for("Get-AdfsSslCertificate") if role else None
        properties = _first(await asked.try_for("Get-AdfsProperties") if role is SyncRole.PRIMARY else None)
        return replace(
            found,
            service_running=_running(service),
            role=role,
            primary=windows.text(sync, "PrimaryComputerName"),
            last_sync=windows.when(sync, "LastSyncTime"),
            last_sync_ok=windows.sync_ok(sync),
            poll_seconds=windows.seconds(sync, "PollDuration", 300.0),
            bindings=tuple(windows.binding(row) for row in bindings or ()),
            federation_name=windows.text(properties, "HostName"),
        )

    async def _proxy(self, asked: Host, found: ObservedServer) -> ObservedServer:
        if not found.has(PROXY_ROLE):
            return found
        service = await asked.try_for("Get-Service", Name=("appproxysvc",))
        health = await asked.try_for("Get-WebApplicationProxyHealth")
        configuration = await asked.try_for("Get-WebApplicationProxyConfiguration")
        return replace(
            found,
            service_running=_running(service),
            joined=configuration is not None,
            unhealthy=windows.unhealthy(health or []),
        )

    async def _listed(self, farm: Farm) -> tuple[tuple[str, ...] | None, str]:
        """The farm's own table of nodes, and why it cannot be had. 2012 R2 keeps none."""
        primary = farm.primary
        if self.spec.operation not in {Operation.NODE_ADD, Operation.NODE_REMOVE}:
            return None, ""
        if primary is None:
            return None, "no primary answers"
        if farm.properties.behaviour_level == 1:
            return None, ""
        asked = Host(asking=Asking(shell=self.shell, now=self.clock()), host=primary.host)
        try:
            answer = await asked.ask_for("Get-AdfsFarmInformation")
        except RemotingError as error:
            return None, f"{primary.host} does not answer ({error.reason})"
        if asked.errors:
            return None, f"{primary.host}: {'; '.join(asked.errors)}"
        return tuple(name.lower() for name in windows.texts(answer, "FarmNodes")), ""

    async def _resolve(self) -> tuple[str, ...] | None:
        if self.settings.federation_address:
            return None
        try:
            async with asyncio.timeout(self.settings.outside_timeout):
                found = await asyncio.get_running_loop().getaddrinfo(
                    self.spec.federation_name, None, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError, UnicodeError):
            return ()
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _without(settings: FarmSettings, spec: ServerSpec) -> FarmSettings:
    """The farm without the server in question, which may be in the settings already."""

    def others(hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(host for host in hosts if split_host(host)[0].lower() != spec.name)

    nodes = () if spec.operation is Operation.FARM_NEW else others(settings.nodes)
    return replace(settings, nodes=nodes, proxies=others(settings.proxies))


def _first(answer: list[Thing] | None) -> Thing:
    return next(iter(answer or ()), {})


def _running(answer: list[Thing] | None) -> bool:
    return windows.text(_first(answer), "Status") == "Running"
