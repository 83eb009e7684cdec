"""Plans, and where a rollover stands: as text for people, as plain data for programs, and saved for somebody else."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adfs_mgmt.rollover.errors import PlanUnusable
from adfs_mgmt.rollover.model import Act, Facts, Record, Step, StepKind
from adfs_mgmt.rollover.plan import PLAN_VERSION, Plan
from adfs_mgmt.rollover.tokens import NEW
from certs import CertsError, atomic_write

MAX_PLAN = 8 * 1024 * 1024
"""Bytes of the largest plan that is read: one for a thousand nodes has about one million."""
_ACTS_SHOWN = 12
_PLACES = {"service": "Service-Communications"}
_KINDS = {
    "token": "Rollover of",
    "emergency": "EMERGENCY rollover of",
    "ssl": "New SSL and Service-Communications certificate",
}


def moment(seconds: float) -> str:
    """UTC, to the minute."""
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M}Z"


# -- plans


def plan_text(plan: Plan) -> str:
    """The whole plan."""
    what = " and ".join(plan.facts["uses"].split(",")) if "uses" in plan.facts else ""
    lines = [
        f"{_KINDS[plan.kind]} {what}".rstrip() + f", farm {plan.farm}",
        f"made {moment(plan.made_at)}, plan {plan.digest}",
        "",
    ]
    lines += [*_certificate_lines(plan.facts, "old", "replaces"), *_certificate_lines(plan.facts, "new", "by")]
    for number, step in enumerate(plan.steps, 1):
        lines += ["", *_step_lines(number, step)]
    return "\n".join(lines).replace(NEW, "<new>")


def _certificate_lines(facts: Facts, which: str, lead: str) -> list[str]:
    """Each certificate once, with everything that it is, or will be, there for."""
    places: dict[str, list[str]] = {}
    for name, thumbprint in sorted(facts.items()):
        kind, _, place = name.partition("/")
        if kind == which and thumbprint:
            places.setdefault(thumbprint, []).append(_PLACES.get(place, place.replace("/", " ")))
    return [
        f"  {lead:8} {thumbprint}  {', '.join(each[:_ACTS_SHOWN])}"
        + (f" and {len(each) - _ACTS_SHOWN} more" if len(each) > _ACTS_SHOWN else "")
        for thumbprint, each in places.items()
    ]


def _step_lines(number: int, step: Step) -> list[str]:
    lines = [f"{number:>3}  {step.title}"]
    lines += _act_lines(step.acts, "       do    ")
    lines.append(f"       until {step.promise}")
    lines += _act_lines(step.undo, "       undo  ")
    return lines + [f"       note  {note}" for note in step.notes]


def _act_lines(acts: Sequence[Act], lead: str) -> list[str]:
    lines = [f"{lead}{act}" for act in acts[:_ACTS_SHOWN]]
    if len(acts) > _ACTS_SHOWN:
        lines.append(f"{lead}… and {len(acts) - _ACTS_SHOWN} more of the kind")
    return lines


def plan_data(plan: Plan) -> dict[str, Any]:
    """For programs, and for `save`."""
    return {
        "version": PLAN_VERSION,
        "digest": plan.digest,
        "farm": plan.farm,
        "kind": plan.kind,
        "made_at": plan.made_at,
        "made_by": plan.made_by,
        "facts": dict(plan.facts),
        "fingerprint": dict(plan.fingerprint),
        "steps": [step_data(step) for step in plan.steps],
    }


def step_data(step: Step) -> dict[str, Any]:
    """For programs."""
    return {
        "kind": step.kind.value,
        "stage": step.stage,
        "number": step.number,
        "title": step.title,
        "acts": [str(act) for act in step.acts],
        "postcondition": step.promise,
        "missing": list(step.missing),
        "until": step.until,
        "reasons": list(step.reasons),
        "ask": list(step.ask),
        "undo": [str(act) for act in step.undo],
        "notes": list(step.notes),
    }


def save(plan: Plan, path: Path) -> None:
    """To be reviewed, and applied later. Raises PlanUnusable where it cannot be written."""
    try:
        atomic_write(path, json.dumps(plan_data(plan), indent=2, ensure_ascii=False).encode() + b"\n")
    except CertsError as error:
        raise PlanUnusable(path, str(error)) from error


def load(path: Path) -> Plan:
    """A saved plan, without its steps: those are foreseen anew. Raises PlanUnusable."""
    try:
        if path.stat().st_size > MAX_PLAN:
            raise PlanUnusable(path, "is too large for a plan")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise PlanUnusable(path, f"cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise PlanUnusable(path, "is no plan, or is damaged") from error
    plan = _plan(path, content)
    if "digest" not in content:
        raise PlanUnusable(path, "is no plan, or is damaged")
    if content["digest"] != plan.digest:
        raise PlanUnusable(path, "was changed after it was made (its digest does not fit)")
    return plan


def _plan(path: Path, content: Any) -> Plan:
    if not isinstance(content, dict) or content.get("version") != PLAN_VERSION:
        version = content.get("version") if isinstance(content, dict) else None
        raise PlanUnusable(path, f"is a plan of version {version!r}; this Isthmus knows {PLAN_VERSION}")
    try:
        if content["kind"] not in _KINDS:
            raise PlanUnusable(path, f"is for {content['kind']!r}, which is not known here")
        return Plan(
            farm=str(content["farm"]),
            kind=content["kind"],
            made_at=float(content["made_at"]),
            made_by=str(content["made_by"]),
            facts=_texts(content["facts"]),
            fingerprint=_texts(content["fingerprint"]),
            steps=(),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanUnusable(path, "is no plan, or is damaged") from error


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    if not all(isinstance(each, str) for each in value.values()):
        raise TypeError(value)
    return dict(value)


# -- where it stands


def standing(record: Record, step: Step) -> str:
    """Where the work stands, and what it waits for, in words."""
    if not record.open:
        return f"{record.id} ({record.kind}) is over since {moment(record.finished)}: {record.outcome}."
    way = f", on the way back to {record.back}" if record.back else ""
    lines = [f"{record.id} ({record.kind}), begun {moment(record.started)} by {record.by}{way}"]
    lines += [f"  held   {name:<12} {moment(at)}" for name, at in record.held.items()]
    if record.begun:
        lines.append(f"  open   {record.begun}: begun {moment(record.begun_at)}, its effect is not known yet")
    if record.problem:
        lines.append(f"  last   {record.problem}")
    return "\n".join([*lines, "", *next_lines(step)])


def next_lines(step: Step) -> list[str]:
    """What is next, in words."""
    lines = [_NEXT[step.kind].format(title=step.title, until=moment(step.until) if step.until else "")]
    lines += [f"  - {each}" for each in (step.reasons or step.missing)]
    if step.kind is StepKind.DO:
        lines += [f"      {act}" for act in step.acts[:_ACTS_SHOWN]]
    if step.kind is StepKind.ASK and step.until:
        lines.append(f"  not before {moment(step.until)} in any case")
    return lines + [f"  note: {note}" for note in step.notes]


_NEXT = {
    StepKind.DO: "Next: {title}. `apply` does it:",
    StepKind.NOTE: "Next: {title}. It holds already; `apply` goes on.",
    StepKind.WAIT: "Waiting: {title} {until}",
    StepKind.ASK: "Waiting for a person: {title}",
    StepKind.REFUSE: "Stopped before: {title}",
    StepKind.DONE: "Nothing is left to be done.",
}


def record_data(record: Record) -> dict[str, Any]:
    """For programs."""
    return {
        "id": record.id,
        "kind": record.kind,
        "farm": record.farm,
        "started": record.started,
        "by": record.by,
        "facts": dict(record.facts),
        "held": dict(record.held),
        "begun": record.begun,
        "acknowledged": dict(record.acknowledged),
        "back": record.back,
        "problem": record.problem,
        "finished": record.finished,
        "outcome": record.outcome,
    }
