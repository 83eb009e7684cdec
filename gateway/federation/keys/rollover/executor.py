"""Connects the procedures with the store: what a ring has now, and changes of it under the duty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from certs import KeyState, RolloverRefused
from foundation.procedures import Act, ActFailed, Effect
from gateway.federation.keys.material import make_key
from gateway.federation.keys.model import Ring
from gateway.federation.keys.rollover.acts import KeyChanges, MakeKey, changes_of
from gateway.federation.keys.rollover.partners import by_hand, ledger_of
from gateway.federation.keys.rollover.state import ObservedRing
from gateway.federation.settings import KeySettings
from gateway.federation.trusts import Trust
from gateway.store import AuditEvent, DutyLease, SigningKeyRecord, Store, StoreError, StoreUnavailable

log = structlog.get_logger()


class Trusts(Protocol):
    """Of the trust registry what a rollover needs."""

    async def load(self) -> object:
        """Read what has changed. Raises StoreError."""
        ...

    def all(self) -> Sequence[Trust]:
        """Those that are enabled."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RingContext:
    """What is needed to look at rings, and to change them. host: of the relay's public address; clock: Unix seconds."""

    store: Store
    settings: KeySettings
    trusts: Trusts
    host: str
    clock: Callable[[], float]

    async def observe(self, ring: Ring) -> ObservedRing:
        """A ring as it is now. Raises StoreError."""
        await self.trusts.load()
        records = [record for record in await self.store.signing_keys.all() if record.ring == ring]
        return ObservedRing(ring, tuple(records), ledger_of(ring, self.trusts.all()), self.settings)


class RingExecutor:
    """Implements `foundation.procedures.Executor` for one ring, for as long as the duty is held. by: who is behind it."""

    def __init__(self, context: RingContext, ring: Ring, lease: DutyLease, by: str) -> None:
        self._context, self._ring, self._lease, self._by = context, ring, lease, by

    async def observe(self) -> ObservedRing:
        """See `Executor`. Raises StoreError."""
        return await self._context.observe(self._ring)

    async def do(self, act: Act) -> None:
        """See `Executor`."""
        try:
            await self._do(act)
        except RolloverRefused as error:
            raise ActFailed(act.place, str(error), "none") from error
        except StoreError as error:
            effect: Effect = "unknown" if isinstance(error, StoreUnavailable) else "none"
            raise ActFailed(act.place, str(error), effect) from error

    async def _do(self, act: Act) -> None:
        observed, now = await self.observe(), self._context.clock()
        if isinstance(act.what, MakeKey):
            changes = await asyncio.to_thread(self._made, act.what, observed, now)
        else:
            changes = changes_of(act.what, observed, now)
        await write_changes(self._context.store, self._lease, observed, changes, now=now, by=self._by)

    def _made(self, act: MakeKey, observed: ObservedRing, now: float) -> KeyChanges:
        """Whether it is there already, the stage has looked at, under the same duty."""
        state = KeyState.PUBLISHED if act.published else KeyState.NEXT
        lifetime = self._context.settings.lifetime(self._ring)
        waiting = by_hand(observed.ledger) if act.published else frozenset()
        host = self._context.host
        record = make_key(self._ring, act.algorithm, host=host, state=state, now=now, lifetime=lifetime, waiting_for=waiting)
        return KeyChanges(put=(record,))


async def write_changes(
    store: Store, lease: DutyLease, observed: ObservedRing, changes: KeyChanges, *, now: float, by: str
) -> None:
    """In one transaction, each change with its entry in the audit trail. Raises StoreError: then nothing was written."""
    unit, known = store.unit(), {record.id: record for record in observed.records}
    unit.hold(lease)
    for record in changes.put:
        unit.put_signing_key(record)
        unit.record(_event(record, known.get(record.id), now, by))
    for key in changes.forget:
        unit.forget_signing_key(key)
        unit.record(_deleted(known[key], now, by))
    await unit.commit()
    for record in changes.put:
        log.info("signing_key.changed", key_id=record.id, ring=record.ring, state=record.state, since=record.since)
    for key in changes.forget:
        log.info("signing_key.deleted", key_id=key, ring=observed.ring)


def _event(record: SigningKeyRecord, before: SigningKeyRecord | None, now: float, by: str) -> AuditEvent:
    detail: dict[str, str] = {"ring": record.ring, "algorithm": record.algorithm, "state": record.state}
    if before is not None and before.waiting_for - record.waiting_for:
        detail["acknowledged"] = ", ".join(sorted(before.waiting_for - record.waiting_for))
    if before is None:
        return AuditEvent(time=now, kind="signing_key.made", actor=by, subject=record.id, detail=detail)
    return AuditEvent(time=now, kind="signing_key.changed", actor=by, subject=record.id, detail=detail)


def _deleted(record: SigningKeyRecord, now: float, by: str) -> AuditEvent:
    detail = {"ring": record.ring, "algorithm": record.algorithm, "state": record.state}
    return AuditEvent(time=now, kind="signing_key.deleted", actor=by, subject=record.id, detail=detail)
