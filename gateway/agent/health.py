"""The agent's local endpoint: /healthz, /readyz, /metrics, on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from aiohttp import web

from foundation.listener import AddressUnavailable, Listener, own_host
from gateway.agent.errors import AgentError
from gateway.agent.state import AgentState
from settings import Unfit, split_address

_CONNECTIONS = 64
"""Of one address at once."""


class HealthUnavailable(AgentError):
    """The local endpoint cannot be opened."""

    def __init__(self, address: str, reason: str, remedy: str) -> None:
        super().__init__(address, reason, remedy)
        self.address, self.reason, self.remedy = address, reason, remedy

    def __str__(self) -> str:
        return f'health_listen: {self.address} {self.reason}; {self.remedy}; or set "" for none'


class HealthServer:
    """Context manager. address: `host:port`, empty for none; state: of the agent, now; metrics: the text; hosts: names that
    it answers to beside its own; clock: Unix seconds."""

    def __init__(
        self,
        address: str,
        state: Callable[[], AgentState],
        metrics: Callable[[], bytes],
        hosts: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._address, self._state, self._metrics, self._hosts = address, state, metrics, hosts
        self._clock = clock
        self._listener: Listener | None = None

    async def __aenter__(self) -> HealthServer:
        if self._address:
            await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            await self._listener.close()

    async def _start(self) -> None:
        try:
            host, port = split_address(self._address)
        except Unfit as error:
            raise HealthUnavailable(self._address, f"cannot be used ({error.problem})", error.remedy) from error
        app = web.Application(middlewares=[own_host(host, *self._hosts, setting="health_hosts")])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        self._listener = Listener(app, of_address=_CONNECTIONS)
        try:
            await self._listener.start(host, port)
        except AddressUnavailable as error:
            await self._listener.close()
            raise HealthUnavailable(self._address, error.problem, error.remedy) from error

    async def _healthz(self, _request: web.Request) -> web.Response:
        defect = self._state().defect(self._clock())
        return web.json_response({"status": defect or "ok"}, status=503 if defect else 200)

    async def _readyz(self, _request: web.Request) -> web.Response:
        state = self._state()
        body = {
            "status": state.obstacle or "ready",
            "relays": state.connected,
            "directories": {found.directory: found.condition for found in state.directories},
        }
        return web.json_response(body, status=200 if state.ready else 503)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
