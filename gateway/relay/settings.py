"""Settings of the relay's core: agent sessions, dispatch, canaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from settings import Bounds, Unfit


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayCoreSettings:
    """How the relay deals with its agents."""

    sign_in_timeout: Annotated[float, Bounds(most=600)] = 15.0
    """Seconds from a person's click to an answer of some kind. Microsoft's agent takes 15; people give up at about 20."""
    begin_timeout: float = 6.0
    """Seconds within which an agent must have begun a check; otherwise another agent gets it. Longer than one directory
    timeout of the agent, so that its own failover comes first."""
    ping_interval: Annotated[float, Bounds(most=600)] = 10.0
    """Seconds between pings on each agent connection; three without a word and the connection is given up."""
    queue_limit: Annotated[int, Bounds(zero=True)] = 1000
    """Sign-ins that may wait for a free agent; more are answered "busy" immediately, so that a flood costs no memory.
    0: nobody waits."""
    max_agents: int = 2000
    """Agent connections at once; more are refused, so that a runaway installation cannot exhaust the relay."""
    canary_interval: Annotated[float, Bounds(zero=True)] = 300.0
    """Seconds between canaries (a random name and password) on each agent; 0 switches them off. A backdoored agent
    accepts it and is revoked immediately."""
    certificate_lifetime: float = 30 * 86400.0
    """Seconds that an agent's certificate lives; it renews itself at two thirds."""
    token_lifetime: float = 900.0
    """Seconds that an enrolment token can be redeemed."""
    drain_timeout: Annotated[float, Bounds(most=3600, zero=True)] = 20.0
    """Seconds that a stopping relay waits for sign-ins in flight; longer than `sign_in_timeout`. 0: it does not wait."""

    def contradictions(self) -> Iterator[Unfit]:
        """Another agent that would be asked when nobody waits any more."""
        if self.begin_timeout >= self.sign_in_timeout:
            problem = (
                f"{self.begin_timeout:g} leaves no time for another agent (sign_in_timeout is {self.sign_in_timeout:g})"
            )
            yield Unfit(problem, "give less than sign_in_timeout", setting="begin_timeout")
