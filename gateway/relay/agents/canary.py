"""Canaries: now and then an agent is asked about somebody who does not exist.

An agent that says yes accepts any password: that is what a backdoored one looks like (Secureworks, 2022). It is
revoked immediately and an alert is raised. To the agent a canary looks like any other request.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable

import structlog

from gateway.housekeeping import Housekeeping
from gateway.protocol import Outcome
from gateway.relay.agents.connection import AgentConnection, Task
from gateway.relay.agents.dispatch import Dispatched, Dispatcher

log = structlog.get_logger()

_SYLLABLES = ("al", "ba", "cor", "del", "en", "fri", "ga", "hol", "in", "jo", "kel", "lan", "mar", "nor", "ol", "per")

Quarantine = Callable[[str, str], Awaitable[None]]
"""Revokes an agent: name and reason."""


def invent_person(domain: str, rng: random.Random) -> tuple[str, str]:
    """A user name that looks like any other and belongs to nobody, and a password."""
    first, last = ("".join(rng.choices(_SYLLABLES, k=3)) for _ in range(2))
    return f"{first}.{last}{rng.randrange(100, 10_000)}@{domain}", secrets.token_urlsafe(rng.randrange(8, 14))


class CanaryKeeper:
    """Sends the canaries. interval: mean seconds between two on one agent; 0 for none. timeout: seconds, as of a sign-in."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        interval: float,
        quarantine: Quarantine,
        clock: Callable[[], float],
        *,
        timeout: float,
    ) -> None:
        self._dispatcher, self._interval, self._quarantine, self._clock = dispatcher, interval, quarantine, clock
        self._timeout = timeout
        self._rng = random.SystemRandom()

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Send them for as long as the relay serves."""
        housekeeping.beside("canaries", self.run)

    async def run(self) -> None:
        """Send them until cancelled; returns where there are to be none."""
        if self._interval <= 0:
            return
        while True:
            pause = self._interval / max(len(self._usable()), 1)
            await asyncio.sleep(self._rng.uniform(0.5 * pause, 1.5 * pause))
            connections = self._usable()
            try:
                if connections:
                    await self.probe(self._rng.choice(connections))
            except Exception:
                log.exception("canary.failed")

    def _usable(self) -> list[AgentConnection]:
        return [connection for connection in self._dispatcher.connections if connection.usable]

    async def probe(self, connection: AgentConnection) -> Outcome | None:
        """Ask this agent about nobody; quarantine it if it says yes. Returns what it said, None if nothing.

        Raises whatever `quarantine` raises.
        """
        named = [domain for domain in connection.domains if "." in domain]
        user, password = invent_person(self._rng.choice(named) if named else "example.com", self._rng)
        deadline = self._clock() + self._timeout
        task = Task("verify", user, password, "", deadline, secrets.token_hex(8))
        dispatched = await self._dispatcher.ask(connection, task)
        if not isinstance(dispatched, Dispatched):
            return None
        if dispatched.body.outcome is Outcome.SUCCESS or dispatched.body.password_proven:
            log.critical("agent.accepted_canary", agent=connection.name, address=connection.address)
            await self._quarantine(connection.name, "it accepted the password of a user who does not exist")
        return dispatched.body.outcome
