"""A plan: everything that would be done, as far as it can be told beforehand; to be reviewed, saved, and applied later.

    make ──► Plan ──► save ──► load ──► check_current: is what it depends on as it was? ──► start

It remembers by parts what it was made from, so that a refusal can say what has changed. That is looked at when the work
starts; from then on each stage's preconditions do, because the world changes by our own hand. The digest is over everything
that is in it: a plan that was edited after it was made shows. It guards against accidents and against the review of
something else, not against somebody who computes it anew; who may apply a plan may also make one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic

import msgspec

from certs import CertsError, atomic_write
from findings import Finding
from foundation.procedures import planner
from foundation.procedures.errors import PlanOutdated, PlanUnusable
from foundation.procedures.events import StateTypes
from foundation.procedures.model import Act, Condition, Record, StateT, Step
from foundation.procedures.stage import Procedure, Rules, ViewT
from foundation.times import minute

PLAN_VERSION = 3
MAX_PLAN = 8 * 1024 * 1024
"""Bytes of the largest plan that is read: one for a thousand servers has about one million."""
_EDITED = "was changed after it was made (its digest does not fit)"
_HASH = "#"
"""Marks values that are hashes, of which only that they differ can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepData:
    """A step as plain data, for programs and files."""

    kind: str
    stage: str
    number: int
    title: str
    acts: tuple[str, ...]
    postcondition: str
    missing: tuple[str, ...]
    until: float
    reasons: tuple[str, ...]
    ask: tuple[str, ...]
    undo: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[StateT]):
    """What would be done about a subject. Holds no secret."""

    version: int = PLAN_VERSION
    digest: str = ""
    """Short name of the plan, for people who talk about it."""
    kind: str
    table: str
    """`Procedure.table`."""
    subject: str
    title: str
    """What it is, in words: its headline."""
    made_at: float
    made_by: str
    state: StateT
    """What the journal would start with."""
    marks: Mapping[str, str]
    """What it depends on, by part: a value, or a hash (`hashed`)."""
    summary: tuple[str, ...] = ()
    """Lines that stand before the steps."""
    findings: tuple[Finding, ...] = ()
    """Of the preflight."""
    steps: tuple[StepData, ...]
    notes: tuple[str, ...] = ()
    """What is left for people to do."""

    @property
    def failed(self) -> tuple[Finding, ...]:
        """What must be fixed first."""
        return tuple(finding for finding in self.findings if finding.status == "fail")

    @property
    def undo(self) -> tuple[tuple[StepData, tuple[str, ...]], ...]:
        """Steps that a rollback does something about, and what."""
        return tuple((step, step.undo) for step in reversed(self.steps) if step.undo)


def make(
    procedure: Procedure[ViewT],
    observed: Any,
    *,
    subject: str,
    title: str,
    state: StateT,
    marks: Mapping[str, str],
    now: float,
    by: str,
    summary: Sequence[str] = (),
    findings: Sequence[Finding] = (),
    notes: Sequence[str] = (),
    previous: Record[Any] | None = None,
) -> Plan[StateT]:
    """All steps. No steps and no notes where a finding says that it must not be done. `previous`: work that it would end, of
    which an act may be open. Pure."""
    failed = any(finding.status == "fail" for finding in findings)
    record = planner.blank(procedure, subject, state, now)
    steps = () if failed else planner.foresee(procedure, observed, record, now)
    plan = Plan(
        kind=procedure.kind,
        table=procedure.table,
        subject=subject,
        title=title,
        made_at=now,
        made_by=by,
        state=state,
        marks=dict(marks),
        summary=(*summary, *_open_act(previous, now, procedure.rules)),
        findings=tuple(findings),
        steps=tuple(step_data(step) for step in steps),
        notes=() if failed else tuple(notes),
    )
    return replace(plan, digest=_digest(plan))


def _open_act(previous: Record[Any] | None, now: float, rules: Rules) -> tuple[str, ...]:
    if previous is None or previous.begun is None or previous.begun_at + rules.settle <= now:
        return ()
    until = minute(previous.begun_at + rules.settle + 59)  # no earlier than that
    return (
        f"  open     {previous.begun.place}: {previous.begun.act} ({previous.id})",
        f"           may still take effect until {until}: nothing is done before then",
    )


def check_current(plan: Plan[Any], now: Plan[Any]) -> None:
    """Whether a plan that is made anew is still the same. Raises PlanOutdated, which names what differs."""
    if differences := differing(plan, now):
        raise PlanOutdated(plan.subject, differences)


