"""Observes the farm and the server that a procedure is about, and sends its commands."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from adfs_mgmt.farm import ExternalView, Farm, FarmSettings, read_farm, read_listed_nodes, read_server
from adfs_mgmt.procedures import deployment
from adfs_mgmt.procedures.commands import problems, run_command
from adfs_mgmt.procedures.server import Operation, Secrets, ServerObservation, ServerSpec, ServerState, ServerView
from adfs_mgmt.procedures.server_parts import TEST
from adfs_mgmt.remoting import RemotingError, Shell, split_host, timeout_of
from foundation.procedures import Act, Procedure, acts_of, blank


@dataclass(slots=True)
class ServerExecutor:
    """The farm is read once, by `observe_all`; then only what an operation changes."""

    shell: Shell
    settings: FarmSettings
    spec: ServerSpec
    secrets: Secrets
    clock: Callable[[], float]
    """Unix seconds."""
    external: Callable[[FarmSettings, float], Awaitable[ExternalView]]
    """What reads what anybody sees."""
    _farm: Farm | None = None

    @property
    def table(self) -> Procedure[ServerView]:
        """The procedure, whose rows see the secrets."""
        return replace(deployment.SERVER_PROCEDURES[self.spec.operation], view=partial(ServerView, secrets=self.secrets))

    async def observe_all(self) -> ServerObservation:
        """Read the farm, then observe the server. Never raises for one that does not answer."""
        self._farm = await read_farm(self.shell, _without(self.settings, self.spec), self.clock())
        return replace(await self.observe(), resolves_to=await self._resolve())

    async def observe(self) -> ServerObservation:
        """What an operation changes. Never raises for a server that does not answer."""
        farm = self._farm
        if farm is None or (farm.primary is None and farm.nodes):  # it may be back
            farm = self._farm = await read_farm(self.shell, _without(self.settings, self.spec), self.clock())
        host, (listed, farm_error) = await asyncio.gather(
            read_server(self.shell, self.spec.host, self.spec.operation.role, self.clock()), self._listed(farm)
        )
        primary = farm.primary
        watched = (*((primary.host,) if primary else ()), self.spec.host)
        external = await self.external(replace(self.settings, nodes=watched, proxies=()), self.clock())
        served = {row.host: row for row in external.served}
        return ServerObservation(
            now=self.clock(),
            farm=farm,
            host=host,
            listed=listed,
            farm_error=farm_error,
            served=served.get(self.spec.host),
            reference=served.get(primary.host) if primary else None,
        )

    async def observe_tested(self) -> ServerObservation:
        """Everything, and what Windows' own test of the prerequisites says, where the role is there for it already."""
        seen, role, table = await self.observe_all(), self.spec.operation.role, self.table
        row = next((stage for stage in table.stages if stage.name == TEST), None)
        if row is None or seen.host.role is not None or not seen.host.has(role):
            return seen
        record = blank(table, self.spec.farm, ServerState(spec=self.spec), seen.now)
        found: list[str] = []
        for act in acts_of(row.conditions(table.view(seen, record, seen.now))):
            try:
                found += problems(await self.shell.run(act.place, act.what, timeout=timeout_of(act.what.name)))
            except RemotingError as error:
                found.append(error.reason)
        return replace(seen, host=replace(seen.host, join_problems=tuple(found)))

    async def do(self, act: Act) -> None:
        """Run a command. Raises ActFailed. Cancelling leaves its effect unknown."""
        await run_command(self.shell, act.place, act.what)

    async def _listed(self, farm: Farm) -> tuple[tuple[str, ...] | None, str]:
        """The farm's own table of nodes, and why it cannot be had. 2012 R2 keeps none."""
        if self.spec.operation not in {Operation.NODE_ADD, Operation.NODE_REMOVE}:
            return None, ""
        if farm.primary is None:
            return None, "no primary server answers"
        if farm.properties.behaviour_level == 1:
            return None, ""
        return await read_listed_nodes(self.shell, farm.primary.host, self.clock())

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
