"""A process that serves until it is told to stop: its signals, and what the service manager hears of it.

    (start) ──serve──► READY ──SIGHUP──► RELOADING ──settings read anew──► READY
                         └────SIGTERM, SIGINT──► STOPPING ──drained──► (end)

SIGHUP ends nothing, at no time: one that comes too early is kept until the process serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from types import TracebackType

import structlog

from isthmus.service_manager import ServiceManager

log = structlog.get_logger()

Reload = Callable[[], Awaitable[None]]
Sleep = Callable[[float], Awaitable[None]]

_STOPPING = (signal.SIGTERM, signal.SIGINT)
_RELOADING: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none


class ServiceProcess:
    """Make it before anything else, then use it as a context manager on the event loop.

    manager: who hears of it. sleep: waits between two signs of life.
    """

    def __init__(self, manager: ServiceManager, sleep: Sleep = asyncio.sleep) -> None:
        self._manager, self._sleep = manager, sleep
        self._told = asyncio.Event()
        self._stop = self._reload = False
        self._watchdog: asyncio.Task[None] | None = None
        if _RELOADING is not None:
            signal.signal(_RELOADING, self._keep_reload)  # its default would end the process

    def _keep_reload(self, *_frame: object) -> None:
        self._reload = True

    async def __aenter__(self) -> ServiceProcess:
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C is KeyboardInterrupt there
                loop.add_signal_handler(number, self.stop)
        if _RELOADING is not None:
            loop.add_signal_handler(_RELOADING, self.reload)
        if self._reload:
            self._told.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            await asyncio.gather(self._watchdog, return_exceptions=True)

    def stop(self) -> None:
        """As SIGTERM does."""
        self._stop = True
        self._told.set()

    def reload(self) -> None:
        """As SIGHUP does."""
        self._reload = True
        self._told.set()

    async def attend(self, status: str, reload: Reload) -> None:
        """Called once it serves: wait until it is told to stop, and reload whenever it is told to.

        status: for the service manager, one line. reload: raises nothing for settings that cannot be used; it tells.
        """
        if not self._stop:
            self._manager.ready(status)
            self._watchdog = self._watchdog or self._start_watchdog()
        while not self._stop:
            await self._told.wait()
            self._told.clear()
            if self._reload and not self._stop:
                self._reload = False
                self._manager.reloading()
                await self._guarded(reload)
                self._manager.ready(status)
        self._manager.stopping()

    async def _guarded(self, reload: Reload) -> None:
        try:
            await reload()
        except Exception:
            log.exception("settings.not_reloaded")  # a defect of ours must not end what serves

    def _start_watchdog(self) -> asyncio.Task[None] | None:
        """Signs of life as long as the event loop turns, through the drain too."""
        if not self._manager.watchdog:
            return None
        return asyncio.create_task(self._show_life(self._manager.watchdog / 2), name="watchdog")

    async def _show_life(self, every: float) -> None:
        while True:
            self._manager.alive()
            await self._sleep(every)
