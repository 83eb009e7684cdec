"""Misbehaviour on demand: what the real services do on a bad day."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from tests.fakes.graph.failure import GraphFailure


@dataclass(kw_only=True)
class Fault:
    """One kind of answer instead of the right one, for the next `times` requests that fit."""

    status: int = 503
    times: int = 1
    path: str = ""
    """Part of the path."""
    method: str = ""
    retry_after: str | None = None
    after_effect: bool = False
    """The request takes effect first; only its answer is lost."""
    drop: bool = False
    """The connection is broken instead of an answer."""
    body: bytes | None = None
    """These bytes as the answer, whatever they are."""

    def fits(self, request: web.Request) -> bool:
        return self.times > 0 and self.path in request.path and self.method in {"", request.method}

    def failure(self) -> GraphFailure:
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        if self.status == 429:
            return GraphFailure(429, "TooManyRequests", "Too many requests.", headers=headers)
        return GraphFailure(self.status, "ServiceUnavailable", "The service is temporarily unavailable.", headers=headers)


@dataclass(kw_only=True)
class Faults:
    """What is wrong at the moment."""

    clock: Callable[[], float]
    queue: list[Fault] = field(default_factory=list)
    lose_other_slot: bool = False
    """A PATCH that names one certificate slot clears the other one."""
    ignore_patches: bool = False
    """A PATCH of a federation configuration is answered as if it had taken effect."""
    stale_reads: int = 0
    """So many reads of a configuration answer what it was before the last change: replication."""
    requests_per_minute: int = 0
    """Past so many in 60 seconds every request is answered 429; 0 for no limit."""
    _recent: deque[float] = field(default_factory=deque)

    def fault(self, status: int = 503, times: int = 1, path: str = "", **more: object) -> Fault:
        """Queue one. Keyword arguments as the fields of Fault."""
        made = Fault(status=status, times=times, path=path, **more)  # type: ignore[arg-type]
        self.queue.append(made)
        return made

    def take(self, request: web.Request) -> Fault | None:
        """The fault that this request meets."""
        for each in self.queue:
            if each.fits(request):
                each.times -= 1
                return each
        return None

    def throttle(self) -> None:
        """Raises GraphFailure for a request too many."""
        if not self.requests_per_minute:
            return
        now = self.clock()
        while self._recent and self._recent[0] <= now - 60:
            self._recent.popleft()
        if len(self._recent) >= self.requests_per_minute:
            wait = max(1, int(self._recent[0] + 60 - now + 0.999))
            raise GraphFailure(429, "TooManyRequests", "Too many requests.", headers={"Retry-After": str(wait)})
        self._recent.append(now)
