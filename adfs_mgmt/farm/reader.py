"""Reads a whole farm over WinRM: every host at the same time, the commands of one host one after the other.

A host that fails keeps what was read of it, and an `error`. What belongs to the whole farm (properties, partners,
endpoints) is read from the primary as soon as it is known to be one, else from any node that answers.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from adfs_mgmt.farm import rows
from adfs_mgmt.farm.clock import FarmClock
from adfs_mgmt.farm.external_view import fetch_metadata
from adfs_mgmt.farm.model import Endpoint, Farm, Node, Properties, Proxy, RelyingParty, StoredCertificate, SyncRole
from adfs_mgmt.farm.queries import FarmQuery, HostQuery
from adfs_mgmt.farm.service_principal import read_principal
from adfs_mgmt.farm.settings import FarmSettings
from adfs_mgmt.remoting import MACHINE_STORE, RemotingError, Shell, integer_of, seconds_of, text_of, time_of
from certs import Certificate
from foundation.http import FetchFailed
from foundation.saml import Metadata

NOT_ASKED = "not asked over WinRM"
_WID = "MSSQL$MICROSOFT##WID"
_PROXY_SERVICE = "appproxysvc"
T = TypeVar("T")
FetchMetadata = Callable[[FarmSettings, str, float], Awaitable[Metadata]]


async def read_farm(
    shell: Shell,
    settings: FarmSettings,
    now: float,
    *,
    hosts_at_once: int = 48,
    on_host: Callable[[str], None] | None = None,
    metadata: FetchMetadata | None = fetch_metadata,
) -> Farm:
    """Read nodes, proxies and what belongs to the whole farm. `now` is Unix seconds; `on_host` hears of each host that
    is done; `metadata` fetches what completes the certificates (None: nothing does). Never raises for a host that fails.
    Cancelling stops the reading; nothing is changed by it.
    """
    if not settings.winrm or not settings.nodes:
        return unread_farm(settings, now)
    query, slots = FarmQuery(shell=shell, clock=FarmClock(now)), asyncio.Semaphore(hosts_at_once)

    async def bounded(host: str, work: Awaitable[T]) -> T:
        async with slots:
            found = await work
        if on_host is not None:
            on_host(host)
        return found

    nodes = [_NodeReader(query, host) for host in settings.nodes]
    proxies = [_ProxyReader(query, host) for host in settings.proxies]
    readers: list[_NodeReader | _ProxyReader] = [*nodes, *proxies]
    await asyncio.gather(*(bounded(reader.host.host, reader.read()) for reader in readers))
    read_nodes, read_proxies = [reader.node for reader in nodes], [reader.proxy for reader in proxies]
    farm = _assembled(settings, now, await _farm_wide(nodes), read_nodes, read_proxies)
    farm = replace(farm, principal=await read_principal(query, farm.nodes, settings.federation_name))
    return farm if metadata is None else await _with_metadata(farm, settings, now, metadata)


def unread_farm(settings: FarmSettings, now: float) -> Farm:
    """A farm that is looked at from outside only."""
    properties = Properties(federation_name=settings.federation_name)
    return Farm(name=settings.name, read_at=now, properties=properties, nodes=(), error=NOT_ASKED)


def with_certificates(farm: Farm, known: Iterable[Certificate]) -> Farm:
    """The same farm, with the DER of those of its certificates of which only a text was to be had."""
    by_name = {certificate.thumbprint: certificate for certificate in known if certificate.der}
    return replace(farm, nodes=tuple(_completed(node, by_name) for node in farm.nodes))


def _completed(node: Node, by_name: dict[str, Certificate]) -> Node:
    rows = tuple(
        row if row.certificate.der else replace(row, certificate=by_name.get(row.certificate.thumbprint, row.certificate))
        for row in node.certificates
    )
    return replace(node, certificates=rows)


async def _with_metadata(farm: Farm, settings: FarmSettings, now: float, fetch: FetchMetadata) -> Farm:
    """Certificates that AD FS manages itself are in no store: their DER is in the metadata."""
    lacking = [node for node in farm.nodes for row in node.certificates if not row.certificate.der]
    if not lacking:
        return farm
    with suppress(FetchFailed):  # then what the text of the certificate says has to do
        metadata = await fetch(settings, (farm.primary or lacking[0]).host, now)
        return with_certificates(farm, (*metadata.signing, *metadata.encryption))
    return farm


@dataclass(frozen=True, slots=True, kw_only=True)
class _FarmWide:
    """What one node says of the whole farm."""

    properties: Properties
    relying_parties: tuple[RelyingParty, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    error: str = ""


async def _farm_wide(nodes: Sequence[_NodeReader]) -> _FarmWide:
    """From the primary, which has read it already; else from the first node that answers."""
    wide = next((reader.wide for reader in nodes if reader.wide is not None and not reader.wide.error), None)
    for reader in nodes:
        if wide is None and reader.node.certificates:
            await reader.read_farm_wide()
            wide = reader.wide if reader.wide is not None and not reader.wide.error else None
    if wide is not None:
        return wide
    half = next((reader.wide for reader in nodes if reader.wide is not None), None)
    return half or _FarmWide(
        properties=Properties(), error="the primary was not read, and no other node tells the configuration"
    )


def _assembled(settings: FarmSettings, now: float, wide: _FarmWide, nodes: Sequence[Node], proxies: Sequence[Proxy]) -> Farm:
    return Farm(
        name=settings.name,
        read_at=now,
        properties=replace(wide.properties, sql=_on_sql_server(nodes)),
        nodes=tuple(nodes),
        proxies=tuple(proxies),
        relying_parties=wide.relying_parties,
        endpoints=wide.endpoints,
        error=wide.error,
    )


def _on_sql_server(nodes: Sequence[Node]) -> bool:
    """No cmdlet says it. On SQL Server every node is a primary, and there is no Windows Internal Database that runs."""
    answered = [node for node in nodes if node.role is not None]
    return (
        bool(answered)
        and all(node.role is SyncRole.PRIMARY for node in answered)
        and not any(node.wid_running for node in answered)
    )


class _NodeReader:
    """Reads one federation server. `node` is what is known so far."""

    def __init__(self, query: FarmQuery, host: str) -> None:
        self.host = HostQuery(query=query, host=host)
        self.node = Node(host=host)
        self.wide: _FarmWide | None = None
        self._utc_offset = 0.0

    async def read(self) -> None:
        """Everything, until the host is gone."""
        try:
            await self._read_system()
            await self._read_services()
            await self._read_sync()
            await self._read_certificates()
            if self.node.role is SyncRole.PRIMARY:
                await self.read_farm_wide()
        except RemotingError as error:
            self.host.errors.append(error.reason)
        self.node = replace(self.node, error="; ".join(self.host.errors))

    async def _read_system(self) -> None:
        system = await self.host.ask_for("Get-CimInstance", ClassName="Win32_OperatingSystem")
        computer = await self.host.ask_for("Get-CimInstance", ClassName="Win32_ComputerSystem")
        skew = await _clock_skew(self.host)
        self._utc_offset = integer_of(system, "CurrentTimeZone") * 60.0
        self.node = replace(
            self.node, clock_skew=skew, windows=rows.read_windows_version(system), fqdn=rows.read_fqdn(computer)
        )

    async def _read_services(self) -> None:
        service = await self.host.ask_for("Get-CimInstance", ClassName="Win32_Service", Filter="Name='adfssrv'")
        database = await self.host.try_for("Get-Service", Name=(_WID,))
        self.node = replace(
            self.node,
            service_running=text_of(service, "State") == "Running",
            service_account=text_of(service, "StartName"),
            wid_running=any(text_of(row, "Status") == "Running" for row in database) if database else None,
        )

    async def _read_sync(self) -> None:
        sync = await self.host.ask_for("Get-AdfsSyncProperties")
        self.node = replace(
            self.node,
            role=rows.read_sync_role(sync),
            primary=text_of(sync, "PrimaryComputerName"),
            last_sync=time_of(sync, "LastSyncTime"),
            last_sync_ok=rows.read_sync_ok(sync),
            poll_seconds=seconds_of(sync, "PollDuration", 300.0),
        )

    async def _read_certificates(self) -> None:
        self.node = replace(self.node, stored=await _stored(self.host))
        bindings = await self.host.ask("Get-AdfsSslCertificate")
        self.node = replace(self.node, bindings=tuple(rows.read_binding(row) for row in bindings))
        known = {row.certificate.thumbprint: row.certificate for row in self.node.stored}
        answer = await self.host.ask("Get-AdfsCertificate")
        self.node = replace(self.node, certificates=rows.read_farm_certificates(answer, known, self._utc_offset))

    async def read_farm_wide(self) -> None:
        """Into `wide`. A node that is gone meanwhile leaves its reason there."""
        asked = HostQuery(query=self.host.query, host=self.host.host)
        try:
            answer = await asked.ask_for("Get-AdfsProperties")
            level = await asked.try_for("Get-AdfsFarmInformation") or [{}]
            partners = await asked.ask("Get-AdfsRelyingPartyTrust")
            endpoints = await asked.ask("Get-AdfsEndpoint")
        except RemotingError as error:
            self.wide = _FarmWide(properties=Properties(), error=f"{asked.host}: {error.reason}")
            return
        self.wide = _FarmWide(
            properties=rows.read_properties(answer, level[0], windows=self.node.windows, bindings=self.node.bindings),
            relying_parties=tuple(rows.read_relying_party(row) for row in partners),
            endpoints=tuple(rows.read_endpoint(row) for row in endpoints),
            error="; ".join(f"{asked.host}: {error}" for error in asked.errors),
        )


class _ProxyReader:
    """Reads one Web Application Proxy. `proxy` is what is known so far."""

    def __init__(self, query: FarmQuery, host: str) -> None:
        self.host = HostQuery(query=query, host=host)
        self.proxy = Proxy(host=host)

    async def read(self) -> None:
        """Everything, until the host is gone."""
        try:
            await self._read_system()
            await self._read_certificates()
            await self._read_trust()
        except RemotingError as error:
            self.host.errors.append(error.reason)
        self.proxy = replace(self.proxy, error="; ".join(self.host.errors))

    async def _read_system(self) -> None:
        service = await self.host.ask_for("Get-Service", Name=(_PROXY_SERVICE,))
        skew = await _clock_skew(self.host)
        self.proxy = replace(self.proxy, clock_skew=skew, service_running=text_of(service, "Status") == "Running")

    async def _read_certificates(self) -> None:
        stored = await _stored(self.host)
        bindings = await self.host.ask("Get-WebApplicationProxySslCertificate")
        ends = [row.certificate.not_after for row in stored if rows.is_proxy_trust(row.certificate)]
        self.proxy = replace(
            self.proxy,
            stored=stored,
            bindings=tuple(rows.read_binding(row) for row in bindings),
            trust_ends=max(ends, default=0.0),
        )

    async def _read_trust(self) -> None:
        """The proxy keeps its configuration on the nodes: where it cannot be read, the trust is broken."""
        health = await self.host.try_for("Get-WebApplicationProxyHealth")
        self.proxy = replace(self.proxy, unhealthy=rows.read_unhealthy(health or []))
        configuration = await self.host.try_for("Get-WebApplicationProxyConfiguration")
        self.proxy = replace(self.proxy, trust_ok=configuration is not None)
        if configuration is not None:
            answer = await self.host.ask("Get-WebApplicationProxyApplication")
            self.proxy = replace(self.proxy, applications=tuple(rows.read_application(row) for row in answer))


async def _clock_skew(host: HostQuery) -> float:
    """Seconds that its clock is ahead of ours, less half the round trip: not of the first command, which has to connect."""
    before = host.query.clock.now()
    answer = await host.ask_for("Get-Date")
    after = host.query.clock.now()
    there = next((value for value in answer.values() if isinstance(value, dt.datetime)), None)
    return there.timestamp() - (before + after) / 2 if there is not None else 0.0


async def _stored(host: HostQuery) -> tuple[StoredCertificate, ...]:
    things = await host.ask("Get-ChildItem", Path=(MACHINE_STORE,))
    return rows.read_stored(things, await host.try_for("Get-IsthmusKeyAccess"))
