"""Whether this node can serve (`/healthz`, for load balancers), and whether anybody can sign in (`/readyz`, for monitors).

`/healthz` fails for what another node may not have: a store that does not answer here, a clock that differs from the
store's by more than `MAX_SKEW` (leases, keys and sessions of several nodes depend on it), an HTTPS certificate of its own
that has expired, a process that is stopping. It says what was measured last, so that anybody may ask as often as they
like. What agents and directories do is the same at every node: only `/readyz` tells it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping

import structlog
from aiohttp import web

from gateway.housekeeping import Housekeeping, Sleep
from gateway.protocol import READY
from gateway.relay import AgentEndpoint, AgentRegistry, Dispatcher
from gateway.store import AuditEvent, Store, StoreError

log = structlog.get_logger()

PATIENCE = 4.5
"""Seconds that the store may take to answer; a load balancer that asks waits 5."""
MAX_SKEW = 2.0
"""Seconds that this machine's clock may differ from the store's."""
MEASURE_EVERY = 5.0
"""Seconds between two looks at the store and its clock."""
CHANGES, CHANGES_EVERY = 10, 600.0
"""Changes of one domain that are logged, and the seconds in which."""
_OBSTACLES = {
    "no_agent": "no agent is connected",
    "no_controller": "no domain controller answers",
    "not_checked": "the agents have not checked their domain controllers yet",
    "service_account": "the directory refuses the agent's service account",
    "base_dn": "the directory has nothing at the agent's `base_dn`",
}
"""What agents report, and what the dispatcher says of domains without any, for people."""


class Readiness:
    """Looks at what was last written, who is connected and what they report.

    clock: Unix seconds. https_end: when the HTTPS certificate that is served ends, Unix seconds; None where none is.
    """

    def __init__(
        self,
        endpoint: AgentEndpoint,
        dispatcher: Dispatcher,
        registry: AgentRegistry,
        store: Store,
        clock: Callable[[], float],
        https_end: Callable[[], float | None],
    ) -> None:
        self._endpoint, self._dispatcher, self._registry = endpoint, dispatcher, registry
        self._store, self._clock, self._https_end = store, clock, https_end
        self._audit = store.audit
        self._store_defect = ""
        """What was wrong with the store when it was looked at last."""
        self._conditions: dict[str, str] = {}
        """Of each domain, as it was logged last."""
        self._changes, self._changes_until = Counter[str](), 0.0
        """How often each domain was logged, and when they are counted anew."""
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
        """Look at the store, and at what has become of the domains, for as long as the relay serves."""

        async def keep_measuring() -> None:
            while True:
                await sleep(MEASURE_EVERY)
                await self.measure()

        housekeeping.beside("relay-readiness", keep_measuring)
        housekeeping.every_second(self.note_domains)

    async def measure(self) -> None:
        """Look at the store and its clock. While it does not answer, the difference that was measured before stands."""
        self._store_defect = await self._look_at_store()

    def note_domains(self) -> None:
        """Log which domains can be signed in to since the last look, and which cannot any more.

        Of a domain that changes all the time, as an agent can make it, some changes only; then what it has come to.
        """
        if self._clock() >= self._changes_until:
            self._changes, self._changes_until = Counter(), self._clock() + CHANGES_EVERY
        conditions = self._dispatcher.conditions()
        self._conditions = {domain: self._conditions[domain] for domain in conditions if domain in self._conditions}
        for domain, condition in conditions.items():
            if condition == self._conditions.get(domain) or self._changes[domain] >= CHANGES:
                continue
            self._changes[domain] += 1
            self._conditions[domain] = condition
            if condition == READY:
                log.info("domain.ready", domain=domain)
            else:
                log.warning("domain.unavailable", domain=domain, reason=condition)

    @property
    def conditions(self) -> dict[str, str]:
        """What a sign-in can expect, by domain: `ready`, or what stands in the way."""
        return self._dispatcher.conditions()

    @property
    def clock_skew(self) -> float:
        """Seconds by which this clock is ahead of the store's, as far as that is certain; by the last measurement."""
        return self._skew

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while this node can serve."""
        defect = self.defect
        return web.json_response({"status": defect or "ok"}, status=503 if defect else 200)

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 while somebody can sign in, 503 otherwise; with the agents that can be asked, and the state of each domain."""
        await self.measure()
        agents = sorted({connection.name for connection in self._endpoint.connections if connection.usable})
        conditions = self._dispatcher.conditions()
        obstacle = self.defect or nobody_can_sign_in(agents, conditions)
        body = {"status": obstacle or "ready", "agents": agents, "domains": conditions}
        return web.json_response(body, status=503 if obstacle else 200)

    @property
    def defect(self) -> str:
        """Why this node cannot serve, by what was measured last; empty where it can."""
        if self._endpoint.draining:
            return "draining"
        end = self._https_end()
        if end is not None and self._clock() > end:
            return "the HTTPS certificate has expired"
        return self._clock_defect() or self._store_defect

    async def _look_at_store(self) -> str:
        """What is wrong with it; empty where nothing is."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._ping()
                return "" if await self._store_takes_writes() else "the database refuses writes"
        except (StoreError, TimeoutError):
            return "the database does not answer"

    async def _ping(self) -> None:
        """Raises StoreError."""
        asked = self._clock()
        elsewhere = await self._store.ping()
        if elsewhere is None:
            return
        before = self._clock_defect()
        self._skew = skew(asked, elsewhere, self._clock())
        defect = self._clock_defect()
        if defect and not before:
            log.critical(
                "clock.skewed",
                seconds=round(self._skew, 1),
                remedy="synchronise this machine and the database server by NTP",
            )
        elif before and not defect:
            log.info("clock.agrees")

    def _clock_defect(self) -> str:
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


def nobody_can_sign_in(agents: Collection[str], conditions: Mapping[str, str]) -> str:
    """Why nobody can sign in; empty where somebody can.

    agents: those that can be asked. conditions: of each domain, `ready` or what stands in the way.
    """
    if not agents:
        return _OBSTACLES["no_agent"]
    if READY in conditions.values():
        return ""
    # of domains whose agents are connected: those say more than one whose agents are away
    reasons = sorted(set(conditions.values()) - {"no_agent"})
    return "; ".join(_OBSTACLES.get(reason, reason) for reason in reasons) or "no agent may answer for any domain"


def skew(asked: float, elsewhere: float, answered: float) -> float:
    """Seconds by which a clock that showed `asked` and `answered` is ahead of one that showed `elsewhere` in between.

    As little as can be: an answer that took long says little. 0 where the two may agree.
    """
    if elsewhere < asked:
        return asked - elsewhere
    return min(answered - elsewhere, 0.0)
