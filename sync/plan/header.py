"""First and last line of a plan file. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from sync.plan.causes import CauseCount
from sync.plan.guard import GuardStop

PLAN_FORMAT: Final = "isthmus-sync-plan"
PLAN_VERSION: Final = 1
CAUSES_LISTED: Final = 1_000
"""Causes in a header, those with most operations; how many there are is said."""


class PlanHeader(Struct, frozen=True, kw_only=True):
    """What a plan is, in short."""

    format: str = PLAN_FORMAT
    version: int = PLAN_VERSION
    id: str
    """Of the run that made it."""
    made_at: float
    """Unix seconds."""
    made_by: str
    marks: Mapping[str, str] = {}
    """What it was made from as a whole: rules, settings, reading of each source. A value, or a hash."""
    operations: Mapping[str, Mapping[str, int]] = {}
    """That are to be written: number by target and kind. Temporary ones count."""
    held: int = 0
    """Operations that are not written."""
    problems: int = 0
    rewritten: int = 0
    causes: tuple[CauseCount, ...] = ()
    """The largest first, at most `CAUSES_LISTED`."""
    causes_count: int = 0
    stops: tuple[GuardStop, ...] = ()
    """Why the plan may not be carried out. Empty: it may."""

    @property
    def total(self) -> int:
        """Operations that are to be written."""
        return sum(sum(kinds.values()) for kinds in self.operations.values())


class PlanFooter(Struct, frozen=True, kw_only=True):
    """That nothing is missing or changed."""

    lines: int
    """Before this one, the header too."""
    digest: str
