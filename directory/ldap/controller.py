"""One domain controller: whether it is up, and its pools of open connections."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable

import structlog

from directory.errors import (
    BaseNotFound,
    ConnectFailed,
    ConnectionBroken,
    ConnectionTimedOut,
    LdapConnectionError,
    ServerRefused,
    ServiceAccountRefused,
    SettingsProblem,
)
from directory.ldap import codec
from directory.ldap.availability import Availability
from directory.ldap.codec import Entry
from directory.ldap.connection import Address, LdapConnection
from directory.ldap.naming_contexts import domain_root, naming_context
from directory.ldap.service_login import REFUSALS, ServiceLogin
from directory.ldap.values import format_guid, from_generalized_time
from directory.model import ControllerHealth, DirectoryCondition
from directory.settings import DirectorySettings

log = structlog.get_logger()

_GOODBYE = 1.0
"""Seconds to wait for connections to end."""
_CURRENT_TIME = codec.attribute_list(("currentTime",))
_OBJECT_GUID = codec.attribute_list(("objectGUID",))
_NAMING_CONTEXTS = codec.attribute_list(("namingContexts",))
_NO_ATTRIBUTES = codec.attribute_list(("1.1",))
_UNAVAILABLE = frozenset({51, 52})
"""busy, unavailable (RFC 4511 section 4.1.9): what a server says that starts, stops or is overloaded."""


class Controller:
    """Lends connections: `searching` ones are bound as the service account, `binding` ones are re-bound for each check.

    clock: Unix seconds. on_change: what a sign-in can expect here has changed.
    """

    def __init__(
        self,
        settings: DirectorySettings,
        address: Address,
        context: ssl.SSLContext,
        pins: tuple[str, ...],
        clock: Callable[[], float],
        service: ServiceLogin,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self.clock_skew = 0.0
        """Seconds by which its clock is ahead of ours: what it counts, it counts by its own."""
        self.in_flight = 0
        self.binds = 0
        self.searches = 0
        self._settings, self._context, self._pins, self._clock = settings, context, pins, clock
        self._service, self._on_change = service, on_change
        self.condition: DirectoryCondition = "not_checked"
        """What a sign-in can expect here, by what was seen last, …"""
        self.obstacle = ""
        """… and what stands in the way, for the operator."""
        self._heard_at = 0.0
        """time.monotonic() of its last answer."""
        self._directory = ""
        """What the directory says of itself, once it was read: it never changes."""
        self._availability = Availability(
            first_pause=settings.retry_seconds,
            longest_pause=settings.retry_seconds_most,
            probe_seconds=settings.connect_timeout * 2 + settings.search_timeout,
        )
        self._searching: list[LdapConnection] = []
        self._binding: list[LdapConnection] = []
        self._open: set[LdapConnection] = set()
        self._ending: set[asyncio.Future[None]] = set()

    def __str__(self) -> str:
        return str(self.address)

    # -- up or down

    @property
    def is_up(self) -> bool:
        """Whether it is used."""
        return self._availability.state == "up"

    def may_probe(self) -> bool:
        """True, once, where it failed and is due for another try."""
        return self._availability.may_probe(self._clock())

    @property
    def quiet_for(self) -> float:
        """Seconds since it answered last."""
        return time.monotonic() - self._heard_at

    def succeeded(self) -> None:
        """It did what was asked of it."""
        self._answered("ready", "")

    def failed(self, error: LdapConnectionError) -> None:
        """It did not answer: leave it alone for a while, and drop what is open to it."""
        for connection in self._idle():
            self._drop(connection)
        if self._availability.failed(str(error), self._clock()):
            log.warning("dc.down", controller=str(self), error=str(error))
        self._take_condition("no_controller", str(error))

    async def look(self) -> None:
        """Find out what a sign-in can expect here, by asking for what is at `base_dn` as the service account.

        Never raises. Cancelling hangs up.
        """
        self._availability.begin_probe(self._clock())
        patience = self._settings.connect_timeout + self._settings.search_timeout
        try:
            async with asyncio.timeout(patience), self.searching() as connection:
                await self._look_at_base(connection)
        except TimeoutError:
            self.failed(ConnectionTimedOut(str(self), f"no answer within {patience:g} s", sent=True, waited=patience))
        except LdapConnectionError as error:
            self.failed(error)
        except (ServiceAccountRefused, SettingsProblem) as error:
            self._answered("service_account", str(error))
        except BaseNotFound as error:
            self._answered("base_dn", str(error))
        except ServerRefused as error:
            if error.code in _UNAVAILABLE:
                self.failed(LdapConnectionError(str(self), str(error)))
            else:
                self.succeeded()  # it may not be read, which says nothing of what a sign-in reads
        else:
            self.succeeded()

    async def _look_at_base(self, connection: LdapConnection) -> None:
        """Raises BaseNotFound where there is nothing: a subtree tells, even where the base itself may not be read."""
        settings, base = self._settings, self._settings.base_dn.encode()
        timeout = settings.search_timeout
        if await connection.search(base, codec.SCOPE_BASE, codec.ANYTHING, _NO_ATTRIBUTES, limit=1, timeout=timeout):
            return
        name = (settings.login_attributes or (("userPrincipalName",) if settings.kind == "ad" else ("uid",)))[0]
        nobody = codec.equals(name.encode(), b"isthmus-nobody")  # as cheap as a sign-in's
        await connection.search(base, codec.SCOPE_SUBTREE, nobody, _NO_ATTRIBUTES, limit=1, timeout=timeout)

    def _answered(self, condition: DirectoryCondition, obstacle: str) -> None:
        self._heard_at = time.monotonic()
        if self._availability.state != "up" and self._availability.succeeded():
            log.info("dc.up", controller=str(self))
        self._take_condition(condition, obstacle)

    def _take_condition(self, condition: DirectoryCondition, obstacle: str) -> None:
        self.obstacle = obstacle
        if condition == self.condition:
            return
        self.condition = condition
        if condition in ("service_account", "base_dn"):
            log.error("dc.unusable", controller=str(self), error=obstacle)
        self._on_change()

    # -- connections

    def searching(self) -> Loan:
        """A connection bound as the service account. Raises LdapConnectionError, ServiceAccountRefused, SettingsProblem."""
        return Loan(self, self._searching, self._sign_in)

    def binding(self) -> Loan:
        """A connection to bind on. Raises LdapConnectionError."""
        return Loan(self, self._binding, None)

    async def close(self) -> None:
        """Hang up; returns when the connections have ended."""
        for connection in self._idle():
            connection.unbind()
            self._end(connection)
        if self._ending:
            await asyncio.wait(self._ending, timeout=_GOODBYE)

    def _idle(self) -> list[LdapConnection]:
        """What lies in the pools, taken out of them."""
        idle = [*self._searching, *self._binding]
        self._searching.clear()
        self._binding.clear()
        return idle

    def health(self, directory: str) -> ControllerHealth:
        """For metrics and status pages."""
        availability = self._availability
        return ControllerHealth(
            directory=directory,
            controller=str(self),
            state=availability.state,
            failures=availability.failures,
            in_flight=self.in_flight,
            retry_at=availability.retry_at,
            last_error=availability.last_error if availability.state != "up" else "",
            binds=self.binds,
            searches=self.searches,
            connections=len(self._open),
        )

    async def take(
        self, pool: list[LdapConnection], prepare: Callable[[LdapConnection], Awaitable[None]] | None
    ) -> LdapConnection:
        """One of the pool that is still good, or a new one; for a `Loan`."""
        connection = self._take(pool) or await self._make(prepare)
        if pool is self._binding:
            self.binds += 1
        else:
            self.searches += 1
        return connection

    def _take(self, pool: list[LdapConnection]) -> LdapConnection | None:
        now = time.monotonic()
        while pool:
            connection = pool.pop()
            if now - connection.used_at <= self._settings.idle_seconds and not connection.is_stale():
                return connection
            self._drop(connection)
        return None

    async def _make(self, prepare: Callable[[LdapConnection], Awaitable[None]] | None) -> LdapConnection:
        connection = await self.open()
        self._open.add(connection)
        try:
            if prepare is not None:
                await prepare(connection)
        except BaseException:
            self._drop(connection)
            raise
        return connection

    def take_back(self, pool: list[LdapConnection], connection: LdapConnection, *, good: bool) -> None:
        """Into the pool again, unless something went wrong while it was lent; for a `Loan`."""
        if not good:
            self._drop(connection)
            return
        connection.used_at = time.monotonic()
        pool.append(connection)

    def _drop(self, connection: LdapConnection) -> None:
        connection.close()
        self._end(connection)

    def _end(self, connection: LdapConnection) -> None:
        self._open.discard(connection)
        self._ending.add(connection.closed)
        connection.closed.add_done_callback(self._ending.discard)

    async def open(self) -> LdapConnection:
        """A new connection. Raises ConnectFailed, ServerCertificateRefused."""
        return await LdapConnection.open(self.address, self._context, self._pins, self._settings.connect_timeout)

    async def _sign_in(self, connection: LdapConnection) -> None:
        service, settings = self._service, self._settings
        if service.user:
            async with service.password(str(self)) as password:
                if self._availability.state == "down":  # it failed somebody else while we waited for our turn
                    raise ConnectFailed(str(self), self._availability.last_error)
                result = await connection.bind(service.user.encode(), password.encode(), settings.bind_timeout)
                if result.code in REFUSALS:
                    raise ServiceAccountRefused(str(self), service.user, service.refused(password, result))
                if result.code != 0:
                    reason = f"bind of the service account: LDAP result {result.code}, {result.text}"
                    raise ConnectionBroken(str(self), reason, sent=True)
                service.accepted(password)
        if settings.kind == "ad":
            await self._compare_clocks(connection)
        connection.directory = self._directory = self._directory or await self._read_directory(connection)

    async def _read_directory(self, connection: LdapConnection) -> str:
        """See `naming_contexts`; empty, with a word to the operator, where the service account may not read it."""
        try:
            if self._settings.kind == "ad":
                entry = await self._read(connection, domain_root(self._settings.base_dn).encode(), _OBJECT_GUID)
                found = format_guid(entry[b"objectguid"][0]) if entry.get(b"objectguid") else ""
            else:
                entry = await self._read(connection, b"", _NAMING_CONTEXTS)
                found = naming_context(self._settings.base_dn, entry.get(b"namingcontexts", ()))
        except ServerRefused as error:
            found, reason = "", str(error)
        else:
            reason = "the attribute is not there"
        if not found:
            what = "objectGUID of the domain" if self._settings.kind == "ad" else "namingContexts of the root entry"
            log.warning(
                "directory.nameless", controller=str(self), reason=reason, remedy=f"let the service account read {what}"
            )
        return found

    async def _read(self, connection: LdapConnection, dn: bytes, wanted: bytes) -> Entry:
        timeout = self._settings.search_timeout
        found = await connection.search(dn, codec.SCOPE_BASE, codec.ANYTHING, wanted, limit=1, timeout=timeout)
        return found[0][1] if found else {}

    async def _compare_clocks(self, connection: LdapConnection) -> None:
        values = (await self._read(connection, b"", _CURRENT_TIME)).get(b"currenttime")
        theirs = from_generalized_time(values[0]) if values else None
        self.clock_skew = theirs - self._clock() if theirs is not None else 0.0


class Loan:
    """A connection for as long as the block lasts; after any error in it the connection is closed.

    A class: an asynccontextmanager is a generator that the event loop keeps track of, and there are two in each sign-in.
    """

    __slots__ = ("_connection", "_controller", "_pool", "_prepare")

    def __init__(
        self,
        controller: Controller,
        pool: list[LdapConnection],
        prepare: Callable[[LdapConnection], Awaitable[None]] | None,
    ) -> None:
        self._controller, self._pool, self._prepare = controller, pool, prepare

    async def __aenter__(self) -> LdapConnection:
        self._connection = await self._controller.take(self._pool, self._prepare)
        return self._connection

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._controller.take_back(self._pool, self._connection, good=kind is None)


def is_server_fault(error: LdapConnectionError) -> bool:
    """Whether other requests would fare no better there; a bind that was slow says less than a search that was."""
    return not (isinstance(error, ConnectionTimedOut) and error.waited < 1.0)
