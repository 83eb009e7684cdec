"""How an agent is, for `/healthz`, `/readyz` and its metrics."""

from __future__ import annotations

from dataclasses import dataclass

import directory

_OBSTACLES: dict[directory.DirectoryCondition, str] = {
    "not_checked": "{} has not been checked yet",
    "no_controller": "no domain controller of {} answers",
    "service_account": "{} refuses the service account",
    "base_dn": "{} has nothing at `base_dn`",
}


@dataclass(frozen=True, slots=True)
class AgentState:
    """A moment's picture."""

    connected: dict[str, int]
    """Open connections by relay."""
    certificate_ends: float
    """Unix seconds."""
    in_flight: int
    directories: tuple[directory.DirectoryReadiness, ...] = ()
    draining: bool = False

    @property
    def obstacle(self) -> str:
        """Why sign-ins cannot be served through this agent, or not those of every directory; empty where they can."""
        if not any(self.connected.values()):
            return "no relay is connected"
        for found in self.directories:
            if found.condition != "ready":
                return _OBSTACLES[found.condition].format(found.directory)
        return ""

    @property
    def ready(self) -> bool:
        """Some relay can reach every directory through this agent."""
        return not self.obstacle

    def defect(self, now: float) -> str:
        """Why this process cannot serve, whatever relays and directories do; empty where it can. now: Unix seconds."""
        if self.draining:
            return "draining"
        return "the agent's certificate has expired" if now > self.certificate_ends else ""
