"""What stages about a whole farm decide on, and by which limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic

from adfs_mgmt.farm import Farm, Node, Served, SyncRole
from adfs_mgmt.procedures.observation import FarmObservation
from certs import KeyPolicy
from foundation.procedures import Condition, StateT, View

SERVICE = "adfssrv"
"""Windows' name of the federation service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverPolicy:
    """When something is due, and what is too much. Seconds, but for `polls`."""

    keys: KeyPolicy = field(default_factory=KeyPolicy)
    """Of the token certificates, by the state machine that every key here has."""
    sync_seconds: float = 900.0
    """A secondary whose last successful poll is older is not sure to have what the primary has."""
    clock_seconds: float = 60.0
    """By how much a server's clock may differ: tokens are valid from now."""
    ssl_seconds_left: float = 30 * 86400.0
    """A new SSL certificate that ends sooner is not worth the work."""
    polls: float = 2.0
    """Polls of a secondary within which it must show what the primary has."""
    restart_seconds: float = 180.0
    """A service that has not come back by then has not come back."""


@dataclass(frozen=True, slots=True)
class FarmView(View[FarmObservation, StateT], Generic[StateT]):
    """A farm, in its terms."""

    policy: RolloverPolicy
    served: Mapping[str, Served] = field(init=False, repr=False, compare=False)
    """What each address serves, by host."""

    def __post_init__(self) -> None:
        outside = self.observed.outside
        object.__setattr__(self, "served", {row.host: row for row in outside.served} if outside else {})

    @property
    def farm(self) -> Farm:
        """The farm, as its servers say."""
        return self.observed.farm

    @property
    def primary(self) -> str:
        """Host that takes changes; empty where it cannot be reached."""
        return self.farm.primary.host if self.farm.primary else ""

    @property
    def down(self) -> set[str]:
        """Nodes whose federation service does not run, though they can be read."""
        return {node.host for node in self.farm.nodes if not node.error and not node.service_running}

    @property
    def primary_last(self) -> list[Node]:
        """Its nodes, in the order in which a change goes round."""
        return sorted(self.farm.nodes, key=lambda node: node.role is SyncRole.PRIMARY)


def converging(view: FarmView[StateT]) -> float:
    """Seconds until every secondary must have polled as often as the policy says."""
    return max((node.poll_seconds for node in view.farm.nodes), default=300.0) * view.policy.polls


def of_running(view: FarmView[StateT], conditions: list[Condition]) -> list[Condition]:
    """Without those of nodes whose service is down, which polls nobody and signs nothing: on the way back such a node is
    started next, so that waiting for it first would be waiting forever."""
    down = view.down
    return [condition for condition in conditions if condition.where not in down]
