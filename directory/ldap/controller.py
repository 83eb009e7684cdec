"""One domain controller: its circuit, and its pools of open connections."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from directory.credentials.guard import from_generalized_time
from directory.errors import ConnectFailed, LinkBroken, LinkError, LinkTimedOut, ServiceAccountRefused
from directory.ldap import codec
from directory.ldap.circuit import Circuit
from directory.ldap.connection import Address, Link
from directory.ldap.service_login import ServiceAccount
from directory.model import ControllerHealth
from directory.settings import DirectorySettings

log = structlog.get_logger()

_GOODBYE = 1.0
"""Seconds to wait for connections to end."""
_CURRENT_TIME = codec.attribute_list(("currentTime",))


class Controller:
    """Lends connections: `searching` ones are bound as the service account, `binding` ones are re-bound for each check.

    clock: Unix seconds.
    """

    def __init__(
        self,
        settings: DirectorySettings,
        address: Address,
        context: ssl.SSLContext,
        pins: tuple[str, ...],
        clock: Callable[[], float],
        service: ServiceAccount,
    ) -> None:
        self.address = address
        self.clock_skew = 0.0
        """Seconds by which its clock is ahead of ours: what it counts, it counts by its own."""
        self.in_flight = 0
        self.binds = 0
        self.searches = 0
        self._settings, self._context, self._pins, self._clock = settings, context, pins, clock
        self._service = service
        self._circuit = Circuit(
            first_pause=settings.retry_seconds,
            longest_pause=settings.retry_seconds_most,
            trial_seconds=settings.connect_timeout * 2 + settings.search_timeout,
        )
        self._searching: list[Link] = []
        self._binding: list[Link] = []
        self._open: set[Link] = set()
        self._ending: set[asyncio.Future[None]] = set()

    def __str__(self) -> str:
        return str(self.address)

    # -- circuit

    @property
    def is_closed(self) -> bool:
        """It is to be used."""
        return self._circuit.state == "closed"

    def may_trial(self) -> bool:
        """True, once, where it failed and is due for another try."""
        return self._circuit.may_trial(self._clock())

    def succeeded(self) -> None:
        """It answered."""
        if self._circuit.state != "closed" and self._circuit.succeeded():
            log.info("dc.closed", controller=str(self))

    def failed(self, error: LinkError) -> None:
        """It did not: leave it alone for a while, and drop what is open to it."""
        for link in self._idle():
            self._drop(link)
        if self._circuit.failed(str(error), self._clock()):
            log.warning("dc.opened", controller=str(self), error=str(error))

    # -- connections

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[Link]:
        """A connection bound as the service account. Raises LinkError, ServiceAccountRefused, SettingsProblem."""
        async with self._lent(self._searching, self._sign_in) as link:
            self.searches += 1
            yield link

    @asynccontextmanager
    async def binding(self) -> AsyncIterator[Link]:
        """A connection to bind on. Raises LinkError."""
        async with self._lent(self._binding, None) as link:
            self.binds += 1
            yield link

    async def close(self) -> None:
        """Hang up; returns when the connections have ended."""
        for link in self._idle():
            link.unbind()
            self._end(link)
        if self._ending:
            await asyncio.wait(self._ending, timeout=_GOODBYE)

    def _idle(self) -> list[Link]:
        """What lies in the pools, taken out of them."""
        idle = [*self._searching, *self._binding]
        self._searching.clear()
        self._binding.clear()
        return idle

    def health(self, directory: str) -> ControllerHealth:
        """For metrics and status pages."""
        circuit = self._circuit
        return ControllerHealth(
            directory=directory,
            controller=str(self),
            state=circuit.state,
            failures=circuit.failures,
            in_flight=self.in_flight,
            retry_at=circuit.retry_at,
            last_error=circuit.last_error if circuit.state != "closed" else "",
            binds=self.binds,
            searches=self.searches,
            connections=len(self._open),
        )

    @asynccontextmanager
    async def _lent(self, pool: list[Link], prepare: Callable[[Link], Awaitable[None]] | None) -> AsyncIterator[Link]:
        link = self._take(pool)
        if link is None:
            link = await self.open()
            self._open.add(link)
            try:
                if prepare is not None:
                    await prepare(link)
            except BaseException:
                self._drop(link)
                raise
        try:
            yield link
        except BaseException:
            self._drop(link)
            raise
        link.used_at = time.monotonic()
        pool.append(link)

    def _take(self, pool: list[Link]) -> Link | None:
        """An idle connection that is still good."""
        oldest = time.monotonic() - self._settings.idle_seconds
        while pool:
            link = pool.pop()
            if link.used_at >= oldest and not link.is_stale():
                return link
            self._drop(link)
        return None

    def _drop(self, link: Link) -> None:
        link.close()
        self._end(link)

    def _end(self, link: Link) -> None:
        self._open.discard(link)
        self._ending.add(link.closed)
        link.closed.add_done_callback(self._ending.discard)

    async def open(self) -> Link:
        """A new connection. Raises ConnectFailed, CertificateRefused."""
        return await Link.open(self.address, self._context, self._pins, self._settings.connect_timeout)

    async def _sign_in(self, link: Link) -> None:
        service, settings = self._service, self._settings
        if service.user:
            async with service.password(str(self)) as password:
                if self._circuit.state == "open":  # it failed somebody else while we waited for our turn
                    raise ConnectFailed(str(self), self._circuit.last_error)
                result = await link.bind(service.user.encode(), password.encode(), settings.bind_timeout)
                if result.code == 49:
                    service.refused(password, result.text)
                    raise ServiceAccountRefused(str(self), service.user, result.text)
                if result.code != 0:
                    reason = f"bind of the service account: LDAP result {result.code}, {result.text}"
                    raise LinkBroken(str(self), reason, sent=True)
                service.accepted(password)
        if settings.kind == "ad":
            await self._compare_clocks(link)

    async def _compare_clocks(self, link: Link) -> None:
        timeout = self._settings.search_timeout
        found = await link.search(b"", codec.SCOPE_BASE, codec.ANYTHING, _CURRENT_TIME, limit=1, timeout=timeout)
        values = found[0][1].get(b"currenttime") if found else None
        theirs = from_generalized_time(values[0]) if values else None
        self.clock_skew = theirs - self._clock() if theirs is not None else 0.0


def is_server_fault(error: LinkError) -> bool:
    """Whether other requests would fare no better there; a bind that was slow says less than a search that was."""
    return not (isinstance(error, LinkTimedOut) and error.waited < 1.0)
