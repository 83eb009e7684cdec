"""The state in a SQLite file: the parts, put together."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sync.state.accounts import TargetAccounts
from sync.state.changes import ReadingApplication
from sync.state.database import StateFile
from sync.state.decisions import Decisions
from sync.state.export import export_scrubbed
from sync.state.journal import SyncJournal
from sync.state.marks import Marks
from sync.state.memberships import LinkComparison
from sync.state.names import Names
from sync.state.objects import Objects
from sync.state.persons import Persons
from sync.state.port import ReadingPort, SyncState
from sync.state.records import ReadingKind


class SqliteState:
    """See `SyncState`."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._names = Names(file)
        self.objects = Objects(file, self._names)
        self.marks = Marks(file, self._names, self.objects)
        self.persons = Persons(file, self._names, self.objects, self.marks)
        self.accounts = TargetAccounts(file, self._names, self.marks, self.persons)
        self.memberships = LinkComparison(file, self._names, self.objects, self.accounts)
        self.journal = SyncJournal(file, self._names, self.accounts)
        self.decisions = Decisions(file)

    def begin_reading(self, source: str, kind: ReadingKind, run: int, now: float) -> ReadingPort:
        """See `SyncState`."""
        return ReadingApplication(self._file, self._names, self.objects, self.marks, source, kind, run, now)

    def transaction(self) -> AbstractContextManager[None]:
        """See `SyncState`."""
        return self._file.write()

    def take_lease(self, holder: str, now: float, seconds: float) -> int:
        """See `SyncState`."""
        return self._file.take_lease(holder, now, seconds)

    def renew_lease(self, now: float, seconds: float) -> None:
        """See `SyncState`."""
        self._file.renew_lease(now, seconds)

    def release_lease(self) -> None:
        """See `SyncState`."""
        self._file.release_lease()

    def verify(self) -> None:
        """See `SyncState`."""
        self._file.verify()

    def export_scrubbed(self, path: Path) -> None:
        """See `SyncState`."""
        export_scrubbed(self._file, path)

    def close(self) -> None:
        """See `SyncState`."""
        self._file.close()


def open_state(path: Path) -> SyncState:
    """The state in this file, which is made where there is none, and migrated where it is older. Raises StateError."""
    return SqliteState(StateFile(path))
