"""Reads one server, whether or not it belongs to a farm already, and the farm's own table of nodes. Changes nothing."""

from __future__ import annotations

from dataclasses import replace

from adfs_mgmt.farm import rows
from adfs_mgmt.farm.model import SyncRole
from adfs_mgmt.farm.queries import HostQuery
from adfs_mgmt.farm.server import ADFS_ROLE, PROXY_ROLE, WID_FEATURE, ObservedServer
from adfs_mgmt.remoting import MACHINE_STORE, PSObject, RemotingError, Shell, flag_of, text_of, texts_of, time_of
from foundation.times import ElapsedClock

_FEATURES = (ADFS_ROLE, PROXY_ROLE, WID_FEATURE)


async def read_server(shell: Shell, host: str, role: str, now: float) -> ObservedServer:
    """What it says about itself, and about the role that it has or shall have. Never raises for one that does not answer."""
    asked = HostQuery(shell=shell, host=host, clock=ElapsedClock(now))
    try:
        found = await _system(asked)
        if not found.has(role):
            return found
        return await (_proxy(asked, found) if role == PROXY_ROLE else _node(asked, found))
    except RemotingError as error:
        return ObservedServer(host=host, error=error.reason)


async def read_listed_nodes(shell: Shell, primary: str, now: float) -> tuple[tuple[str, ...] | None, str]:
    """Names in the farm's own table, lower case; None with the reason where it cannot be had."""
    asked = HostQuery(shell=shell, host=primary, clock=ElapsedClock(now))
    try:
        answer = await asked.ask_for("Get-AdfsFarmInformation")
    except RemotingError as error:
        return None, f"{primary} does not answer ({error.reason})"
    if asked.errors:
        return None, f"{primary}: {'; '.join(asked.errors)}"
    return tuple(name.lower() for name in texts_of(answer, "FarmNodes")), ""


async def _system(asked: HostQuery) -> ObservedServer:
    computer = await asked.ask_for("Get-CimInstance", ClassName="Win32_ComputerSystem")
    system = await asked.ask_for("Get-CimInstance", ClassName="Win32_OperatingSystem")
    there = time_of(system, "LocalDateTime")
    features = await asked.ask("Get-WindowsFeature", Name=_FEATURES)
    stored = await asked.ask("Get-ChildItem", Path=(MACHINE_STORE,))
    return ObservedServer(
        host=asked.host,
        error="; ".join(asked.errors),
        fqdn=rows.read_fqdn(computer),
        domain=text_of(computer, "Domain").lower() if flag_of(computer, "PartOfDomain") else "",
        windows=rows.read_windows_version(system),
        clock_skew=None if there is None else there - asked.clock.now(),
        features={text_of(row, "Name"): text_of(row, "InstallState") for row in features},
        stored=rows.read_stored(stored, await asked.try_for("Get-IsthmusKeyAccess")),
    )


async def _node(asked: HostQuery, found: ObservedServer) -> ObservedServer:
    service = await asked.try_for("Get-Service", Name=("adfssrv",))
    sync = _first(await asked.try_for("Get-AdfsSyncProperties"))
    role = rows.read_sync_role(sync)
    properties = _first(await asked.try_for("Get-AdfsProperties") if role is SyncRole.PRIMARY else None)
    return replace(
        found,
        service_running=_running(service),
        role=role,
        last_sync=time_of(sync, "LastSyncTime"),
        last_sync_ok=rows.read_sync_ok(sync),
        federation_name=text_of(properties, "HostName"),
    )


async def _proxy(asked: HostQuery, found: ObservedServer) -> ObservedServer:
    service = await asked.try_for("Get-Service", Name=("appproxysvc",))
    health = await asked.try_for("Get-WebApplicationProxyHealth")
    configuration = await asked.try_for("Get-WebApplicationProxyConfiguration")
    return replace(
        found,
        service_running=_running(service),
        joined=configuration is not None,
        unhealthy=rows.read_unhealthy(health or []),
    )


def _first(answer: list[PSObject] | None) -> PSObject:
    return next(iter(answer or ()), {})


def _running(answer: list[PSObject] | None) -> bool:
    return text_of(_first(answer), "Status") == "Running"
