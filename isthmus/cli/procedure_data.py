"""Plans, records and results as plain data for programs: the keys of `--json`, which stay what they were.

`subject` is the key of what the work is about, such as `farm`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from foundation.procedures import Plan, Record, RunResult, Step, step_data


def plan_data(plan: Plan[Any], subject: str) -> dict[str, Any]:
    """What would be done, and for which observed state."""
    return {
        "version": plan.version,
        "digest": plan.digest,
        subject: plan.subject,
        "kind": plan.kind,
        "made_at": plan.made_at,
        "made_by": plan.made_by,
        "facts": _facts(plan.state),
        "fingerprint": dict(plan.marks),
        "steps": plan.steps,
    }


def record_data(record: Record[Any], subject: str) -> dict[str, Any]:
    """Of what a journal says."""
    return {
        "id": record.id,
        "kind": record.kind,
        subject: record.subject,
        "started": record.started,
        "by": record.by,
        "facts": _facts(record.state),
        "held": dict(record.completed),
        "begun": str(record.begun or ""),
        "acknowledged": dict(record.acknowledged),
        "back": record.back,
        "problem": record.problem,
        "finished": record.finished,
        "outcome": record.outcome,
    }


def standing_data(standing: tuple[Record[Any], Step] | None, subject: str) -> dict[str, Any]:
    """Where work stands; None where none was ever started."""
    if standing is None:
        return {"record": None, "step": None}
    return {"record": record_data(standing[0], subject), "step": step_data(standing[1])}


def result_data(result: RunResult, subject: str) -> dict[str, Any]:
    """How a run ended."""
    return {
        "end": result.end.value,
        "problem": result.problem,
        "step": step_data(result.step),
        "record": record_data(result.record, subject),
    }


def _facts(state: Any) -> dict[str, str]:
    """What a procedure remembers, flat: `old/Token-Signing`; lists with commas, yes and no."""
    found: dict[str, str] = {}
    _flatten("", msgspec.to_builtins(state), found)
    return found


def _flatten(name: str, value: Any, found: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, part in value.items():
            _flatten(f"{name}/{key}" if name else str(key), part, found)
    elif isinstance(value, list | tuple):
        found[name] = ",".join(map(str, value))
    elif value is not None:
        found[name] = ("yes" if value else "no") if isinstance(value, bool) else str(value)
