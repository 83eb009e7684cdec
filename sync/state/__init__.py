"""The state of synchronisation: what each source told, the persons made of it, what each target confirmed, and
what is to be done.

    state = open_state(settings.state_file)
    state.take_lease(holder, now, seconds)
    reading = state.begin_reading("corp", ReadingKind.DELTA, run, now)
    reading.apply(changes)
    reading.finish(complete=True, cookie=cookie, now=now)
    for changed in state.marks.changed_objects(): ...       # scope and join
    for affected in state.marks.affected_persons(): ...     # values, accounts, links

What belongs here: keeping it, and what only all of it together can tell (who is affected by a change, which members are
missing). What does not: reading sources, rules, plans, and writing to targets. The port is `SyncState`; the only
implementation keeps it in one SQLite file. Each method that writes is a transaction, and each needs the lease.
"""

from sync.state.errors import (
    AccountUnknown,
    JoinRefused,
    LeaseHeld,
    LeaseLost,
    ObjectUnknown,
    PersonInUse,
    StateDamaged,
    StateError,
    StateTooNew,
    StateUnavailable,
)
from sync.state.port import ReadingPort, SyncState
from sync.state.records import (
    AccountReference,
    AffectedBy,
    AffectedPerson,
    ChangedObject,
    Deletion,
    DeletionEvidence,
    JoinedObject,
    JournalEntry,
    LinkDifference,
    ReadingKind,
    ReadingSummary,
    SourceStatus,
    SyncFailure,
    SyncRun,
)
from sync.state.sqlite import open_state

__all__ = [
    "AccountReference",
    "AccountUnknown",
    "AffectedBy",
    "AffectedPerson",
    "ChangedObject",
    "Deletion",
    "DeletionEvidence",
    "JoinRefused",
    "JoinedObject",
    "JournalEntry",
    "LeaseHeld",
    "LeaseLost",
    "LinkDifference",
    "ObjectUnknown",
    "PersonInUse",
    "ReadingKind",
    "ReadingPort",
    "ReadingSummary",
    "SourceStatus",
    "StateDamaged",
    "StateError",
    "StateTooNew",
    "StateUnavailable",
    "SyncFailure",
    "SyncRun",
    "SyncState",
    "open_state",
]
