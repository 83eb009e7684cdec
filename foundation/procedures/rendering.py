"""Plans, and where work stands: as text for people, as plain data for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from foundation.procedures.model import Record, Step, StepKind
from foundation.procedures.plan import Plan, StepData
from foundation.times import minute

_ACTS_SHOWN = 12


def plan_text(plan: Plan[Any]) -> str:
    """The whole plan."""
    found = [plan.title, f"created {minute(plan.made_at)}, plan {plan.digest}"]
    if plan.summary:
        found += ["", *plan.summary]
    for number, step in enumerate(plan.steps, 1):
        found += ["", *_planned(number, step)]
    return "\n".join([*found, *([""] if plan.notes else []), *(f"  - {note}" for note in plan.notes)])


def _planned(number: int, step: StepData) -> list[str]:
    return [
        f"{number:>3}  {step.title}",
        *_acts(step.acts, "       do    "),
        f"       until {step.postcondition}",
        *_acts(step.undo, "       undo  "),
        *(f"       note  {note}" for note in step.notes),
    ]


def _acts(acts: Sequence[str], lead: str) -> list[str]:
    more = len(acts) - _ACTS_SHOWN
    return [*(f"{lead}{act}" for act in acts[:_ACTS_SHOWN]), *([f"{lead}… and {more} more like these"] if more > 0 else [])]


def record_text(record: Record[Any], step: Step, titles: Mapping[str, str]) -> str:
    """Where the work stands, and what it waits for, in words. `titles`: of its stages (`Procedure.titles`)."""
    if not record.open:
        return f"{record.id} ({record.kind}) ended {minute(record.finished)}: {record.outcome}."
    way = f", rolling back to {record.back}" if record.back else ""
    found = [f"{record.id} ({record.kind}), started {minute(record.started)} by {record.by}{way}"]
    found += [f"  {minute(at)}  {titles.get(name, name)}" for name, at in record.completed.items()]
    if record.begun:
        act = f"{record.begun.place}: {record.begun.act}"
        found.append(f"  {minute(record.begun_at)}  started, effect not known yet: {act}")
    if record.problem:
        found.append(f"  stopped: {record.problem}")
    return "\n".join([*found, "", step_text(step)])


def step_text(step: Step) -> str:
    """What is next, in words."""
    found = [_NEXT[step.kind].format(title=step.title, until=f", until {minute(step.until)}" if step.until else "")]
    found += [f"  - {reason}" for reason in (step.reasons or step.missing)]
    if step.kind is StepKind.DO:
        found += [f"      {act}" for act in step.acts[:_ACTS_SHOWN]]
    if step.kind is StepKind.ASK and step.until:
        found.append(f"  no earlier than {minute(step.until)} in any case")
    return "\n".join([*found, *(f"  note: {note}" for note in step.notes)])


_NEXT = {
    StepKind.DO: "Next: {title}. `apply` does this:",
    StepKind.NOTE: "Next: {title}. Nothing needs to be done for it; `apply` continues.",
    StepKind.WAIT: "Waiting: {title}{until}",
    StepKind.ASK: "Action needed: {title}",
    StepKind.REFUSE: "Stopped before: {title}",
    StepKind.DONE: "Nothing is left to do.",
}


def record_data(record: Record[Any]) -> dict[str, Any]:
    """For programs."""
    return {
        "id": record.id,
        "kind": record.kind,
        "subject": record.subject,
        "started": record.started,
        "by": record.by,
        "state": msgspec.to_builtins(record.state),
        "completed": dict(record.completed),
        "begun": str(record.begun or ""),
        "acknowledged": dict(record.acknowledged),
        "back": record.back,
        "problem": record.problem,
        "finished": record.finished,
        "outcome": record.outcome,
    }
