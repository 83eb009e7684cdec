"""The planner: from what is known to the next step, or to all of them. Pure.

    plan(request, snapshot) ──► Plan, shown or saved ──► start: the farm must be as it was ──► journal
    next_step(snapshot, record) ──► one Step             (called again after each, until DONE)

A plan remembers a fingerprint of what it was made from, part by part, so that a refusal can say what has changed. It is
looked at when the work starts; from then on each stage's preconditions do that, because the farm changes by our own hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adfs_mgmt.farm import Node, Proxy
from adfs_mgmt.rollover import beginning, steps_back, steps_emergency, steps_ssl, steps_ssl_back, steps_token, tokens
from adfs_mgmt.rollover.beginning import Request
from adfs_mgmt.rollover.errors import FarmChanged, Refused
from adfs_mgmt.rollover.model import Facts, Record, Snapshot, Step, StepKind
from adfs_mgmt.rollover.stage import RolloverPolicy, Stage, View, next_of, step_of

PLAN_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that would be done, as far as it can be told beforehand."""

    farm: str
    kind: str
    made_at: float
    made_by: str
    facts: Facts
    fingerprint: Mapping[str, str]
    """By part of the farm."""
    steps: tuple[Step, ...]

    @property
    def digest(self) -> str:
        """Short name of the plan, for people who talk about it."""
        return _hash([self.farm, self.kind, dict(self.facts), dict(self.fingerprint)])[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What to write down when nothing is left to be done."""

    outcome: str = ""
    """Empty: the work stays open, turned forward again."""
    forget: tuple[str, ...] = ()


def plan(request: Request, snapshot: Snapshot, policy: RolloverPolicy, now: float, by: str = "") -> Plan:
    """All steps. Raises Refused, with every reason."""
    facts = beginning.facts(request, snapshot, policy, now)
    record = Record(id="", kind=request.kind, farm=snapshot.farm.name, started=now, by=by, facts=facts)
    return Plan(
        farm=snapshot.farm.name,
        kind=request.kind,
        made_at=now,
        made_by=by,
        facts=facts,
        fingerprint=fingerprint(snapshot),
        steps=foresee(snapshot, record, policy, now),
    )


def next_step(snapshot: Snapshot, record: Record, policy: RolloverPolicy, now: float) -> Step:
    """The one that is next."""
    view = View(snapshot, record, agreed(record.facts, policy), now)
    return next_of(stages(view), view)


def standing_at(snapshot: Snapshot, record: Record, policy: RolloverPolicy, now: float) -> Step:
    """The next step that is not merely to be written down: where it really stands, for people."""
    step = next_step(snapshot, record, policy, now)
    while step.kind is StepKind.NOTE:
        held, facts = {**record.held, step.stage: now}, {**record.facts, **step.facts}
        record = replace(record, held=held, facts=facts, begun="", begun_at=0.0)
        step = next_step(snapshot, record, policy, now)
    return step


def agreed(facts: Facts, policy: RolloverPolicy) -> RolloverPolicy:
    """The policy with the waiting times that were agreed on when the work began."""
    keys = policy.keys
    publish_for = float(facts.get("publish_for", keys.publish_for))
    retire_after = float(facts.get("retire_after", keys.retire_after))
    return replace(policy, keys=replace(keys, publish_for=publish_for, retire_after=retire_after))


def supersede(facts: Facts, previous: Record | None) -> Facts:
    """An emergency in the middle of a planned rollover: the value of AutoCertificateRollover is the one before both."""
    if previous is None or not previous.open or "auto" not in previous.facts:
        return facts
    return {**facts, "auto": previous.facts["auto"], "auto_after": previous.facts["auto"]}


def foresee(snapshot: Snapshot, record: Record, policy: RolloverPolicy, now: float) -> tuple[Step, ...]:
    """Every stage that is left, with what it would do if those before it did what they should.

    A certificate that AD FS has yet to make stands there as zeros.
    """
    unknown = {f"new/{use}": tokens.NEW for use in record.facts.get("uses", "").split(",") if use}
    rules = agreed(record.facts, policy)
    view = View(snapshot, replace(record, facts={**unknown, **record.facts}), rules, now)
    real = View(snapshot, record, rules, now)
    found = []
    for stage in stages(view):
        if stage.name in record.held or not stage.applies(view):
            continue
        acts = stage.acts(real) if stage.name == "create" else (stage.foresees or stage.acts)(view)
        found.append(
            step_of(stage, view, StepKind.DO, acts=acts, undo=stage.undo(view), until=stage.until(view) if acts else 0.0)
        )
    return tuple(found)


def stages(view: View) -> tuple[Stage, ...]:
    """The rows of what is under way."""
    if view.record.kind == "emergency":
        return steps_emergency.STAGES
    if view.record.kind == "ssl":
        return steps_ssl_back.STAGES if view.record.back else steps_ssl.FORWARD
    return steps_back.STAGES if view.record.back else steps_token.stages(view)


def conclude(record: Record) -> Conclusion:
    """What it means that nothing is left to be done."""
    if record.back == "published":
        return Conclusion(forget=(*steps_token.AGAIN_AFTER_ROLLBACK, *steps_back.NAMES))
    return Conclusion(outcome="rolled back" if record.back else "done")


def turn_back(record: Record, to: str) -> tuple[str, ...]:
    """What a rollback makes forgotten when it begins. Raises Refused where there is no way back."""
    what = f"rolling back {record.id}"
    if record.kind == "emergency":
        raise Refused(what, ["an emergency rollover has no way back: the old certificates are gone"])
    if record.kind == "token" and any(name.startswith("remove: ") for name in record.tries):
        raise Refused(
            what, ["the old certificate is being removed or is gone, so there is no way back; apply finishes the rest"]
        )
    if record.kind == "ssl" and to == "published":
        raise Refused(what, ["an SSL certificate is never just published; roll back to the start"])
    return steps_back.NAMES if record.kind == "token" else tuple(stage.name for stage in steps_ssl_back.STAGES)


def check_way_back(snapshot: Snapshot, record: Record, to: str, policy: RolloverPolicy, now: float) -> None:
    """Whether what it leads to is still worth something: looked at before a rollback begins. Raises Refused."""
    view = View(snapshot, replace(record, back=to), agreed(record.facts, policy), now)
    reasons = steps_ssl_back.no_use(view) if record.kind == "ssl" else steps_back.no_use(view)
    if reasons:
        raise Refused(f"rolling back {record.id}", reasons)


def turn_forward(record: Record) -> tuple[str, ...]:
    """What is forgotten when a rollback is given up half-way: every stage that it may have undone. Raises Refused."""
    if not record.back:
        raise Refused(f"giving up the rollback of {record.id}", ["it is not on its way back; nothing is to be given up"])
    if record.kind == "ssl":
        return tuple(stage.name for stage in (*steps_ssl.FORWARD, *steps_ssl_back.STAGES))
    if any(name.startswith("unadd: ") for name in record.tries):
        raise Refused(
            f"giving up the rollback of {record.id}", ["the new certificate is leaving the farm; apply finishes the rest"]
        )
    return (*steps_token.AGAIN_AFTER_ROLLBACK, *steps_back.NAMES)


# -- has the farm changed?


def fingerprint(snapshot: Snapshot) -> dict[str, str]:
    """By part. What changes by itself (times, skews, errors) is left out."""
    farm = snapshot.farm
    parts: dict[str, Any] = {"properties": _plain(farm.properties)}
    parts |= {f"node {node.host}": _node(node) for node in farm.nodes}
    parts |= {f"proxy {proxy.host}": _proxy(proxy) for proxy in farm.proxies}
    parts |= {f"relying party {each.name}": [each.identifiers, each.enabled] for each in farm.relying_parties}
    parts |= {f"domain {each.name}": sorted(each.certificates) for each in snapshot.domains}
    parts |= {f"partner {each.name}": [each.kind.value, each.refresh] for each in snapshot.partners}
    return {name: _hash(part)[:16] for name, part in parts.items()}


def check_unchanged(made: Plan, snapshot: Snapshot) -> None:
    """Raise FarmChanged where a part is not what it was."""
    now, before = fingerprint(snapshot), made.fingerprint
    differences = [f"{name} is new" for name in now if name not in before]
    differences += [f"{name} is gone" for name in before if name not in now]
    differences += [f"{name} is not what it was" for name in now if name in before and now[name] != before[name]]
    if made.farm != snapshot.farm.name:
        differences = [f"the plan is for farm {made.farm}, this is {snapshot.farm.name}"]
    if differences:
        raise FarmChanged(snapshot.farm.name, differences)


def _node(node: Node) -> list[Any]:
    return [
        node.fqdn,
        node.role.value if node.role else "",
        node.service_account,
        sorted((row.use.value, row.certificate.thumbprint, row.is_primary) for row in node.certificates),
        sorted((row.certificate.thumbprint, row.key.value, row.cng) for row in node.stored),
        sorted((row.host_name, row.port, row.thumbprint) for row in node.bindings),
    ]


def _proxy(proxy: Proxy) -> list[Any]:
    return [
        sorted((row.host_name, row.port, row.thumbprint) for row in proxy.bindings),
        sorted((each.id, each.external_url, each.thumbprint) for each in proxy.applications),
    ]


def _plain(value: Any) -> list[str]:
    return [f"{name}={getattr(value, name)!r}" for name in value.__slots__]


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
