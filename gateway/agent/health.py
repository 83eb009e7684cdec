"""The agent's local endpoint: /healthz, /readyz, /metrics, on loopback."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from aiohttp import web

from gateway.agent.errors import AgentError


class HealthUnavailable(AgentError):
    """The local endpoint cannot be opened."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address, self.reason = address, reason

    def __str__(self) -> str:
        return f'health_listen {self.address!r}: {self.reason}; choose another port, or "" for none'


class HealthServer:
    """Context manager. address: `host:port`, empty for none; ready: whether sign-ins can be served; metrics: the text."""

    def __init__(self, address: str, ready: Callable[[], bool], metrics: Callable[[], bytes]) -> None:
        self._address, self._ready, self._metrics = address, ready, metrics
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> HealthServer:
        if self._address:
            await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._show_metrics)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        host, _, port = self._address.rpartition(":")
        try:
            await web.TCPSite(self._runner, host.strip("[]"), int(port)).start()
        except (OSError, ValueError, OverflowError) as error:
            await self._runner.cleanup()
            raise HealthUnavailable(self._address, str(error)) from error

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready = self._ready()
        return web.json_response({"status": "ready" if ready else "no relay is connected"}, status=200 if ready else 503)

    async def _show_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