def differing(plan: Plan[Any], now: Plan[Any]) -> tuple[str, ...]:
    """What of the subject is not as it was when the plan was made; empty where it may be applied."""
    if plan.subject != now.subject:
        return (f"the plan is for {plan.subject}, this is {now.subject}",)
    if plan.table != now.table:
        return ("the stages: the plan was made by another release of Isthmus",)
    before, after = plan.marks, now.marks
    found = [_difference(name, before, after) for name in {**before, **after} if before.get(name) != after.get(name)]
    if not found and [(step.stage, step.acts) for step in plan.steps] != [(step.stage, step.acts) for step in now.steps]:
        found.append("the steps: a plan made now would have different steps")
    return tuple(found)


def hashed(value: Any) -> str:
    """A mark for a part that is too large to be shown. `value`: anything that msgspec encodes."""
    return _HASH + hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]


def _difference(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    was, is_ = before.get(name), after.get(name)
    if was is None:
        return f"{name} is new"
    if is_ is None:
        return f"{name} is gone"
    if was.startswith(_HASH):
        return f"{name} has changed"
    return f"{name}: was {was or 'nothing'}, is {is_ or 'nothing'}"


def step_data(step: Step) -> StepData:
    """For programs."""
    return StepData(
        kind=step.kind.value,
        stage=step.stage,
        number=step.number,
        title=step.title,
        acts=_texts(step.acts),
        postcondition=step.promise,
        missing=_texts(step.missing),
        until=step.until,
        reasons=step.reasons,
        ask=step.ask,
        undo=_texts(step.undo),
        notes=step.notes,
    )


def _texts(parts: Sequence[Act | Condition]) -> tuple[str, ...]:
    return tuple(map(str, parts))


# -- files


def save(plan: Plan[Any], path: Path) -> None:
    """To be reviewed, and applied later; readable for others. Raises PlanUnusable where it cannot be written."""
    try:
        atomic_write(path, encode(plan) + b"\n", mode=0o644)
    except CertsError as error:
        raise PlanUnusable(path, str(error)) from error


def load(path: Path, types: StateTypes) -> Plan[Any]:
    """A saved plan. `types`: the states of the procedures that are known, by kind. Raises PlanUnusable."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_PLAN + 1)  # not its size: a device has none, and no end
    except OSError as error:
        raise PlanUnusable(path, f"cannot be read ({error.strerror})") from error
    return decode(text, types, path)


def encode(plan: Plan[Any]) -> bytes:
    """As it is saved, for people to read, and sent."""
    return msgspec.json.format(_text(plan), indent=2)


def decode(text: bytes, types: StateTypes, where: object) -> Plan[Any]:
    """What `encode` made. `types`: as for `load`. `where`: what errors name. Raises PlanUnusable."""
    if len(text) > MAX_PLAN:
        raise PlanUnusable(where, "is too large for a plan")
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PlanUnusable(where, "is not a plan, or is damaged") from error
    version = content.get("version") if isinstance(content, dict) else None
    if not isinstance(content, dict) or version != PLAN_VERSION:
        raise PlanUnusable(where, f"is a plan of version {version!r}; this Isthmus knows {PLAN_VERSION}")
    kind = str(content.get("kind"))
    if kind not in types:
        raise PlanUnusable(where, f"is for {kind!r}, which is not known here")
    plan = _checked(where, content, types[kind])
    # The text too: fields that are unknown, or there twice, are not in what was read, but are in what was reviewed
    if msgspec.json.format(text, indent=-1) != _text(plan):
        raise PlanUnusable(where, _EDITED)
    return plan


def _checked(where: object, content: Any, state: type[Any]) -> Plan[Any]:
    try:
        plan: Plan[Any] = msgspec.convert(content, Plan)
        plan = replace(plan, state=msgspec.convert(plan.state, state))
    except (msgspec.ValidationError, RecursionError) as error:
        raise PlanUnusable(where, f"is not a plan, or is damaged ({error})") from error
    if "digest" not in content:
        raise PlanUnusable(where, "is not a plan, or is damaged (it has no digest)")
    if plan.digest != _digest(plan):
        raise PlanUnusable(where, _EDITED)
    return plan


def _text(plan: Plan[Any]) -> bytes:
    """The one spelling, without white space."""
    return msgspec.json.encode(plan, order="deterministic")


def _digest(plan: Plan[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(replace(plan, digest=""), order="sorted")).hexdigest()[:16]
