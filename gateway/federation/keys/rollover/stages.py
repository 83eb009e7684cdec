"""The planned rollover of a ring. Pure.

    make ─► publish ─► notice ─► promote ─► switch ─► retire
     ▲                   ▲          │
     │                   └──────────┤ rollback --to published (then forward again, after the same notice)
     └──────────────────────────────┘ rollback --to start

`notice` waits for partners: a time for those that read by themselves, an acknowledgement from those where somebody installs
the key by hand. Close to the end of a key in use nobody is waited for. The moment at which the new keys sign lies ahead by
more than any node is without news, so that all of them change in the same one.
"""

from __future__ import annotations

from typing import Any

from certs import KeyState, PartnerKind
from foundation.procedures import Act, Condition, Procedure, Record, Rollback, Rules, Stage, label, planned
from foundation.times import second
from gateway.federation.keys.rollover.acts import (
    MakeKey,
    PromoteKeys,
    PublishKeys,
    RestoreKeys,
    RetireKeys,
    WithdrawKeys,
)
from gateway.federation.keys.rollover.state import ObservedRing, RingState, RolloverStages, latest

KIND = "signing keys"
START, PUBLISHED = "start", "published"
RULES = Rules(settle=0.0, tries=10)
"""An act is one transaction under a fencing number: one that was interrupted either shows, or can never take effect."""

_PUBLISH, _PROMOTE, _RETIRE, _RESTORE, _WITHDRAW = (
    Act(place="keys", what=what) for what in (PublishKeys(), PromoteKeys(), RetireKeys(), RestoreKeys(), WithdrawKeys())
)


def _made(view: RolloverStages) -> list[Condition]:
    there = {record.algorithm for record in view.new}
    return [
        Condition.of(name in there, "", f"there is no new {name} key", Act(place="keys", what=MakeKey(name)))
        for name in view.algorithms
    ]


def _published(view: RolloverStages) -> list[Condition]:
    hidden = any(record.state == KeyState.NEXT for record in view.new)
    return [Condition.of(not hidden, "", "the new keys are known to nobody", _PUBLISH)]


def _noticed(view: RolloverStages) -> list[Condition]:
    if view.now >= view.critical_at:
        return []
    until = view.noticed_at
    waiting = sorted({name for record in view.new for name in view.observed.waiting(record)})
    return [
        Condition.of(view.now >= until, "", f"applications have until {second(until)} to read the new keys"),
        *(Condition("", f"{name} has not acknowledged the new keys{_contact(view, name)}") for name in waiting),
    ]


def _contact(view: RolloverStages, name: str) -> str:
    contact = view.observed.ledger.partner(name).contact
    return f" (contact: {contact})" if contact else ""


def _notice_ends(view: RolloverStages) -> float:
    return view.noticed_at if view.now < view.noticed_at < view.critical_at else view.critical_at


def _who_learns(view: RolloverStages) -> list[str]:
    """While it is planned, also who must be waited for, and how long; once it runs, its conditions say that."""
    return [*([] if view.new else _awaited(view)), *_unknown(view)]


def _awaited(view: RolloverStages) -> list[str]:
    ledger, days = view.observed.ledger, view.observed.policy.publish_for / 86400
    names = sorted(partner.name for partner in ledger.partners if partner.kind is PartnerKind.MANUAL)
    return [f"the new keys are published for {days:.3g} days before they sign"] + [
        f"{name} is waited for until the new certificate is installed there and acknowledged: "
        f"isthmus certs acknowledge {ledger.farm} --trust {name}{_contact(view, name)}"
        for name in names
    ]


def _unknown(view: RolloverStages) -> list[str]:
    return [
        f"nobody has said how {name} learns of new keys (keys.learns of its trust); it is not waited for"
        for name in view.observed.ledger.unknown
    ]


def _promoted(view: RolloverStages) -> list[Condition]:
    unused = any(record.state != KeyState.ACTIVE for record in view.new)
    return [Condition.of(not unused, "", "the new keys do not sign", _PROMOTE)]


def _switched(view: RolloverStages) -> list[Condition]:
    moment = latest(view.new)
    return [Condition.of(view.now >= moment, "", f"every node signs with the new keys from {second(moment)} on")]


def _retired(view: RolloverStages) -> list[Condition]:
    if not view.old:
        return [Condition("", "", _RETIRE)]
    over = view.now >= _retire_at(view)
    return [Condition("", f"the old keys are published until {second(_retire_at(view))}", _RETIRE if over else None)]


def _retire_at(view: RolloverStages) -> float:
    return latest(view.old) + view.observed.settings.retire_after


def _restored(view: RolloverStages) -> list[Condition]:
    replaced = any(record.state == KeyState.RETIRING for record in view.old)
    return [Condition.of(not replaced, "", "the old keys do not sign", _RESTORE)]


def _withdrawn(view: RolloverStages) -> list[Condition]:
    return [Condition.of(not view.new, "", "the new keys are still there", _WITHDRAW)]


def _harm(view: RolloverStages) -> list[str]:
    ended = [record for record in view.old if record.not_after <= view.now]
    return [f"key {record.id} ended {second(record.not_after)}: nobody would accept it" for record in ended]


STAGES: tuple[Stage[RolloverStages], ...] = (
    Stage(
        **label("make", "make new keys", "the ring has a new key for each algorithm", 1),
        conditions=_made,
        back=Stage(
            **label("withdraw", "withdraw the new keys", "the new keys are deleted"),
            conditions=_withdrawn,
            foresees=lambda _view: planned([_WITHDRAW]),
            applies=lambda view: view.record.back in {"", START},
        ),
    ),
    Stage(
        **label("publish", "publish the new keys", "key set and metadata have the new keys beside the old ones", 2),
        conditions=_published,
        foresees=lambda _view: planned([_PUBLISH]),
    ),
    Stage(
        **label("notice", "wait for the applications", "every application has had the time to learn of the new keys", 3),
        conditions=_noticed,
        foresees=lambda _view: [],
        until=_notice_ends,
        notes=_who_learns,
    ),
    Stage(
        **label("promote", "sign with the new keys", "the new keys are to sign from one moment on, on every node", 4),
        conditions=_promoted,
        foresees=lambda _view: planned([_PROMOTE]),
        back=Stage(
            **label("restore", "sign with the old keys again", "the old keys sign"),
            conditions=_restored,
            foresees=lambda _view: planned([_RESTORE]),
        ),
    ),
    Stage(
        **label("switch", "wait for that moment", "the new keys sign", 5),
        conditions=_switched,
        foresees=lambda _view: [],
        until=lambda view: latest(view.new),
    ),
    Stage(
        **label("retire", "delete the old keys", "nothing that the old keys have signed is accepted any more", 6),
        conditions=_retired,
        foresees=lambda _view: planned([_RETIRE]),
        until=_retire_at,
        final="the old keys are deleted",
    ),
)


def _view(observed: Any, record: Record[Any], now: float) -> RolloverStages:
    return RolloverStages(observed, record, now)


PROCEDURE: Procedure[RolloverStages] = Procedure(
    kind=KIND,
    state=RingState,
    stages=STAGES,
    view=_view,
    rollbacks=(Rollback(to=PUBLISHED, reopens=True), Rollback(to=START)),
    undone=("notice", "promote", "switch"),
    harm=_harm,
    rules=RULES,
)

__all__ = ["KIND", "PROCEDURE", "PUBLISHED", "RULES", "START", "ObservedRing"]
