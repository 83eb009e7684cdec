"""A private key may be known to somebody else: every key of its ring is replaced now. Pure.

    make (and publish) ─► spread ─► replace

Nobody is waited for but the relay's own nodes. Applications that read the keys by themselves follow when their copy ends;
the others sign nobody in until somebody there has installed the new certificate. There is no way back.
"""

from __future__ import annotations

from certs import KeyState, PartnerKind
from foundation.procedures import Act, Condition, Procedure, Stage, label, planned
from foundation.times import second
from gateway.federation.keys.rollover.acts import MakeKey, ReplaceKeys
from gateway.federation.keys.rollover.stages import KIND, RULES
from gateway.federation.keys.rollover.state import RingEmergencyState, RolloverStages

EMERGENCY = "signing keys emergency"


def _made(view: RolloverStages) -> list[Condition]:
    there = {record.algorithm for record in view.new}
    return [
        Condition.of(name in there, "", f"there is no new {name} key", Act(place="keys", what=MakeKey(name, published=True)))
        for name in view.algorithms
    ]


def _spread(view: RolloverStages) -> list[Condition]:
    until = _known_everywhere(view)
    return [Condition.of(view.now >= until, "", f"every node knows the new keys from {second(until)} on")]


def _known_everywhere(view: RolloverStages) -> float:
    return max((record.created_at for record in view.new), default=view.now) + view.observed.settings.lead


def _replaced(view: RolloverStages) -> list[Condition]:
    over = not view.old and all(record.state == KeyState.ACTIVE for record in view.new)
    return [Condition.of(over, "", "the old keys are accepted", _replacing(view))]


def _replacing(view: RolloverStages) -> Act:
    return Act(place="keys", what=ReplaceKeys(view.state.replaces))


def _who_breaks(view: RolloverStages) -> list[str]:
    return [
        f"{partner.name} signs nobody in until its new certificate is installed"
        + (f" (contact: {partner.contact})" if partner.contact else "")
        for partner in view.observed.ledger.partners
        if partner.kind is not PartnerKind.AUTOMATIC
    ]


STAGES: tuple[Stage[RolloverStages], ...] = (
    Stage(
        **label("make", "make and publish new keys", "the ring has a new key for each algorithm", 1),
        conditions=_made,
    ),
    Stage(
        **label("spread", "wait for the nodes", "every node knows the new keys", 2),
        conditions=_spread,
        foresees=lambda _view: [],
        until=_known_everywhere,
    ),
    Stage(
        **label("replace", "replace the old keys (no way back)", "nothing that the old keys have signed is accepted", 3),
        conditions=_replaced,
        foresees=lambda view: planned([_replacing(view)]),
        notes=_who_breaks,
        final="the old keys are deleted",
    ),
)

PROCEDURE: Procedure[RolloverStages] = Procedure(
    kind=EMERGENCY,
    state=RingEmergencyState,
    stages=STAGES,
    view=lambda observed, record, now: RolloverStages(observed, record, now),
    no_rollback="the old keys may be known to somebody else",
    supersedes={KIND: "superseded by an emergency"},
    rules=RULES,
)
