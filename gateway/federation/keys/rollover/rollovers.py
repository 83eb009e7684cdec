"""Rollovers of signing keys: what is due is started, what is in progress continues, one node does it for all.

Kind of state: lasting. Everything is in the store: the rings, and for each ring a journal (`signing keys RING`). Whoever
writes holds the duty, relay or command: a run that was killed anywhere is taken up again by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import structlog

from certs import CertsError
from findings import Finding
from foundation.procedures import (
    Event,
    Journal,
    Plan,
    Procedure,
    ProcedureError,
    Record,
    Refused,
    check_current,
    check_harmless,
    hashed,
    make,
    run,
    standing,
    start,
    step_text,
    turn_back,
)
from foundation.procedures import RunResult as Run
from foundation.times import DAY
from gateway.federation.keys.first_keys import DUTY, LEASE
from gateway.federation.keys.model import ALGORITHMS, Ring
from gateway.federation.keys.rollover import emergency, stages
from gateway.federation.keys.rollover.acts import KeyChanges
from gateway.federation.keys.rollover.executor import RingContext, RingExecutor, write_changes
from gateway.federation.keys.rollover.health import LOOKS, RingHealth, due, health, stopped
from gateway.federation.keys.rollover.state import ObservedRing, RingEmergencyState, RingState, RolloverStages
from gateway.housekeeping import Housekeeping, Sleep
from gateway.store import DutyLease, SigningKeyRecord, StoreError

log = structlog.get_logger()

PROCEDURES: dict[str, Procedure[RolloverStages]] = {
    procedure.kind: procedure for procedure in (stages.PROCEDURE, emergency.PROCEDURE)
}
ROLLOVER_STATES: dict[str, type[Any]] = {procedure.kind: procedure.state for procedure in PROCEDURES.values()}
_PACE = 60.0
"""Seconds between two looks; less where the periods are short."""
Alarm: TypeAlias = Callable[[str, dict[str, str]], None]
_PATIENCE = 20
"""Half seconds that an order waits for the duty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """One key, without its secret. Times are Unix seconds."""

    id: str
    algorithm: str
    state: str
    since: float
    not_after: float
    waiting_for: tuple[str, ...]
    certificate: str
    """PEM; empty for OpenID Connect, which has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloverView:
    """The last replacement of a ring's keys."""

    id: str
    kind: str
    started: float
    by: str
    finished: float
    """0 while it is under way."""
    outcome: str
    standing: str
    """What it does or waits for, in words; empty where it is over."""
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RingView:
    """A ring, its keys and who must know them."""

    ring: Ring
    keys: tuple[KeyView, ...]
    rollover: RolloverView | None
    unknown: tuple[str, ...]
    """Trusts of which nobody has said how they learn of a new key."""
    findings: tuple[Finding, ...] = ()
    """What an operator must see to."""


