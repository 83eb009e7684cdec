"""What happens to an account whose person has left: disabled, soft-deleted, deleted, each after its own grace. Pure.

    ACTIVE ──disable──► DISABLED ──soft_delete──► SOFT_DELETED ──delete──► DELETED
      ▲                     │                          │
      └──────enable─────────┴─────────restore──────────┘     a return within the grace: the same account

One step is taken in a run, so that a clock that jumps cannot take an account through all of them. The grace of a step that
a target does not have is waited out all the same: whoever sets 30 days between two steps wants 30 days to notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Struct

from foundation.times import DAY
from settings import Bounds
from sync.model import AccountState, ConfirmedAccount, OperationKind

_AFTER: Final = {
    OperationKind.DISABLE: AccountState.ACTIVE,
    OperationKind.SOFT_DELETE: AccountState.DISABLED,
    OperationKind.DELETE: AccountState.SOFT_DELETED,
}
"""Each step, and the state that it follows."""
_STATES: Final = tuple(AccountState)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPolicy:
    """Steps of a deletion, and the grace before each."""

    disable: bool = True
    """Whether accounts are disabled when their person has left."""
    disable_after: Annotated[float, Bounds(zero=True)] = 0.0
    """Grace before an account is disabled, in seconds since its person left. 0: in the same run."""
    soft_delete: bool = True
    """Whether accounts are soft-deleted, where the target can."""
    soft_delete_after: Annotated[float, Bounds(zero=True)] = 30 * DAY
    """Grace before an account is soft-deleted, in seconds since it was disabled."""
    delete: bool = False
    """Whether accounts are deleted permanently. Off: nothing that cannot be restored is done unless somebody asks for it."""
    delete_after: Annotated[float, Bounds(zero=True)] = 30 * DAY
    """Grace before an account is deleted, in seconds since it was soft-deleted."""


class DeletionStep(Struct, frozen=True):
    """The next step, and when it is due."""

    kind: OperationKind
    due: float
    """Unix seconds."""


def next_step(
    policy: DeletionPolicy, account: ConfirmedAccount, left: float, *, supported: frozenset[OperationKind]
) -> DeletionStep | None:
    """What comes next for an account whose person left at `left` (Unix seconds). supported: what the target can do with
    accounts of this kind. None: it stays as it is."""
    # An account may have been disabled or soft-deleted long before its person left: the grace begins when the person leaves
    due = max(left, account.since)
    for kind, state in _AFTER.items():
        wanted, grace = _rule(policy, kind)
        if _STATES.index(account.state) > _STATES.index(state) or not wanted:
            continue
        due += grace
        if kind in supported:
            return DeletionStep(kind, due)
    return None


def due_step(
    policy: DeletionPolicy, account: ConfirmedAccount, left: float, now: float, *, supported: frozenset[OperationKind]
) -> OperationKind | None:
    """The step that this run takes."""
    step = next_step(policy, account, left, supported=supported)
    return step.kind if step is not None and step.due <= now else None


def _rule(policy: DeletionPolicy, kind: OperationKind) -> tuple[bool, float]:
    if kind is OperationKind.DISABLE:
        return policy.disable, policy.disable_after
    if kind is OperationKind.SOFT_DELETE:
        return policy.soft_delete, policy.soft_delete_after
    return policy.delete, policy.delete_after
