"""Procedures: tables of stages that change something in the world, step by step, and can be interrupted anywhere.

    spec ──► state ──► Plan ──(confirmed)──► journal ──► run ──► RunResult
                         │                                │
                      save, load              observe ─► next_step ─► do ─► write down

The caller appends what `start` answers to the journal, and what `turn_back` answers for a rollback; then it calls `run`.

What belongs here: stages, acts, the journal, the runner, saved plans, and how they are shown. What does not: anything that
knows what a procedure is about.
"""

from foundation.procedures.errors import (
    ActFailed,
    Effect,
    JournalError,
    JournalLocked,
    PlanOutdated,
    PlanUnusable,
    ProcedureError,
    Refused,
)
from foundation.procedures.events import (
    Acknowledged,
    ActBegun,
    Acted,
    Completed,
    Entry,
    Event,
    Failed,
    Finished,
    Impossible,
    Started,
    StateTypes,
    Stopped,
    Turned,
)
from foundation.procedures.file_journal import FileJournal, history, read, whoami
from foundation.procedures.journal import Journal, MemoryJournal
from foundation.procedures.model import Act, ActId, Condition, ObservedT, Record, StateT, Step, StepKind
from foundation.procedures.plan import (
    Plan,
    StepData,
    check_current,
    differing,
    hashed,
    load,
    make,
    save,
    step_data,
)
from foundation.procedures.planner import (
    blank,
    check_harmless,
    foresee,
    next_step,
    standing,
    start,
    turn_back,
    turn_forward,
)
from foundation.procedures.rendering import plan_text, record_data, record_text, step_text
from foundation.procedures.runner import Clock, End, Executor, Progress, RunResult, WallClock, run
from foundation.procedures.stage import (
    Label,
    Procedure,
    Rollback,
    Rules,
    Stage,
    View,
    ViewT,
    acts_of,
    gate,
    label,
    planned,
)

__all__ = [
    "Acknowledged",
    "Act",
    "ActBegun",
    "ActFailed",
    "ActId",
    "Acted",
    "Clock",
    "Completed",
    "Condition",
    "Effect",
    "End",
    "Entry",
    "Event",
    "Executor",
    "Failed",
    "FileJournal",
    "Finished",
    "Impossible",
    "Journal",
    "JournalError",
    "JournalLocked",
    "Label",
    "MemoryJournal",
    "ObservedT",
    "Plan",
    "PlanOutdated",
    "PlanUnusable",
    "Procedure",
    "ProcedureError",
    "Progress",
    "Record",
    "Refused",
    "Rollback",
    "Rules",
    "RunResult",
    "Stage",
    "Started",
    "StateT",
    "StateTypes",
    "Step",
    "StepData",
    "StepKind",
    "Stopped",
    "Turned",
    "View",
    "ViewT",
    "WallClock",
    "acts_of",
    "blank",
    "check_current",
    "check_harmless",
    "differing",
    "foresee",
    "gate",
    "hashed",
    "history",
    "label",
    "load",
    "make",
    "next_step",
    "plan_text",
    "planned",
    "read",
    "record_data",
    "record_text",
    "run",
    "save",
    "standing",
    "start",
    "step_data",
    "step_text",
    "turn_back",
    "turn_forward",
    "whoami",
]