class Rollovers:
    """For the relay, which runs them, and for commands, which order them. by: who stands in the audit trail.

    alarm: told, once a day, of what an operator must see to.
    """

    def __init__(
        self, context: RingContext, *, sleep: Sleep = asyncio.sleep, by: str = "relay", alarm: Alarm | None = None
    ) -> None:
        self._context, self._sleep, self._by, self._alarm = context, sleep, by, alarm
        self.health: tuple[RingHealth, ...] = ()
        """Of every ring, as it was at the last look. This node's."""
        self._stopped = Counter[Ring]()
        """At how many looks in a row the replacement of a ring was stopped."""
        self._holder = f"{context.store.node}-{secrets.token_hex(4)}"

    # -- the duty

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Look regularly for as long as the relay serves."""

        async def keep_running() -> None:
            while True:
                await self.run()
                await sleep(self.pace)

        housekeeping.beside("relay-signing-keys", keep_running)

    @property
    def pace(self) -> float:
        """Seconds between two looks: several within the shortest period."""
        settings = self._context.settings
        return max(1.0, min(_PACE, settings.lead / 4, settings.publish_for / 4, settings.retire_after / 4))

    async def run(self) -> None:
        """Do what is due in each ring, unless somebody else is at it. What fails is logged; the next look tries again."""
        try:
            lease = await self._take()
            if lease is None:
                await self.look()
                return
            for ring in ALGORITHMS:
                try:
                    await self._advance(ring, lease)
                except (ProcedureError, CertsError) as error:
                    log.error("signing_keys.rollover_failed", ring=ring, error=str(error))  # noqa: TRY400 - it says all
            await self.look()
            await self._tell()
            await self._context.store.duties.give_up(lease)
        except StoreError as error:
            log.warning("signing_keys.rollover_postponed", error=str(error))

    async def look(self) -> None:
        """See how every ring stands. Raises StoreError."""
        self.health = tuple([await self._health(ring) for ring in ALGORITHMS])

    async def _health(self, ring: Ring) -> RingHealth:
        observed, now = await self._context.observe(ring), self._context.clock()
        try:
            record = await self._context.store.procedures.read(_journal(ring), ROLLOVER_STATES)
            stage = standing(PROCEDURES[record.kind], observed, record, now).stage if record and record.open else ""
        except ProcedureError as error:
            return RingHealth(ring=ring, ends=0.0, stage="", problems=(stopped(ring, str(error)),))
        self._stopped[ring] = self._stopped[ring] + 1 if record and record.open and record.problem else 0
        return health(observed, record, now, stage=stage, looks=self._stopped[ring])

    async def _tell(self) -> None:
        """Raise an alarm for each problem, once a day whichever node holds the duty. Raises StoreError."""
        now, audit = self._context.clock(), self._context.store.audit
        for problem in [problem for ring in self.health for problem in ring.problems]:
            told = await audit.entries(kind=problem.kind, since=now - DAY, until=now + 1, limit=2 * len(ALGORITHMS))
            if self._alarm is not None and all(entry.event.detail.get("ring") != problem.ring for entry in told):
                fields = {"ring": problem.ring, "problem": problem.seen, "remedy": problem.remedy}
                self._alarm(problem.alert, fields)

    async def _advance(self, ring: Ring, lease: DutyLease) -> None:
        journal = await self._open(ring, lease)
        if journal.record is None or not journal.record.open:
            why = due(await self._context.observe(ring), self._context.clock())
            if not why:
                return
            await self._start(stages.PROCEDURE, ring, journal, why)
        await self._run(ring, journal, lease)

    async def _run(self, ring: Ring, journal: Journal, lease: DutyLease) -> Run | None:
        record = journal.record
        if record is None or record.kind not in PROCEDURES:
            return None
        executor = RingExecutor(self._context, ring, lease, self._by)
        result = await run(PROCEDURES[record.kind], executor, journal, clock=self._clock(), patience=0.0)
        if result.problem:
            log.error("signing_keys.rollover_stopped", ring=ring, problem=result.problem)
        return result

    # -- orders

    async def rings(self) -> list[RingView]:
        """All of them. Raises StoreError, ProcedureError."""
        return [await self.view(ring) for ring in ALGORITHMS]

    async def view(self, ring: Ring) -> RingView:
        """One of them. Raises StoreError, ProcedureError."""
        observed = await self._context.observe(ring)
        record = await self._context.store.procedures.read(_journal(ring), ROLLOVER_STATES)
        found = health(observed, record, self._context.clock(), stage="", looks=LOOKS)
        return RingView(
            ring=ring,
            keys=tuple(_key_view(key) for key in observed.records),
            rollover=self._rollover_view(observed, record) if record is not None else None,
            unknown=observed.ledger.unknown,
            findings=tuple(problem.finding for problem in found.problems),
        )

    async def plan(self, ring: Ring, *, emergency_: bool = False) -> Plan[Any]:
        """What a replacement would do. Raises StoreError, ProcedureError."""
        observed, now = await self._context.observe(ring), self._context.clock()
        procedure = _procedure(emergency_=emergency_)
        return make(
            procedure,
            observed,
            subject=ring,
            title=f"Replace the keys of ring {ring}" + (" now" if emergency_ else ""),
            state=_state(procedure, observed, "ordered"),
            marks=marks_of(observed),
            now=now,
            by=self._by,
            previous=await self._context.store.procedures.read(_journal(ring), ROLLOVER_STATES),
        )

    async def start(self, ring: Ring, *, emergency_: bool = False, saved: Plan[Any] | None = None) -> RingView:
        """Start a replacement, as far as possible now; the relay continues it. saved: a plan that was made before.

        Raises StoreError, ProcedureError: Refused where one is under way already, or the duty is not free; PlanOutdated
        where a plan made now would be another one.
        """
        procedure, what = _procedure(emergency_=emergency_), f"replacing the keys of ring {ring}"
        if saved is not None and saved.kind != procedure.kind:
            other = "rollover" if emergency_ else "emergency"
            raise Refused(what, [f"the plan is for `isthmus certs {other}`"])
        async with self._held(what) as lease:
            if saved is not None:  # nobody else changes the keys from here on
                check_current(saved, await self.plan(ring, emergency_=emergency_))
            journal = await self._open(ring, lease)
            await self._start(procedure, ring, journal, "ordered")
            await self._run(ring, journal, lease)
        return await self.view(ring)

    async def roll_back(self, ring: Ring, to: str) -> RingView:
        """Undo what is under way: to `published`, from where it goes forward again, or to `start`.

        Raises StoreError, ProcedureError.
        """
        what = f"rolling back the keys of ring {ring}"
        async with self._held(what) as lease:
            journal = await self._open(ring, lease)
            record = journal.record
            if record is None or not record.open:
                raise Refused(what, ["no replacement is in progress"])
            procedure, now = PROCEDURES[record.kind], self._context.clock()
            event = turn_back(procedure, record, to)
            check_harmless(procedure, await self._context.observe(ring), record, to, now)
            await journal.write(event, now)
            await self._run(ring, journal, lease)
        return await self.view(ring)

    async def acknowledge(self, ring: Ring, trust: str) -> RingView:
        """Somebody says that an application knows the new keys of a ring.

        Raises StoreError, ProcedureError: Refused where nothing waits for it.
        """
        what = f"acknowledging the keys of ring {ring} for {trust}"
        async with self._held(what) as lease:
            observed = await self._context.observe(ring)
            waiting = [record for record in observed.records if trust in record.waiting_for]
            if not waiting:
                names = sorted({name for record in observed.records for name in record.waiting_for})
                raise Refused(what, [f"no key waits for it; keys wait for {', '.join(names) or 'nobody'}"])
            changes = KeyChanges(put=tuple(_acknowledged(record, trust) for record in waiting))
            now = self._context.clock()
            await write_changes(self._context.store, lease, observed, changes, now=now, by=self._by)
            journal = await self._open(ring, lease)
            if journal.record is not None and journal.record.open:
                await self._run(ring, journal, lease)
        return await self.view(ring)

    # -- inside

    async def _take(self) -> DutyLease | None:
        now = self._context.clock()
        return await self._context.store.duties.take(DUTY, self._holder, now=now, until=now + LEASE)

    @contextlib.asynccontextmanager
    async def _held(self, what: str) -> AsyncIterator[DutyLease]:
        """Raises Refused where somebody else holds the duty for long."""
        for _ in range(_PATIENCE):
            lease = await self._take()
            if lease is not None:
                break
            await self._sleep(0.5)
        else:
            raise Refused(what, ["another node is changing keys; try again in a minute"])
        try:
            yield lease
        finally:
            with contextlib.suppress(StoreError):  # it ends by itself
                await self._context.store.duties.give_up(lease)

    async def _open(self, ring: Ring, lease: DutyLease) -> Journal:
        return await self._context.store.procedures.open(_journal(ring), ROLLOVER_STATES, lease, who=self._by)

    async def _start(self, procedure: Procedure[RolloverStages], ring: Ring, journal: Journal, why: str) -> None:
        observed, now = await self._context.observe(ring), self._context.clock()
        id_ = f"{ring}-{int(now)}-{secrets.token_hex(2)}"
        events: tuple[Event, ...] = start(procedure, journal.record, id_, ring, _state(procedure, observed, why))
        for event in events:
            await journal.write(event, now)
        log.info("signing_keys.rollover_started", ring=ring, id=id_, kind=procedure.kind, why=why)

    def _rollover_view(self, observed: ObservedRing, record: Record[Any]) -> RolloverView:
        where = ""
        if record.open:
            where = step_text(standing(PROCEDURES[record.kind], observed, record, self._context.clock()))
        return RolloverView(
            id=record.id,
            kind=record.kind,
            started=record.started,
            by=record.by,
            finished=record.finished,
            outcome=record.outcome,
            standing=where,
            problem=record.problem,
        )

    def _clock(self) -> RunClock:
        return RunClock(self._context.clock, self._sleep)


@dataclass(frozen=True, slots=True)
class RunClock:
    """Implements `foundation.procedures.Clock`."""

    clock: Callable[[], float]
    wait: Sleep

    def now(self) -> float:
        """See `Clock`."""
        return self.clock()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await self.wait(seconds)


def marks_of(ring: ObservedRing) -> dict[str, str]:
    """What a plan was made on. Pure: keys and how they stand, who must learn of them, and the periods."""
    return {
        "keys": hashed([(record.id, record.state) for record in ring.records]),
        "applications": hashed(sorted((partner.name, partner.kind, partner.refresh) for partner in ring.ledger.partners)),
        "settings": hashed(ring.settings),
    }


def _procedure(*, emergency_: bool) -> Procedure[RolloverStages]:
    return emergency.PROCEDURE if emergency_ else stages.PROCEDURE


def _state(procedure: Procedure[RolloverStages], observed: ObservedRing, why: str) -> RingState:
    replaces = tuple(record.id for record in observed.records)
    kind = RingEmergencyState if procedure.kind == emergency.EMERGENCY else RingState
    return kind(ring=observed.ring, why=why, replaces=replaces)


def _journal(ring: Ring) -> str:
    return f"signing keys {ring}"


def _acknowledged(record: SigningKeyRecord, trust: str) -> SigningKeyRecord:
    return replace(record, waiting_for=record.waiting_for - {trust}, version=record.version + 1)


def _key_view(record: SigningKeyRecord) -> KeyView:
    return KeyView(
        id=record.id,
        algorithm=record.algorithm,
        state=record.state,
        since=record.since,
        not_after=record.not_after,
        waiting_for=tuple(sorted(record.waiting_for)),
        certificate=ssl.DER_cert_to_PEM_cert(record.certificate) if record.certificate else "",
    )
