"""Reads a whole farm over WinRM: every host at the same time, the commands of one host one after the other.

A host that fails keeps what was read of it, and an `error`. What belongs to the whole farm (properties, partners,
endpoints) is read from the primary as soon as it is known to be one, else from any node that answers.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Generic, TypeVar

from adfs_mgmt.farm import rows
from adfs_mgmt.farm.model import Farm, Node, Properties, Proxy, StoredCertificate, SyncRole
from adfs_mgmt.farm.queries import HostQuery
from adfs_mgmt.farm.service_principal import read_principal
from adfs_mgmt.farm.settings import FarmSettings
from adfs_mgmt.remoting import (
    MACHINE_STORE,
    ROOT_STORE,
    TRUSTED_DEVICES,
    RemotingError,
    Shell,
    seconds_of,
    text_of,
    time_of,
)
from foundation.times import ElapsedClock

NOT_ASKED = "not queried over WinRM"
_WID = "MSSQL$MICROSOFT##WID"
_PROXY_SERVICE = "appproxysvc"


async def read_farm(
    shell: Shell,
    settings: FarmSettings,
    now: float,
    *,
    hosts_at_once: int = 48,
    on_host: Callable[[str], None] | None = None,
    trust_stores: bool = False,
) -> Farm:
    """Read nodes, proxies and what belongs to the whole farm. `now` is Unix seconds; `on_host` hears of each host that
    is done; `trust_stores`: read whom their certificate stores trust, too. Never raises for a host that fails. Cancelling
    stops the reading; nothing is changed by it.
    """
    if not settings.winrm or not settings.nodes:
        return unread_farm(settings, now)
    slots, clock = asyncio.Semaphore(hosts_at_once), ElapsedClock(now)

    async def read(reader: _NodeReader | _ProxyReader) -> None:
        async with slots:
            await reader.read()
            if trust_stores and not reader.found.error:
                with suppress(RemotingError):  # it was reached a moment ago: the next look says more
                    await reader.read_trust_stores()
        if on_host is not None:
            on_host(reader.host.host)

    nodes = [_NodeReader(HostQuery(shell=shell, host=host, clock=clock), Node(host=host)) for host in settings.nodes]
    proxies = [_ProxyReader(HostQuery(shell=shell, host=host, clock=clock), Proxy(host=host)) for host in settings.proxies]
    await asyncio.gather(*map(read, nodes), *map(read, proxies))
    wide = await _farm_wide(nodes)
    found = tuple(reader.found for reader in nodes)
    return replace(
        wide,
        name=settings.name,
        read_at=now,
        properties=replace(wide.properties, sql=_on_sql_server(found)),
        nodes=found,
        proxies=tuple(reader.found for reader in proxies),
        principal=await read_principal([(reader.host, reader.found) for reader in nodes], settings.federation_name),
    )


def unread_farm(settings: FarmSettings, now: float) -> Farm:
    """A farm that is looked at from outside only."""
    properties = Properties(federation_name=settings.federation_name)
    return Farm(name=settings.name, read_at=now, properties=properties, nodes=(), error=NOT_ASKED)


async def _farm_wide(nodes: Sequence[_NodeReader]) -> Farm:
    """What belongs to the whole farm: from the primary, which has read it already; else from the first node that answers."""
    for reader in nodes:
        if reader.wide is not None and not reader.wide.error:
            return reader.wide
    for reader in nodes:
        if reader.found.certificates:
            wide = await reader.read_farm_wide()
            if not wide.error:
                return wide
    half = next((reader.wide for reader in nodes if reader.wide is not None), None)
    return half or _wide(
        Properties(), error="the primary server could not be read, and no other node returns the configuration"
    )


def _wide(properties: Properties, **known: Any) -> Farm:
    """What one node says of the whole farm, without its hosts."""
    return Farm(name="", read_at=0.0, properties=properties, nodes=(), **known)


def _on_sql_server(nodes: Sequence[Node]) -> bool:
    """No cmdlet says it. On SQL Server every node is a primary, and there is no Windows Internal Database that runs."""
    answered = [node for node in nodes if node.role is not None]
    return (
        bool(answered)
        and all(node.role is SyncRole.PRIMARY for node in answered)
        and not any(node.wid_running for node in answered)
    )


HostT = TypeVar("HostT", Node, Proxy)


class _HostReader(Generic[HostT]):
    """Reads one host. `found` is what is known so far."""

    def __init__(self, host: HostQuery, found: HostT) -> None:
        self.host = host
        self.found: HostT = found

    async def read(self) -> None:
        """Everything, until the host is gone."""
        try:
            await self.read_parts()
        except RemotingError as error:
            self.host.errors.append(error.reason)
        self.learn(error="; ".join(self.host.errors))

    async def read_parts(self) -> None:
        """One after the other. Raises RemotingError."""
        raise NotImplementedError

    async def read_trust_stores(self) -> None:
        """What an older JEA endpoint refuses is not known. Raises RemotingError."""
        roots = await self.host.try_for("Get-ChildItem", Path=(ROOT_STORE,))
        self.learn(misplaced=rows.read_misplaced(roots or []))

    def learn(self, **known: Any) -> None:
        """Fields of `found`."""
        self.found = replace(self.found, **known)


class _NodeReader(_HostReader[Node]):
    """A federation server."""

    wide: Farm | None = None
    """What it says of the whole farm, where it was asked."""

    async def read_parts(self) -> None:
        await self._read_system()
        await self._read_services()
        await self._read_sync()
        await self._read_certificates()
        if self.found.role is SyncRole.PRIMARY:
            await self.read_farm_wide()

    async def _read_system(self) -> None:
        system = await self.host.ask_for("Get-CimInstance", ClassName="Win32_OperatingSystem")
        computer = await self.host.ask_for("Get-CimInstance", ClassName="Win32_ComputerSystem")
        skew = await _clock_skew(self.host)
        self.learn(clock_skew=skew, windows=rows.read_windows_version(system), fqdn=rows.read_fqdn(computer))

    async def _read_services(self) -> None:
        service = await self.host.ask_for("Get-CimInstance", ClassName="Win32_Service", Filter="Name='adfssrv'")
        database = await self.host.try_for("Get-Service", Name=(_WID,))
        self.learn(
            service_running=text_of(service, "State") == "Running",
            service_account=text_of(service, "StartName"),
            wid_running=any(text_of(row, "Status") == "Running" for row in database) if database else None,
        )

    async def _read_sync(self) -> None:
        sync = await self.host.ask_for("Get-AdfsSyncProperties")
        self.learn(
            role=rows.read_sync_role(sync),
            primary=text_of(sync, "PrimaryComputerName"),
            last_sync=time_of(sync, "LastSyncTime"),
            last_sync_ok=rows.read_sync_ok(sync),
            poll_seconds=seconds_of(sync, "PollDuration", 300.0),
        )

    async def _read_certificates(self) -> None:
        self.learn(stored=await _stored(self.host))
        bindings = await self.host.ask("Get-AdfsSslCertificate")
        self.learn(bindings=tuple(rows.read_binding(row) for row in bindings))
        answer = await self.host.ask("Get-AdfsCertificate")
        self.learn(certificates=rows.read_farm_certificates(answer))

    async def read_trust_stores(self) -> None:
        """Its proxies' certificates are in a store of their own."""
        await super().read_trust_stores()
        devices = await self.host.try_for("Get-ChildItem", Path=(TRUSTED_DEVICES,))
        if devices is not None:
            found = (rows.read_x509(thing) for thing in devices)
            self.learn(trusted_devices=frozenset(row.thumbprint for row in found if row is not None))

    async def read_farm_wide(self) -> Farm:
        """Kept in `wide`. A node that is gone meanwhile leaves its reason there."""
        asked = replace(self.host, errors=[])
        try:
            answer = await asked.ask_for("Get-AdfsProperties")
            level = await asked.try_for("Get-AdfsFarmInformation") or [{}]
            partners = await asked.ask("Get-AdfsRelyingPartyTrust")
            providers = await asked.try_for("Get-AdfsClaimsProviderTrust") or []
            endpoints = await asked.ask("Get-AdfsEndpoint")
        except RemotingError as error:
            self.wide = _wide(Properties(), error=f"{asked.host}: {error.reason}")
            return self.wide
        self.wide = _wide(
            rows.read_properties(answer, level[0], windows=self.found.windows, bindings=self.found.bindings),
            relying_parties=tuple(rows.read_relying_party(row) for row in partners),
            claims_providers=tuple(rows.read_claims_provider(row) for row in providers),
            endpoints=tuple(rows.read_endpoint(row) for row in endpoints),
            error="; ".join(f"{asked.host}: {error}" for error in asked.errors),
        )
        return self.wide


