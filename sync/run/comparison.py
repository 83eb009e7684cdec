"""The full comparison: every source is read in full, and every person looked at, whether or not a change is known.

It is due where the last one is a week old, and where what everything is computed from (rules, sources, targets) is not what
it was then: no change of an object tells of that. Which one was the last, the journal of runs says.
"""

from __future__ import annotations

from typing import Final

from foundation.times import DAY
from sync.state import SyncRun, SyncState

COMPARISON: Final = "comparison"
"""Kind of run in the journal; its detail is the digest of what was compared by."""
EVERY: Final = 7 * DAY
_FIRST_LOOK: Final = 100
"""Runs that are looked through for the last comparison; then ten times as many, and so on."""


def comparison_due(state: SyncState, basis: str, now: float) -> bool:
    """basis: digest of rules and settings. now: Unix seconds."""
    last = _last(state)
    return last is None or last.detail != basis or not 0 <= now - last.began < EVERY  # a clock that was put back: compare


def note_comparison(state: SyncState, basis: str, now: float) -> None:
    """All sources were read in full: everything has to be looked at, and the next comparison is due in a week."""
    with state.transaction():
        state.marks.affect_everything()
        run = state.journal.begin_run(COMPARISON, now)
        state.journal.end_run(run, "done", now, detail=basis)


def _last(state: SyncState) -> SyncRun | None:
    look = _FIRST_LOOK
    while True:
        runs = state.journal.runs(last=look)
        found = next((run for run in runs if run.kind == COMPARISON and run.outcome == "done"), None)
        if found is not None or len(runs) < look:
            return found
        look *= 10
