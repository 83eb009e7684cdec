"""When a token certificate may be promoted and retired: which partners know it, and what the policy says. Pure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from adfs_mgmt.farm import Use
from adfs_mgmt.procedures.token.certificates import primary_of
from adfs_mgmt.procedures.token.state import TokenRolloverView
from certs import (
    KeyAction,
    KeyPolicy,
    KeyRecord,
    KeyState,
    KeyTransition,
    PartnerKind,
    RolloverRefused,
    apply_transition,
    due_transitions,
)
from foundation.times import DAY


def lagging(view: TokenRolloverView[Any]) -> dict[str, str]:
    """Known partners that do not know the new certificate, and why we think so. Unknown ones hold nothing up."""
    if not view.signing:
        return {}
    new = view.new(Use.SIGNING)
    late = {
        f"domain {domain.name}": "Entra ID does not have it"
        for domain in view.observed.domains
        if new not in domain.certificates
    }
    for partner in view.observed.partners:
        told = new in partner.knows or partner.name in view.record.acknowledged
        if partner.kind is PartnerKind.MANUAL and not told:
            late[partner.name] = "not acknowledged yet"
    return late


def questions(view: TokenRolloverView[Any]) -> dict[str, str]:
    """What people must say before promotion, unless the old certificate is about to end."""
    if critical(view):
        return {}
    manual = {partner.name for partner in view.observed.partners}
    return {
        name: f"Tell {name} about the new certificate, then acknowledge it ({why})"
        for name, why in lagging(view).items()
        if name in manual
    }


def not_due(view: TokenRolloverView[Any], action: KeyAction) -> list[str]:
    """Why promotion or retirement must not be done now, for each certificate that it has not been done to yet."""
    wrong = []
    for use in view.uses:
        key = view.new(use) if action is KeyAction.PROMOTE else view.old(use)
        records, rules = _keys(view, use), _policy(view, use)
        if any(step.action is action and step.key == key for step in due_transitions(records, rules, view.now)):
            continue
        try:
            apply_transition(records, KeyTransition(action=action, key=key, why=""), rules, view.now)
        except RolloverRefused as refused:
            if action is KeyAction.PROMOTE and records[1].state is KeyState.ACTIVE:
                continue
            wrong.append(f"{use.value}: {refused.problem}")
        else:
            wrong.append(f"{use.value}: the required waiting period is not over yet")
    return wrong


def promotion_at(view: TokenRolloverView[Any]) -> float:
    """When partners will have had their time."""
    return max((_published_at(view) + _policy(view, use).publish_for for use in view.uses), default=0.0)


def retirement_at(view: TokenRolloverView[Any]) -> float:
    """When nothing that the old certificate signed is accepted any more."""
    return view.record.completed.get("serve", view.now) + view.policy.keys.retire_after


def critical(view: TokenRolloverView[Any]) -> bool:
    """Whether an old certificate is about to end, so that waiting for partners no longer helps them."""
    return any(view.now >= _end(view, view.old(use)) - view.policy.keys.critical for use in view.uses)


def _policy(view: TokenRolloverView[Any], use: Use) -> KeyPolicy:
    """The policy, with a waiting time that is at least the slowest partner's refresh.

    Nobody needs a new token-decrypting certificate in advance: the old one keeps decrypting.
    """
    if use is not Use.SIGNING:
        return replace(view.policy.keys, publish_for=0.0)
    automatic = (partner.refresh for partner in view.observed.partners if partner.kind is PartnerKind.AUTOMATIC)
    return replace(view.policy.keys, publish_for=max(view.policy.keys.publish_for, max(automatic, default=0.0)))


def _published_at(view: TokenRolloverView[Any]) -> float:
    """When the last partner that we can tell had been told."""
    return max(view.record.completed.get("appear", math.inf), view.record.completed.get("publish", 0.0))


def _keys(view: TokenRolloverView[Any], use: Use) -> list[KeyRecord]:
    """Old and new, in the words of the state machine that every key has."""
    promoted = view.record.completed.get("serve", 0.0)
    in_use = primary_of(view.farm.primary, use) == view.new(use)
    published = _published_at(view)
    waiting = frozenset(lagging(view)) if use is Use.SIGNING else frozenset()
    old = KeyRecord(
        id=view.old(use),
        state=KeyState.RETIRING if in_use else KeyState.ACTIVE,
        not_after=_end(view, view.old(use)),
        since=promoted or view.now,
    )
    new = KeyRecord(
        id=view.new(use),
        state=KeyState.ACTIVE if in_use else KeyState.PUBLISHED if published < math.inf else KeyState.NEXT,
        not_after=_end(view, view.new(use)),
        since=promoted if in_use else published,
        waiting_for=frozenset() if in_use else waiting,
    )
    return [old, new]


def _end(view: TokenRolloverView[Any], thumbprint: str) -> float:
    """Infinity where it is not known: never a reason to hurry."""
    certificate = view.observed.certificate(thumbprint)
    return certificate.left(0.0) if certificate else math.inf


# -- what plans say about it


def waiting_note(view: TokenRolloverView[Any]) -> list[str]:
    """How long partners get."""
    longest = max(_policy(view, use).publish_for for use in view.uses)
    return [f"at least {longest / DAY:g} days from publication"]


def hurry_note(view: TokenRolloverView[Any]) -> list[str]:
    """For whom nothing waits any more."""
    late = lagging(view)
    if late and critical(view):
        return [f"the old certificate is about to expire, so this no longer waits for {', '.join(late)}"]
    return []


def partner_notes(view: TokenRolloverView[Any]) -> list[str]:
    """Who is to be told by a person, and of whom nobody knows."""
    if not view.signing:
        return []
    partners, late = view.observed.partners, lagging(view)
    unknown = [partner.name for partner in partners if partner.kind is PartnerKind.UNKNOWN]
    manual = [partner.name for partner in partners if partner.kind is PartnerKind.MANUAL and partner.name in late]
    notes = []
    if manual:
        notes.append(f"partners that you must notify yourself: {', '.join(manual)}")
    if unknown:
        notes.append(
            f"it is not known how these partners get a new certificate, so this does not wait for them: {', '.join(unknown)}"
        )
    return notes
