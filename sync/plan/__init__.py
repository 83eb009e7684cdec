"""From what accounts should be and what targets have confirmed to a plan: what is written, in which order, and if it may be.

    account_difference, departure, link_operations ──► causes_of ──► Guard.check ──► PlanWriter.add …
                                                     Guard.stops ──► PlanWriter.finish ──► PlanFile ──► plan_page, tables
                                        check_world before the first write; undo, from a run's journal

What belongs here: differences, deletions with their graces, evidence, limits and decisions, the order of writes, causes, the
plan as a file, a page and tables, undo. Pure but for the plan's file. What does not: keeping state, talking to targets, and
the clock.
"""

from sync.plan.causes import CauseCount, CauseTable, causes_of, of_evidence
from sync.plan.decisions import GuardDecisions
from sync.plan.deletion import DeletionPolicy, DeletionStep, due_step, next_step
from sync.plan.diff import AccountDifference, account_difference, departure, link_difference, link_operations
from sync.plan.entries import (
    AccountProblem,
    CauseKind,
    ChangeCause,
    DepartureEvidence,
    EvidenceKind,
    Fingerprint,
    PersonChange,
    PlanEntry,
    PlanLine,
    PlanPhase,
    RewrittenValue,
)
from sync.plan.errors import PlanDamaged, PlanNotWritten, SyncPlanError, WorldMoved
from sync.plan.evidence import missing_evidence
from sync.plan.file import PlanFile, PlanWriter
from sync.plan.fingerprints import check_world, fingerprint, world_moved
from sync.plan.guard import Guard, GuardLimits, GuardStop, LimitName, SourceCount, TargetTotals, counted, stop_text
from sync.plan.header import PlanHeader
from sync.plan.order import UniqueAttributes, in_order
from sync.plan.page import plan_page
from sync.plan.table import PlanTable, cause_table, note_table, operation_table, stop_table, summary_table
from sync.plan.undo import NotUndone, TriedOperation, undo

__all__ = [
    "AccountDifference",
    "AccountProblem",
    "CauseCount",
    "CauseKind",
    "CauseTable",
    "ChangeCause",
    "DeletionPolicy",
    "DeletionStep",
    "DepartureEvidence",
    "EvidenceKind",
    "Fingerprint",
    "Guard",
    "GuardDecisions",
    "GuardLimits",
    "GuardStop",
    "LimitName",
    "NotUndone",
    "PersonChange",
    "PlanDamaged",
    "PlanEntry",
    "PlanFile",
    "PlanHeader",
    "PlanLine",
    "PlanNotWritten",
    "PlanPhase",
    "PlanTable",
    "PlanWriter",
    "RewrittenValue",
    "SourceCount",
    "SyncPlanError",
    "TargetTotals",
    "TriedOperation",
    "UniqueAttributes",
    "WorldMoved",
    "account_difference",
    "cause_table",
    "causes_of",
    "check_world",
    "counted",
    "departure",
    "due_step",
    "fingerprint",
    "in_order",
    "link_difference",
    "link_operations",
    "missing_evidence",
    "next_step",
    "note_table",
    "of_evidence",
    "operation_table",
    "plan_page",
    "stop_table",
    "stop_text",
    "summary_table",
    "undo",
    "world_moved",
]