class _ProxyReader(_HostReader[Proxy]):
    """A Web Application Proxy."""

    async def read_parts(self) -> None:
        await self._read_system()
        await self._read_certificates()
        await self._read_trust()

    async def _read_system(self) -> None:
        service = await self.host.ask_for("Get-Service", Name=(_PROXY_SERVICE,))
        skew = await _clock_skew(self.host)
        self.learn(clock_skew=skew, service_running=text_of(service, "Status") == "Running")

    async def _read_certificates(self) -> None:
        stored = await _stored(self.host)
        bindings = await self.host.ask("Get-WebApplicationProxySslCertificate")
        trust = rows.proxy_trust(stored)
        self.learn(
            stored=stored,
            bindings=tuple(rows.read_binding(row) for row in bindings),
            trust_ends=trust.not_after if trust else None,
        )

    async def _read_trust(self) -> None:
        """The proxy keeps its configuration on the nodes: where it cannot be read, the trust is broken."""
        health = await self.host.try_for("Get-WebApplicationProxyHealth")
        self.learn(unhealthy=rows.read_unhealthy(health or []))
        configuration = await self.host.try_for("Get-WebApplicationProxyConfiguration")
        self.learn(trust_ok=configuration is not None)
        if configuration is not None:
            answer = await self.host.ask("Get-WebApplicationProxyApplication")
            self.learn(applications=tuple(rows.read_application(row) for row in answer))


async def _clock_skew(host: HostQuery) -> float | None:
    """Seconds that its clock is ahead of ours, less half the round trip: not of the first command, which has to connect."""
    before = host.clock.now()
    answer = await host.ask_for("Get-Date")
    after = host.clock.now()
    there = next((value for value in answer.values() if isinstance(value, dt.datetime)), None)
    return there.timestamp() - (before + after) / 2 if there is not None else None


async def _stored(host: HostQuery) -> tuple[StoredCertificate, ...]:
    things = await host.ask("Get-ChildItem", Path=(MACHINE_STORE,))
    return rows.read_stored(things, await host.try_for("Get-IsthmusKeyAccess"))
