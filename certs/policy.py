"""When a key rolls over: one pure state machine for every key that does.

    next ──publish──► published ──promote──► active ──supersede──► retiring ──retire──► retired
                          ▲                    │ ▲                    │
                          │                    │ └─────rollback───────┘
                          └────────────────────┘ (the one it replaces goes back to published)

`next`       made, known to nobody else.
`published`  partners are told; they need time to notice.
`active`     signs (or decrypts) now. There is never more than one, and never none once there was one.
`retiring`   was active; still accepted, so that a rollback is possible and old tokens verify.
`retired`    final.

`due_transitions` says what should happen now and why; `apply_transition` does it to the records. Nothing here reads a
clock or a file.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from certs.errors import RolloverRefused


class KeyState(enum.StrEnum):
    """Where a key stands."""

    NEXT = "next"
    PUBLISHED = "published"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One key. Times are Unix seconds."""

    id: str
    state: KeyState
    not_after: float
    since: float
    """When it came into its state."""
    waiting_for: frozenset[str] = frozenset()
    """Partners that must acknowledge before it may be promoted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPolicy:
    """Seconds, all of them."""

    create_before: float = 20 * 86400.0
    """How long before the active key's end its successor is made (AD FS: 20 days)."""
    publish_for: float = 5 * 86400.0
    """How long a key is published before it is promoted; at least the slowest partner's refresh (AD FS: 5 days)."""
    retire_after: float = 2 * 86400.0
    """How long a replaced key is still accepted; at least the longest life of what it signed."""
    critical: float = 2 * 86400.0
    """This close to the active key's end a published successor is promoted whatever partners say (AD FS: 2 days)."""


class KeyAction(enum.StrEnum):
    """What can be done to a key."""

    CREATE = "create"
    PUBLISH = "publish"
    PROMOTE = "promote"
    RETIRE = "retire"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTransition:
    """Something that is due: to `key` (empty for CREATE), and why."""

    action: KeyAction
    key: str = ""
    why: str


def active_key(keys: Sequence[KeyRecord]) -> KeyRecord | None:
    """The one that is in use. Raises RolloverRefused where there are two: contradictory data is never guessed at."""
    active = [key for key in keys if key.state is KeyState.ACTIVE]
    if len(active) > 1:
        raise RolloverRefused(active[1].id, "use", f"{active[0].id} is active too")
    return active[0] if active else None


def due_transitions(keys: Sequence[KeyRecord], policy: KeyPolicy, now: float) -> list[KeyTransition]:
    """What should be done now, in order. Empty where all is well. Applying one makes it not due any more."""
    active = active_key(keys)
    transitions = [
        KeyTransition(action=KeyAction.RETIRE, key=key.id, why="nobody needs what it signed any more")
        for key in keys
        if key.state is KeyState.RETIRING and now >= key.since + policy.retire_after
    ]
    coming = [key for key in keys if key.state in {KeyState.NEXT, KeyState.PUBLISHED}]
    if not coming:
        if active is None:
            return [*transitions, KeyTransition(action=KeyAction.CREATE, why="there is no key")]
        if now >= active.not_after - policy.create_before:
            return [*transitions, KeyTransition(action=KeyAction.CREATE, why="the active key ends soon")]
        return transitions
    return [*transitions, *_advance(coming[0], active, policy, now)]


def _advance(coming: KeyRecord, active: KeyRecord | None, policy: KeyPolicy, now: float) -> list[KeyTransition]:
    if coming.state is KeyState.NEXT:
        return [KeyTransition(action=KeyAction.PUBLISH, key=coming.id, why="partners must learn of it before it is used")]
    if active is None:
        return [KeyTransition(action=KeyAction.PROMOTE, key=coming.id, why="no key is active")]
    if now >= active.not_after - policy.critical:
        return [KeyTransition(action=KeyAction.PROMOTE, key=coming.id, why="the active key is about to end")]
    if now >= coming.since + policy.publish_for and not coming.waiting_for:
        return [KeyTransition(action=KeyAction.PROMOTE, key=coming.id, why="partners had the time to notice it")]
    return []


def apply_transition(keys: Sequence[KeyRecord], transition: KeyTransition, policy: KeyPolicy, now: float) -> list[KeyRecord]:
    """Return the records after a transition. Raises RolloverRefused for one that the state does not allow.

    CREATE is the caller's (it makes a key): append its record in state NEXT.
    """
    records = {key.id: key for key in keys}
    key = records.get(transition.key)
    if key is None:
        raise RolloverRefused(transition.key, transition.action.value, "no such key")
    active = active_key(keys)
    if transition.action is KeyAction.PUBLISH:
        _require(key, transition, KeyState.NEXT)
        records[key.id] = replace(key, state=KeyState.PUBLISHED, since=now)
    elif transition.action is KeyAction.PROMOTE:
        _check_promotion(key, transition, active, policy, now)
        if active is not None:
            records[active.id] = replace(active, state=KeyState.RETIRING, since=now)
        records[key.id] = replace(key, state=KeyState.ACTIVE, since=now)
    elif transition.action is KeyAction.ROLL_BACK:
        _require(key, transition, KeyState.RETIRING)
        if active is not None:
            records[active.id] = replace(active, state=KeyState.PUBLISHED, since=now)
        records[key.id] = replace(key, state=KeyState.ACTIVE, since=now)
    elif transition.action is KeyAction.RETIRE:
        _require(key, transition, KeyState.RETIRING)
        records[key.id] = replace(key, state=KeyState.RETIRED, since=now)
    else:
        raise RolloverRefused(transition.key, transition.action.value, "a key is made by its owner, not by the policy")
    return [records[key.id] for key in keys]


def acknowledge(key: KeyRecord, partner: str) -> KeyRecord:
    """A partner said that it knows the key."""
    return replace(key, waiting_for=key.waiting_for - {partner})


def _require(key: KeyRecord, transition: KeyTransition, state: KeyState) -> None:
    if key.state is not state:
        raise RolloverRefused(key.id, transition.action.value, f"it is {key.state.value}, not {state.value}")


def _check_promotion(
    key: KeyRecord, transition: KeyTransition, active: KeyRecord | None, policy: KeyPolicy, now: float
) -> None:
    _require(key, transition, KeyState.PUBLISHED)
    if active is None or now >= active.not_after - policy.critical:
        return
    if key.waiting_for:
        raise RolloverRefused(key.id, transition.action.value, f"not acknowledged by {', '.join(sorted(key.waiting_for))}")
    if now < key.since + policy.publish_for:
        wait = key.since + policy.publish_for - now
        raise RolloverRefused(key.id, transition.action.value, f"partners need {wait:.0f} s more to pick it up")
