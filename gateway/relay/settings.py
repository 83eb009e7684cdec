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
    """Maximum time to answer a sign-in, in seconds. Microsoft's agent allows 15; users give up after about 20."""
    begin_timeout: float = 6.0
    """Maximum time for an agent to begin a check, in seconds; after that another agent gets it. Longer than one
    directory timeout of the agent, so that the agent can fail over to another domain controller first."""
    ping_interval: Annotated[float, Bounds(most=600)] = 10.0
    """Interval between pings on each agent connection, in seconds; the connection is closed after three intervals
    without an answer."""
    queue_limit: Annotated[int, Bounds(zero=True)] = 1000
    """Maximum number of sign-ins that wait for a free agent; further sign-ins are answered "busy" immediately, so
    that a flood uses no memory. 0: sign-ins do not wait."""
    max_agents: int = 2000
    """Maximum number of agent connections; further connections are refused, so that a faulty installation cannot
    exhaust the relay."""
    canary_interval: Annotated[float, Bounds(zero=True)] = 300.0
    """Average interval between canary checks (a random name and password) on each agent connection, in seconds. An
    agent with a backdoor accepts them and is revoked immediately. 0: no canary checks."""
    certificate_lifetime: float = 30 * 86400.0
    """Lifetime of an agent's certificate, in seconds; it is renewed after two thirds."""
    token_lifetime: float = 900.0
    """Lifetime of an enrolment token, in seconds."""
    drain_timeout: Annotated[float, Bounds(most=3600, zero=True)] = 20.0
    """Maximum time that a stopping relay waits for sign-ins in progress, in seconds; longer than `sign_in_timeout`.
    0: it does not wait."""

    def contradictions(self) -> Iterator[Unfit]:
        """Another agent that would be asked when nobody waits any more."""
        if self.begin_timeout >= self.sign_in_timeout:
            problem = (
                f"{self.begin_timeout:g} leaves no time for another agent (sign_in_timeout is {self.sign_in_timeout:g})"
            )
            yield Unfit(problem, "give less than sign_in_timeout", setting="begin_timeout")
