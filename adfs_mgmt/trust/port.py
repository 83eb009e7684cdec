"""What a rollover needs of Entra ID, in four verbs: list, publish, withdraw, read back (which the first two changes do)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adfs_mgmt.trust.backup import Backups
from adfs_mgmt.trust.model import FederatedDomain
from adfs_mgmt.trust.reader import read_domain, read_tenant
from adfs_mgmt.trust.update import SlotChange, apply_change, plan_publish, plan_retire
from certs import Certificate
from foundation.graph import NotThere

if TYPE_CHECKING:
    from foundation.graph import Graph


class Entra:
    """The federated domains of one farm, in however many tenants they are."""

    def __init__(self, graphs: Sequence[Graph], federation_name: str, state_dir: Path) -> None:
        self._graphs = tuple(graphs)
        self._federation_name = federation_name
        self._state_dir = state_dir
        self._of: dict[str, Graph] = {}

    async def domains(self, now: float) -> tuple[FederatedDomain, ...]:
        """Those that are federated with this farm, each with its certificates. One that cannot be read has an `error`.

        Raises GraphError where a tenant cannot be listed.
        """
        found: list[FederatedDomain] = []
        for graph in self._graphs:
            trust = await read_tenant(graph, now)
            own = trust.federated_with(self._federation_name)
            self._of |= {domain.name.lower(): graph for domain in own}
            found += own
        return tuple(found)

    async def publish(self, domain: str, certificate: Certificate, keep: str, now: float) -> str:
        """Into the slot that does not hold `keep` (thumbprint; empty where there is none to keep, after a theft), read back;
        what was done, in words. Doing it again does nothing. Raises TrustError, GraphError."""
        graph = await self._graph(domain, now)
        change = plan_publish(await read_domain(graph, domain), certificate, keep or certificate.thumbprint)
        return await self._apply(graph, change, now) or f"{domain}: has {certificate.thumbprint} already"

    async def withdraw(self, domain: str, thumbprint: str, keep: str, now: float) -> str:
        """Out of the slot that holds it; `keep` must be in the other one and is read back. Raises TrustError."""
        graph = await self._graph(domain, now)
        change = plan_retire(await read_domain(graph, domain), thumbprint, keep)
        return await self._apply(graph, change, now) or f"{domain}: does not have {thumbprint}"

    async def close(self) -> None:
        """Let go of every tenant."""
        for graph in self._graphs:
            await graph.close()

    async def _apply(self, graph: Graph, change: SlotChange | None, now: float) -> str:
        """Without a journal of its own: the rollover's has it."""
        if change is None:
            return ""
        backup = await apply_change(graph, change, Backups(self._state_dir, graph.tenant), now)
        return f"{change} (backup: {backup})"

    async def _graph(self, domain: str, now: float) -> Graph:
        if domain.lower() not in self._of:
            await self.domains(now)
        if domain.lower() not in self._of:
            raise NotThere(f"looking for {domain}", f"no domain of that name is federated with {self._federation_name}")
        return self._of[domain.lower()]
