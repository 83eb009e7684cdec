"""Looks at the farm and at the server that an operation is about. Changes nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from adfs_mgmt.deploy.model import ADFS_ROLE, PROXY_ROLE, WID_FEATURE, HostFacts, Operation, Secrets, Situation, Wish
from adfs_mgmt.deploy.plan import procedure
from adfs_mgmt.farm import (
    ExternalView,
    Farm,
    FarmQuery,
    FarmSettings,
    HostQuery,
    SyncRole,
    read_external_view,
    read_farm,
    split_host,
    windows,
)
from adfs_mgmt.remoting import MACHINE_STORE, Command, RemotingError, Shell, Thing
from adfs_mgmt.rollover.model import Act, Record

_FEATURES = (ADFS_ROLE, PROXY_ROLE, WID_FEATURE)
TEST_TIMEOUT = 300.0


@dataclass(slots=True, kw_only=True)
class Lookout:
    """Looks again and again. The farm is read once, by `begin`; then only what an operation changes."""

    shell: Shell
    settings: FarmSettings
    wish: Wish
    clock: Callable[[], float]
    """Unix seconds."""
    outside: Callable[[FarmSettings, float], Awaitable[ExternalView]] = read_external_view
    """What looks from outside."""
    _farm: Farm | None = None

    async def begin(self, secrets: Secrets | None = None) -> Situation:
        """Read the farm, then look. With `secrets`, Windows is asked to test the prerequisites if the role is there already.

        Never raises for a server that does not answer. Cancelling stops the looking.
        """
        others = _without(self.settings, self.wish)
        self._farm = await read_farm(self.shell, others, self.clock())
        seen = await self.look()
        seen = replace(seen, resolves_to=await self._resolve())
        if secrets is not None and seen.host.has(self.wish.operation.role) and seen.host.role is None:
            seen = replace(seen, host=replace(seen.host, join_problems=await self._test(seen, secrets)))
        return seen

    async def look(self) -> Situation:
        """What an operation changes."""
        farm = self._farm
        if farm is None:
            return await self.begin()
        if farm.primary is None and farm.nodes:  # it may be back
            farm = self._farm = await read_farm(self.shell, _without(self.settings, self.wish), self.clock())
        host, (listed, farm_error) = await asyncio.gather(self._host(), self._listed(farm))
        primary = farm.primary
        watched = (*((primary.host,) if primary else ()), self.wish.host)
        outside = await self.outside(replace(self.settings, nodes=watched, proxies=()), self.clock())
        served = {each.host: each for each in outside.served}
        return Situation(
            now=self.clock(),
            farm=farm,
            host=host,
            listed=listed,
            farm_error=farm_error,
            served=served.get(self.wish.host),
            reference=served.get(primary.host) if primary else None,
        )

    async def _host(self) -> HostFacts:
        asked = HostQuery(asking=FarmQuery(shell=self.shell, now=self.clock()), host=self.wish.host)
        try:
            return await self._facts(asked)
        except RemotingError as error:
            return HostFacts(host=self.wish.host, error=error.reason)

    async def _facts(self, asked: HostQuery) -> HostFacts:
        computer = await asked.ask_for("Get-CimInstance", ClassName="Win32_ComputerSystem")
        system = await asked.ask_for("Get-CimInstance", ClassName="Win32_OperatingSystem")
        features = await asked.ask("Get-WindowsFeature", Name=_FEATURES)
        stored = await asked.ask("Get-ChildItem", Path=(MACHINE_STORE,))
        facts = HostFacts(
            host=self.wish.host,
            error="; ".join(asked.errors),
            fqdn=windows.fqdn(computer),
            domain=windows.text(computer, "Domain").lower() if windows.flag(computer, "PartOfDomain") else "",
            windows=windows.windows_version(system),
            clock_skew=windows.when(system, "LocalDateTime") - asked.asking.clock,
            features={windows.text(each, "Name"): windows.text(each, "InstallState") for each in features},
            stored=windows.stored(stored, await asked.try_for("Get-IsthmusKeyAccess")),
        )
        if self.wish.operation.role == PROXY_ROLE:
            return await self._proxy_facts(asked, facts)
        return await self._node_facts(asked, facts)

    async def _node_facts(self, asked: HostQuery, facts: HostFacts) -> HostFacts:
        if not facts.has(ADFS_ROLE):
            return facts
        service = await asked.try_for("Get-Service", Name=("adfssrv",))
        sync = _first(await asked.try_for("Get-AdfsSyncProperties"))
        role = windows.sync_role(sync)
        bindings = await asked.try_for("Get-AdfsSslCertificate") if role else None
        properties = _first(await asked.try_for("Get-AdfsProperties") if role is SyncRole.PRIMARY else None)
        return replace(
            facts,
            service_running=_running(service),
            role=role,
            primary=windows.text(sync, "PrimaryComputerName"),
            last_sync=windows.when(sync, "LastSyncTime"),
            last_sync_ok=windows.sync_ok(sync),
            poll_seconds=windows.seconds(sync, "PollDuration", 300.0),
            bindings=tuple(windows.binding(each) for each in bindings or ()),
            federation_name=windows.text(properties, "HostName"),
        )

    async def _proxy_facts(self, asked: HostQuery, facts: HostFacts) -> HostFacts:
        if not facts.has(PROXY_ROLE):
            return facts
        service = await asked.try_for("Get-Service", Name=("appproxysvc",))
        health = await asked.try_for("Get-WebApplicationProxyHealth")
        configuration = await asked.try_for("Get-WebApplicationProxyConfiguration")
        return replace(
            facts,
            service_running=_running(service),
            joined=configuration is not None,
            unhealthy=windows.unhealthy(health or []),
        )

    async def _listed(self, farm: Farm) -> tuple[tuple[str, ...] | None, str]:
        """The farm's own table of nodes, and why it cannot be had. 2012 R2 keeps none."""
        primary = farm.primary
        if self.wish.operation not in {Operation.NODE_ADD, Operation.NODE_REMOVE}:
            return None, ""
        if primary is None:
            return None, "no primary answers"
        if farm.properties.behaviour_level == 1:
            return None, ""
        asked = HostQuery(asking=FarmQuery(shell=self.shell, now=self.clock()), host=primary.host)
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
                    self.wish.federation_name, None, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError, UnicodeError):
            return ()
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def _test(self, seen: Situation, secrets: Secrets) -> tuple[str, ...] | None:
        """Windows' own test, which changes nothing; None where there is none for this operation."""
        empty = Record(id="", kind="", farm=self.wish.farm, started=0.0, by="")
        stage = next((each for each in procedure(self.wish, secrets).forward if each.name == "test"), None)
        if stage is None or stage.acts is None:
            return None
        found: list[str] = []
        for act in stage.acts(seen, empty):
            try:
                found += problems(await self.shell.run(act.host, command_of(act), timeout=TEST_TIMEOUT))
            except RemotingError as error:
                found.append(error.reason)
        return tuple(found)


def command_of(act: Act) -> Command:
    """Deployments consist of commands alone; what else a rollover knows (Graph, key imports) has no place in them."""
    if not isinstance(act.what, Command):
        raise TypeError(f"no command: {act}")
    return act.what


def problems(answer: list[Thing]) -> tuple[str, ...]:
    """What deployment cmdlets report as their output, not as an error: rows with a Status of `Error`."""
    found = (windows.text(each, "Message") for each in answer if windows.text(each, "Status").lower() == "error")
    return tuple(dict.fromkeys(found))


def _without(settings: FarmSettings, wish: Wish) -> FarmSettings:
    """The farm without the server in question, which may be in the settings already."""

    def others(hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(host for host in hosts if split_host(host)[0].lower() != wish.name)

    nodes = () if wish.operation is Operation.FARM_NEW else others(settings.nodes)
    return replace(settings, nodes=nodes, proxies=others(settings.proxies))


def _first(answer: list[Thing] | None) -> Thing:
    return next(iter(answer or ()), {})


def _running(answer: list[Thing] | None) -> bool:
    return windows.text(_first(answer), "Status") == "Running"
