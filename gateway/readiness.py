"""Whether the process lives (`/healthz`) and whether it can serve sign-ins (`/readyz`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import web

from gateway.relay import AgentEndpoint, AgentRegistry
from gateway.store import AuditEvent, Store, StoreError

PATIENCE = 4.5
"""Seconds that the store may take to answer; a load balancer that asks waits 5."""
MAX_SKEW = 2.0
"""Seconds that this machine's clock may differ from the store's: leases and keys of several nodes depend on it."""


class Readiness:
    """Looks at what was last written and who is connected. clock: Unix seconds."""

    def __init__(self, endpoint: AgentEndpoint, registry: AgentRegistry, store: Store, clock: Callable[[], float]) -> None:
        self._endpoint, self._registry, self._store, self._clock = endpoint, registry, store, clock
        self._audit = store.audit

    def add_public_routes(self, app: web.Application) -> None:
        """Serve what anybody may know: a load balancer asks for it."""
        app.router.add_get("/healthz", self.healthz)

    def add_routes(self, app: web.Application) -> None:
        """Serve both, for the operator's monitoring."""
        self.add_public_routes(app)
        app.router.add_get("/readyz", self.readyz)

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the process lives."""
        return web.json_response({"status": "ok"})

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
                elsewhere = await self._store.ping()
                if elsewhere is not None and abs(elsewhere - self._clock()) > MAX_SKEW:
                    return f"the clock differs from the store's by {self._clock() - elsewhere:.0f} s"
                return "" if await self._store_takes_writes() else "the store refuses writes"
        except (StoreError, TimeoutError):
            return "the store does not answer"

    async def _store_takes_writes(self) -> bool:
        """By what was last written: sign-ins, and once a minute who is connected. What was refused is tried again."""
        if self._audit.refusing:
            with contextlib.suppress(StoreError):
                await self._audit.append(AuditEvent(time=self._clock(), kind="audit.resumed", actor="relay"))
        if self._registry.refusing:
            await self._endpoint.flush()
        return not (self._audit.refusing or self._registry.refusing)
