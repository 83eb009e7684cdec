"""Issued claims as lines of text, for whoever runs the relay. Pure.

Values are as they are: what a terminal may be shown of them is for whoever writes to one.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.federation.claims.model import ClaimStep, IssuedClaims, Value
from gateway.federation.claims.subjects import SUBJECT

_WORDS: Mapping[str, str] = {"cut": "cut", "refused": "refused"}
"""Outcomes that are more than that a claim is not issued."""
_MOST = 10
"""Values of a claim that one line has room for."""


def explain(issued: IssuedClaims) -> list[str]:
    """Line by line what is issued and why, what is not and why not; the refusal first, where there is one."""
    lines = [f"no sign-in to this application: {issued.refused}"] if issued.refused else []
    return lines + [_line(step, issued.friendly_names.get(step.claim, "")) for step in issued.steps]


def _line(step: ClaimStep, friendly_name: str) -> str:
    name = f"{step.claim} [{friendly_name}]" if friendly_name else step.claim
    values = f" = {_several(step.values)}" if step.values else ""
    why = f": {step.why}" if step.why else ""
    outcome = "" if step.outcome == "issued" else f" {_WORDS.get(step.outcome, 'not issued')}{why}"
    return f"{name}{values}{outcome} ({step.rule})"


def difference(before: IssuedClaims, after: IssuedClaims) -> list[str]:
    """What changed: `+` is new, `-` is gone. Of a list, its values one by one."""
    earlier, later = _flat(before), _flat(after)
    lines = []
    for claim in dict.fromkeys([*earlier, *later]):
        old, new = earlier.get(claim, ()), later.get(claim, ())
        lines += [f"- {claim} = {value}" for value in old if value not in new]
        lines += [f"+ {claim} = {value}" for value in new if value not in old]
    return lines


def _flat(issued: IssuedClaims) -> dict[str, tuple[str, ...]]:
    """Subject, refusal and claims as texts."""
    flat = {name: (text,) for name, text in ((SUBJECT, issued.subject), ("refused", issued.refused)) if text}
    return flat | {claim: _texts(value) for claim, value in issued.values.items()}


def _texts(value: Value) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, Mapping):
        return tuple([f"{name}: {text}" for name, text in value.items()])
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _several(values: tuple[str, ...]) -> str:
    more = len(values) - _MOST
    return ", ".join(values[:_MOST]) + (f" and {more} more" if more > 0 else "")
