"""One run of synchronisation: what sources say goes into the state, and what follows from it to the targets.

    read_sources ──► state ──► PersonBuilder (scope, join, values) ──► Planner ──► plan file ──► Writer ──► targets
                       ▲                                                                            │
                       └──────────────────────── what targets confirmed ────────────────────────────┘

What belongs here: the order of these steps, and what each hands to the next. What does not: any rule about what an account
should be (`sync.rules`), what may be written (`sync.plan`), how things are kept (`sync.state`), or talking to anybody
(`sync.source`, `sync.target`).

A delta and a full reading come down to the same: both only mark what has to be looked at again, and everything behind the
marks compares what should be with what was confirmed. A mark goes when nothing is left to be written.
"""

from sync.run.comparison import COMPARISON, comparison_due, note_comparison
from sync.run.errors import GuardStopped, SourceUnread, SyncRunError
from sync.run.persons import PersonBuilder
from sync.run.planner import Planner, TargetAccess, named
from sync.run.source_reader import SourceRead, read_source, require_complete
from sync.run.synchronisation import RunReport, Synchronisation, edition_of
from sync.run.writer import Writer, Written

__all__ = [
    "COMPARISON",
    "GuardStopped",
    "PersonBuilder",
    "Planner",
    "RunReport",
    "SourceRead",
    "SourceUnread",
    "SyncRunError",
    "Synchronisation",
    "TargetAccess",
    "Writer",
    "Written",
    "comparison_due",
    "edition_of",
    "named",
    "note_comparison",
    "read_source",
    "require_complete",
]
