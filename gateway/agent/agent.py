"""The agent process: its connections, its certificate, its end.

for each relay, `connections` times:   connect ─► converse ─► (lost) ─► wait, at random, never longer than
                                          ▲                             `reconnect_ceiling`, never giving up
                                          └──────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import structlog

from certs import CertsError, MachineIdentity, Role, check_closed, renewal_due
from gateway.agent.backoff import Backoff
from gateway.agent.clock import steady_clock
from gateway.agent.connection import RelayConnection
from gateway.agent.errors import NotEnrolled, RelayUnreachable
from gateway.agent.known_people import KnownPeople
from gateway.agent.lookups import PersonLookUps
from gateway.agent.ports import CredentialDirectories
from gateway.agent.routes import BadRoute, Route, Routes
from gateway.agent.settings import AgentCoreSettings, LookUpSettings
from gateway.agent.state import AgentState
from gateway.agent.validator import Validator
from gateway.agent.withheld import WithheldAttributes
from gateway.protocol import (
    DIRECTORIES_REPORT,
    READINESS_REPORT,
    AgentFacts,
    AgentSession,
    CloseCode,
    Closed,
    DirectoriesReport,
    DirectoryState,
    Event,
    LookUpRequest,
    Opened,
    PeerTrust,
    ReadinessReport,
    RenewalAnswered,
    encode,
)
from settings import Unfit

log = structlog.get_logger()

REFUSED_CEILING = 60.0
"""Seconds between tries while the relay refuses this identity: only an administrator can change that."""
_MOVE_PATIENCE = 30.0
"""Seconds that a connection may take to come back under a new certificate, before the next one is moved."""
_REPORT_GAP = 2.0
"""Seconds between two reports of what has changed: twenty domain controllers that go down together are one report."""
RENEWAL_RETRY = 3600.0
"""Seconds until a renewal that got no answer is asked for again."""


class Agent:
    """Keeps connections to all relays until told to stop.

    state_dir: where the identity lives. software: version shown to the relay's operator. look_up: what relays are told of
    people without a password. clock: Unix seconds, for the certificate, and for who signed in lately. directory_clock: that
    of the directories' deadlines. session_clock: of every connection, Unix seconds; by default each has a steady one of its
    own.
    """

    def __init__(
        self,
        settings: AgentCoreSettings,
        state_dir: Path,
        directories: CredentialDirectories,
        *,
        software: str,
        look_up: LookUpSettings | None = None,
        clock: Callable[[], float] = time.time,
        directory_clock: Callable[[], float] | None = None,
        session_clock: Callable[[], float] | None = None,
    ) -> None:
        self._settings, self._state_dir, self._clock = settings, state_dir, clock
        self._session_clock = session_clock
        self._directories = directories
        self._directory_clock = directory_clock or steady_clock()
        try:
            check_closed(state_dir)
            self._identity = MachineIdentity.load(state_dir / "identity")
        except FileNotFoundError:
            raise NotEnrolled(state_dir) from None
        self._routes = Routes(settings, state_dir)
        look_up = look_up or LookUpSettings()
        self._people = KnownPeople(state_dir, clock)
        withheld = WithheldAttributes(state_dir, clock)
        self._lookups = PersonLookUps(directories, self._people, withheld, look_up, self._directory_clock)
        self._validator = Validator(directories, self._lookups)
        self._facts = AgentFacts(
            instance=os.urandom(8).hex(),
            capacity=settings.capacity,
            domains=tuple(directories.domains) or ("*",),
            software=software,
        )
        if not look_up.lookups_per_minute:
            others = tuple(one for one in self._facts.capabilities if one != LookUpRequest.operation)
            self._facts = replace(self._facts, capabilities=others)
        self._live: set[RelayConnection] = set()
        self._stopping = asyncio.Event()
        self._changed = asyncio.Event()
        """A relay should hear what has become of the directories."""
        self._renewal_asked = 0.0
        self._moving: asyncio.Task[None] | None = None

    @property
    def state(self) -> AgentState:
        """How the agent is, now."""
        connected = dict.fromkeys(self._routes.relays, 0)
        for connection in self._live:
            if connection.session is not None and connection.session.session_id:
                connected[connection.relay] += 1
        in_flight = sum(connection.in_flight for connection in self._live)
        directories = tuple(self._directories.readiness())
        return AgentState(connected, self._identity.not_after, in_flight, directories, self._stopping.is_set())

    @property
    def outcomes(self) -> Mapping[str, int]:
        """What came of the checks so far, counted by outcome."""
        return self._validator.outcomes

    @property
    def lookups(self) -> Mapping[str, int]:
        """What came of the look-ups so far: the status that was said, `not_mine`, `limit` or `failed`."""
        return self._lookups.outcomes

    @property
    def identity(self) -> MachineIdentity:
        """Who it is to new sessions: the latest certificate that is installed."""
        return self._identity

    async def run(self) -> None:
        """Serve until `stop` is called, then drain. Cancelling stops without draining."""
        log.info("agent.started", agent=self._identity.name, relays=self._routes.relays)
        async with asyncio.TaskGroup() as tasks:
            keepers = [
                tasks.create_task(self._keep(relay), name=f"keep {relay} {number}")
                for relay in self._routes.relays
                for number in range(self._settings.connections)
            ]
            others = [
                tasks.create_task(self._housekeeping(), name="agent-housekeeping"),
                tasks.create_task(self._report_changes(), name="agent-reports"),
                tasks.create_task(self._directories.watch(self._changed.set), name="agent-watch"),
            ]
            await self._stopping.wait()
            await self._drain()
            for task in (*keepers, *others):
                task.cancel()
            if self._moving is not None:
                self._moving.cancel()
        self._people.close()
        log.info("agent.stopped", agent=self._identity.name)

    def stop(self) -> None:
        """Finish what is in flight and end; `run` returns then."""
        self._stopping.set()

    async def reload(self, settings: AgentCoreSettings) -> None:
        """Take `ROUTE_SETTINGS` from new settings, for connections to come. Raises Unfit, and takes nothing then."""
        try:
            await asyncio.to_thread(self._routes.use, settings)
        except BadRoute as error:
            raise Unfit(error.reason, setting=("core", error.key)) from error

    # -- connections

    async def _keep(self, relay: str) -> None:
        backoff = Backoff(0.1, self._settings.reconnect_ceiling)
        refused = Backoff(5.0, REFUSED_CEILING)
        while not self._stopping.is_set():
            code = await self._converse(self._routes.to(relay), backoff)
            delay = (refused if code in REFUSALS else backoff).next_delay()
            log.info("relay.retry", relay=relay, seconds=round(delay, 2))
            await asyncio.sleep(delay)

    async def _converse(self, route: Route, backoff: Backoff) -> int:
        """Run one connection to its end; returns the close code, 0 where there was no conversation."""
        connection = self.make_connection(route)
        self._live.add(connection)
        try:
            closed = await connection.run()
        except RelayUnreachable as error:
            log.warning("relay.unreachable", relay=error.relay, reason=error.reason)
            return 0
        except Exception:
            log.exception("relay.failed", relay=route.relay)  # a defect costs this conversation, not the others
            return 0
        finally:
            self._live.discard(connection)
        if connection.session is not None and connection.session.session_id:
            backoff.reset()
        if closed.code == CloseCode.EXPIRED and self._identity.not_after > self._clock():
            return 0  # the session's certificate; there is a newer one
        self._explain(closed)
        return closed.code

    def make_connection(self, route: Route) -> RelayConnection:
        """One that has not begun yet; `run` makes its own, whoever makes another runs it."""
        clock = self._session_clock or steady_clock()
        return RelayConnection(route, self._make_session, self._validator, self._directory_clock, self._take, clock)

    def _make_session(self, now: float) -> AgentSession:
        identity = self._identity
        trust = PeerTrust(identity.authority, Role.RELAY)
        return AgentSession(identity, trust, self._facts, now=now)

    def _explain(self, closed: Closed) -> None:
        remedy = REFUSALS.get(closed.code)
        if remedy and closed.by_peer:
            log.error("agent.refused_by_relay", reason=closed.reason, remedy=remedy)
            self._reload_identity()

    def _reload_identity(self) -> None:
        """An administrator may have enrolled this machine anew meanwhile."""
        try:
            self._identity = MachineIdentity.load(self._state_dir / "identity")
        except (CertsError, OSError) as error:
            log.error("identity.unusable", error=str(error))  # noqa: TRY400 - the text says it all

    def _take(self, connection: RelayConnection, event: Event) -> None:
        if isinstance(event, Opened):
            self._report(connection)
        elif isinstance(event, RenewalAnswered):
            self._install(event)

    # -- certificate

    async def _housekeeping(self) -> None:
        interval = self._settings.status_interval
        while True:
            self._renew_if_due()
            await asyncio.to_thread(self._routes.look)
            for connection in self._live:
                self._report(connection)
            await asyncio.sleep(interval)

    async def _report_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            for connection in self._live:
                self._report(connection)
            await asyncio.sleep(_REPORT_GAP)

    def _report(self, connection: RelayConnection) -> None:
        if connection.session is not None:
            states = {health.controller: health.state for health in self._directories.health()}
            report = DirectoriesReport.of(states, connection.in_flight)
            found = (DirectoryState(one.directory, one.domains, one.condition) for one in self._directories.readiness())
            connection.session.send_report(*DIRECTORIES_REPORT, encode(report))
            connection.session.send_report(*READINESS_REPORT, encode(ReadinessReport(tuple(found))))
            connection.poke()

    def _renew_if_due(self) -> None:
        now, identity = self._clock(), self._identity
        if not renewal_due(identity.not_before, identity.not_after, now, identity.name):
            return
        if now - self._renewal_asked >= RENEWAL_RETRY:
            self.renew_now()

    def renew_now(self) -> bool:
        """Ask for a certificate for a new key, however old this one is; False where no relay could be asked."""
        for connection in self._live:
            session = connection.session
            if session is not None and session.session_id and session.closed is None:
                self._renewal_asked = self._clock()
                try:
                    request = self._identity.begin_renewal()
                except (CertsError, OSError) as error:
                    log.error("certificate.renewal_failed", error=str(error))  # noqa: TRY400 - the text says it all
                    return False
                session.send_renewal(request)
                connection.poke()
                log.info("certificate.renewal_asked", agent=self._identity.name, ends=self._identity.not_after)
                return True
        return False

    def _install(self, event: RenewalAnswered) -> None:
        if event.refusal:
            log.error("certificate.renewal_refused", reason=event.refusal)
            return
        try:
            self._identity = self._identity.finish_renewal(event.certificate, self._clock())
        except (CertsError, OSError) as error:
            log.error("certificate.renewal_failed", error=str(error))  # noqa: TRY400 - the text says it all
            return
        log.info("certificate.renewed", agent=self._identity.name, ends=self._identity.not_after)
        self._moving = asyncio.create_task(self._move(), name="agent-move")

    async def _move(self) -> None:
        """Bring each connection under the new certificate, one after another: the others serve meanwhile."""
        for connection in list(self._live):
            connection.drain()
            await self._until(lambda: not connection.in_flight, self._settings.drain_timeout)  # noqa: B023 - awaited here
            count = self.state.connected[connection.relay]
            connection.close("certificate renewed")
            await self._until(lambda: connection not in self._live, _MOVE_PATIENCE)  # noqa: B023
            await self._until(lambda: self.state.connected[connection.relay] >= count, _MOVE_PATIENCE)  # noqa: B023

    async def _until(self, condition: Callable[[], bool], patience: float) -> bool:
        """Poll a condition of several connections at a rare event; False where it did not come about in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        return condition()

    # -- the end

    async def _drain(self) -> None:
        log.info("agent.draining", in_flight=self.state.in_flight)
        for connection in self._live:
            connection.drain()
        if not await self._until(lambda: not self.state.in_flight, self._settings.drain_timeout):
            log.warning("agent.drain_cut_short", in_flight=self.state.in_flight)
        for connection in list(self._live):
            connection.close("agent is stopping")
        await asyncio.sleep(0.1)


_RE_ENROL = "on the relay `isthmus relay token --name NAME --domain DOMAIN`, then here `isthmus agent enrol --token-file -`"
REFUSALS = {
    int(CloseCode.REVOKED): f"this agent was revoked; if that was a mistake, enrol it again: {_RE_ENROL}",
    int(CloseCode.EXPIRED): f"its certificate expired while it was off; enrol it again: {_RE_ENROL}",
    int(CloseCode.REFUSED): f"the relay does not know this identity; enrol here: {_RE_ENROL}",
    int(CloseCode.QUARANTINED): "it accepted a canary, so it was revoked: treat this machine as compromised",
}
"""What to do where a relay does not let this agent in, by close code."""
