"""What is done to the keys of a ring, as changes of their records. Pure.

Each act is one transaction over all algorithms of a ring, and nothing where its effect is there already. What the state
machine of `certs.policy` does not allow raises its RolloverRefused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from certs import KeyAction, KeyPolicy, KeyRecord, KeyState, KeyTransition, apply_transition
from gateway.federation.keys.rollover.partners import by_hand
from gateway.federation.keys.rollover.state import ObservedRing
from gateway.store import SigningKeyRecord


@dataclass(frozen=True, slots=True)
class MakeKey:
    """A key that nobody knows yet; in an emergency one that is published at once."""

    algorithm: str
    published: bool = False

    def __str__(self) -> str:
        return f"make {'and publish ' if self.published else ''}a new {self.algorithm} key"


@dataclass(frozen=True, slots=True)
class PublishKeys:
    """Partners are shown the new keys."""

    def __str__(self) -> str:
        return "publish the new keys"


@dataclass(frozen=True, slots=True)
class PromoteKeys:
    """The new keys sign, from a moment on at which every node knows it."""

    def __str__(self) -> str:
        return "sign with the new keys from then on, and keep the old ones published"


@dataclass(frozen=True, slots=True)
class RetireKeys:
    """The old keys are deleted."""

    def __str__(self) -> str:
        return "delete the old keys"


@dataclass(frozen=True, slots=True)
class RestoreKeys:
    """The old keys sign again."""

    def __str__(self) -> str:
        return "sign with the old keys again, and keep the new ones published"


@dataclass(frozen=True, slots=True)
class WithdrawKeys:
    """The new keys are deleted before they were used."""

    def __str__(self) -> str:
        return "delete the new keys"


@dataclass(frozen=True, slots=True)
class ReplaceKeys:
    """Emergency: the new keys sign, and the old ones are deleted, in one moment."""

    old: tuple[str, ...]

    def __str__(self) -> str:
        return "sign with the new keys, and delete all others"


KeyAct: TypeAlias = PublishKeys | PromoteKeys | RetireKeys | RestoreKeys | WithdrawKeys | ReplaceKeys


@dataclass(frozen=True, slots=True)
class KeyChanges:
    """What is written in one transaction."""

    put: tuple[SigningKeyRecord, ...] = ()
    """Each the next version of itself."""
    forget: tuple[str, ...] = ()


def changes_of(act: KeyAct, ring: ObservedRing, now: float) -> KeyChanges:
    """What an act writes. Raises certs.RolloverRefused."""
    return _CHANGES[type(act)](act, ring, now)


def _publish(_act: KeyAct, ring: ObservedRing, now: float) -> KeyChanges:
    waiting = by_hand(ring.ledger)
    changed = _moved(ring, KeyAction.PUBLISH, KeyState.NEXT, now)
    return KeyChanges(tuple(replace(record, waiting_for=waiting) for record in changed))


def _promote(_act: KeyAct, ring: ObservedRing, now: float) -> KeyChanges:
    changed = _moved(ring, KeyAction.PROMOTE, KeyState.PUBLISHED, now)
    return KeyChanges(tuple(replace(record, since=now + ring.settings.lead) for record in changed))


def _restore(_act: KeyAct, ring: ObservedRing, now: float) -> KeyChanges:
    return KeyChanges(tuple(_moved(ring, KeyAction.ROLL_BACK, KeyState.RETIRING, now)))


def _retire(_act: KeyAct, ring: ObservedRing, _now: float) -> KeyChanges:
    return KeyChanges(forget=tuple(record.id for record in ring.records if record.state == KeyState.RETIRING))


def _withdraw(_act: KeyAct, ring: ObservedRing, _now: float) -> KeyChanges:
    unused = {KeyState.NEXT, KeyState.PUBLISHED}
    return KeyChanges(forget=tuple(record.id for record in ring.records if record.state in unused))


def _replace(act: KeyAct, ring: ObservedRing, now: float) -> KeyChanges:
    old = act.old if isinstance(act, ReplaceKeys) else ()
    new = [record for record in ring.records if record.id not in old and record.state != KeyState.ACTIVE]
    return KeyChanges(
        put=tuple(_next(record, state=KeyState.ACTIVE, since=now) for record in new),
        forget=tuple(record.id for record in ring.records if record.id in old),
    )


_CHANGES: dict[type[KeyAct], Callable[[KeyAct, ObservedRing, float], KeyChanges]] = {
    PublishKeys: _publish,
    PromoteKeys: _promote,
    RetireKeys: _retire,
    RestoreKeys: _restore,
    WithdrawKeys: _withdraw,
    ReplaceKeys: _replace,
}


def _moved(ring: ObservedRing, action: KeyAction, state: KeyState, now: float) -> list[SigningKeyRecord]:
    """What the policy makes of every key in a state, and of the keys that they replace."""
    changed: list[SigningKeyRecord] = []
    for algorithm in sorted({record.algorithm for record in ring.records}):
        records = [record for record in ring.records if record.algorithm == algorithm]
        for record in records:
            if record.state == state:
                transition = KeyTransition(action=action, key=record.id, why="")
                changed += _applied(ring, records, transition, ring.policy, now)
    return changed


def _applied(
    ring: ObservedRing, records: Sequence[SigningKeyRecord], transition: KeyTransition, policy: KeyPolicy, now: float
) -> Iterable[SigningKeyRecord]:
    before = [policy_record(ring, record) for record in records]
    after = apply_transition(before, transition, policy, now)
    for record, was, is_ in zip(records, before, after, strict=True):
        if was != is_:
            yield _next(record, state=is_.state, since=is_.since)


def policy_record(ring: ObservedRing, record: SigningKeyRecord) -> KeyRecord:
    """What `certs.policy` judges."""
    return KeyRecord(
        id=record.id,
        state=KeyState(record.state),
        not_after=record.not_after,
        since=record.since,
        waiting_for=ring.waiting(record),
    )


def _next(record: SigningKeyRecord, *, state: KeyState, since: float) -> SigningKeyRecord:
    return replace(record, state=state.value, since=since, version=record.version + 1)
