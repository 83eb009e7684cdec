"""What can come of a credential check, why, and what to do about it: `outcomes.toml`, read."""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

REFUSED_BY_ADMISSION: Final = "refused_by_admission"
"""Stands for an outcome in the trail where nobody was asked."""
_AGAIN = "again"
"""The table of texts that several causes have in common."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an outcome came about. said: pattern in what the entry says, which an empty one fits; shown: how that looks."""

    meaning: str
    next: str = ""
    said: str = ""
    shown: tuple[str, ...] = ()


_UNKNOWN = Cause("This version does not recognise this outcome.", "See the logs of relay and agent.")


@functools.cache
def causes() -> Mapping[str, Sequence[Cause]]:
    """Of each outcome, the more special causes first; the last one fits whatever the entry says."""
    data = tomllib.loads(importlib.resources.files("isthmus").joinpath("outcomes.toml").read_text(encoding="utf-8"))
    again = data.pop(_AGAIN)
    return {outcome: [_cause(row, again) for row in rows] for outcome, rows in data.items()}


def cause_of(outcome: str, said: str) -> Cause:
    """The first cause that fits; of an outcome that is not known here, one that says so."""
    return next((cause for cause in causes().get(outcome, ()) if re.search(cause.said, said)), _UNKNOWN)


def _cause(row: Mapping[str, Any], again: Mapping[str, str]) -> Cause:
    after = row.get("next", "")
    for name, text in again.items():
        after = after.replace(f"{{{name}}}", text)
    return Cause(row["meaning"], after, row.get("said", ""), tuple(row.get("shown", ())))
