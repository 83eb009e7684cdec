"""Whether the process may serve (`/healthz`) and whether it can serve sign-ins now (`/readyz`).

A node whose clock differs from the store's by more than `MAX_SKEW` may not: leases, keys and sessions of several nodes
depend on it. `/healthz` says what was last measured, so that anybody may ask as often as they like, and a store that does
not answer makes no node look dead.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from aiohttp import web

from gateway.housekeeping import Housekeeping, Sleep
from gateway.relay import AgentEndpoint, AgentRegistry
from gateway.store import AuditEvent, Store, StoreError

log = structlog.get_logger()

PATIENCE = 4.5
"""Seconds that the store may take to answer; a load balancer that asks waits 5."""
MAX_SKEW = 2.0
"""Seconds that this machine's clock may differ from the store's."""
MEASURE_EVERY = 5.0
"""Seconds between two looks at the store's clock."""


class Readiness:
    """Looks at what was last written and who is connected. clock: Unix seconds."""

    def __init__(self, endpoint: AgentEndpoint, registry: AgentRegistry, store: Store, clock: Callable[[], float]) -> None:
        self._endpoint, self._registry, self._store, self._clock = endpoint, registry, store, clock
        self._audit = store.audit
        self._skew = 0.0
        """Seconds by which this clock is ahead of the store's, as far as that is certain; by the last measurement."""

    def add_public_routes(self, app: web.Application) -> None:
        """Serve what anybody may know: a load balancer asks for it."""
        app.router.add_get("/healthz", self.healthz)

    def add_routes(self, app: web.Application) -> None:
        """Serve both, for the operator's monitoring."""
        self.add_public_routes(app)
        app.router.add_get("/readyz", self.readyz)

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Look at the store's clock, where it has one of its own, for as long as the relay serves."""

        async def keep_measuring() -> None:
            while True:
                await sleep(MEASURE_EVERY)
                await self.measure()

        if self._store.shared:
            housekeeping.beside("relay-clock", keep_measuring)

    async def measure(self) -> None:
        """Compare the clocks. Where the store does not answer, what was measured before stands."""
        with contextlib.suppress(StoreError):
            await self._ping()

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the process lives and may serve."""
        problem = self._clock_problem()
        return web.json_response({"status": problem or "ok"}, status=503 if problem else 200)

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while sign-ins can be served, 503 otherwise; with the names of the agents that can be asked."""
        agents = sorted({connection.name for connection in self._endpoint.connections if connection.usable})
        ready = False
        if problem := await self._store_problem():
            status = problem
        elif not agents:
            status = "no agent is connected"
        else:
            status, ready = "ready", True
        return web.json_response({"status": status, "agents": agents}, status=200 if ready else 503)

    async def _store_problem(self) -> str:
        """Empty where there is none."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ping()
                if problem := self._clock_problem():
                    return problem
                return "" if await self._store_takes_writes() else "the database refuses writes"
        except (StoreError, TimeoutError):
            return "the database does not answer"

    async def _ping(self) -> None:
        """Raises StoreError."""
        asked = self._clock()
        elsewhere = await self._store.ping()
        if elsewhere is None:
            return
        before = self._clock_problem()
        self._skew = skew(asked, elsewhere, self._clock())
        problem = self._clock_problem()
        if problem and not before:
            log.critical("clock.skewed", seconds=round(self._skew, 1), remedy="set it by NTP, here and at the database")
        elif before and not problem:
            log.info("clock.agrees")

    def _clock_problem(self) -> str:
        """Empty where there is none."""
        return f"the clock differs from the database's by {self._skew:.0f} s" if abs(self._skew) > MAX_SKEW else ""

    async def _store_takes_writes(self) -> bool:
        """By what was last written: sign-ins, and once a minute who is connected. What was refused is tried again."""
        if self._audit.refusing:
            with contextlib.suppress(StoreError):
                await self._audit.append(AuditEvent(time=self._clock(), kind="audit.resumed", actor="relay"))
        if self._registry.refusing:
            await self._endpoint.flush()
        return not (self._audit.refusing or self._registry.refusing)


def skew(asked: float, elsewhere: float, answered: float) -> float:
    """Seconds by which a clock that showed `asked` and `answered` is ahead of one that showed `elsewhere` in between.

    As little as can be: an answer that took long says little. 0 where the two may agree.
    """
    if elsewhere < asked:
        return asked - elsewhere
    return min(answered - elsewhere, 0.0)
