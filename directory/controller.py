"""One domain controller: its circuit, and its pools of open connections."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from directory.circuit import Circuit
from directory.errors import LinkBroken, LinkError, LinkTimedOut, ServiceAccountRefused
from directory.link import Address, Link
from directory.model import ControllerHealth
from directory.settings import DirectorySettings

log = structlog.get_logger()


class Controller:
    """Lends connections: `searching` ones are bound as the service account, `binding` ones are re-bound for each check.

    Shared between threads. clock: Unix seconds.
    """

    def __init__(
        self,
        settings: DirectorySettings,
        address: Address,
        context: ssl.SSLContext,
        pins: tuple[str, ...],
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self.in_flight = 0
        self.binds = 0
        self.searches = 0
        self._settings, self._context, self._pins, self._clock = settings, context, pins, clock
        self._lock = threading.Lock()
        self._circuit = Circuit(
            first_pause=settings.retry_seconds,
            longest_pause=settings.retry_seconds_most,
            trial_seconds=settings.connect_timeout * 2 + settings.search_timeout,
        )
        self._searching: list[Link] = []
        self._binding: list[Link] = []
        self._open = 0

    def __str__(self) -> str:
        return str(self.address)

    # -- circuit

    @property
    def is_closed(self) -> bool:
        """It is to be used."""
        return self._circuit.state == "closed"

    def may_trial(self) -> bool:
        """True, once, where it failed and is due for another try."""
        with self._lock:
            return self._circuit.may_trial(self._clock())

    def succeeded(self) -> None:
        """It answered."""
        if self._circuit.state != "closed":
            with self._lock:
                changed = self._circuit.succeeded()
            if changed:
                log.info("dc.closed", controller=str(self))

    def failed(self, error: LinkError) -> None:
        """It did not: leave it alone for a while, and drop what is open to it."""
        with self._lock:
            changed = self._circuit.failed(str(error), self._clock())
            idle = [*self._searching, *self._binding]
            self._searching.clear()
            self._binding.clear()
            self._open -= len(idle)
        for link in idle:
            link.close()
        if changed:
            log.warning("dc.opened", controller=str(self), error=str(error))

    # -- connections

    @contextmanager
    def searching(self, password: Callable[[], str]) -> Iterator[Link]:
        """A connection bound as the service account. Raises LinkError, ServiceAccountRefused."""
        with self._lent(self._searching, lambda link: self._sign_in(link, password())) as link:
            self.searches += 1
            yield link

    @contextmanager
    def binding(self) -> Iterator[Link]:
        """A connection to bind on. Raises LinkError."""
        with self._lent(self._binding, lambda _link: None) as link:
            self.binds += 1
            yield link

    def close(self) -> None:
        """Hang up everything that is idle."""
        with self._lock:
            idle = [*self._searching, *self._binding]
            self._searching.clear()
            self._binding.clear()
            self._open -= len(idle)
        for link in idle:
            link.unbind()

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
            connections=self._open,
        )

    @contextmanager
    def _lent(self, pool: list[Link], prepare: Callable[[Link], None]) -> Iterator[Link]:
        link = self._take(pool)
        if link is None:
            link = self.open()
            with self._lock:
                self._open += 1
            try:
                prepare(link)
            except BaseException:
                self._drop(link)
                raise
        try:
            yield link
        except BaseException:
            self._drop(link)
            raise
        link.used_at = time.monotonic()
        with self._lock:
            pool.append(link)

    def _take(self, pool: list[Link]) -> Link | None:
        """An idle connection that is still good."""
        oldest = time.monotonic() - self._settings.idle_seconds
        while True:
            with self._lock:
                if not pool:
                    return None
                link = pool.pop()
            if link.used_at >= oldest and not link.is_stale():
                return link
            self._drop(link)

    def _drop(self, link: Link) -> None:
        link.close()
        with self._lock:
            self._open -= 1

    def open(self) -> Link:
        """A new connection. Raises ConnectFailed, CertificateRefused."""
        return Link.open(self.address, self._context, self._pins, self._settings.connect_timeout)

    def _sign_in(self, link: Link, password: str) -> None:
        settings = self._settings
        if not settings.service_user:
            return
        result = link.bind(settings.service_user.encode(), password.encode(), settings.bind_timeout)
        if result.code == 49:
            raise ServiceAccountRefused(str(self), settings.service_user, result.text)
        if result.code != 0:
            raise LinkBroken(str(self), f"bind of the service account: LDAP result {result.code}, {result.text}", sent=True)


def is_server_fault(error: LinkError) -> bool:
    """Whether other requests would fare no better there; a bind that was slow says less than a search that was."""
    return not (isinstance(error, LinkTimedOut) and error.waited < 1.0)
