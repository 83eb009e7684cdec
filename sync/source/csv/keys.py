"""Keys that were seen.

In a temporary database of SQLite, which is on disk from some hundred thousand keys on, so that memory has a bound.
"""

from __future__ import annotations

import sqlite3
from types import TracebackType


class SeenKeys:
    """Context manager. Its file has no name, and is gone when it is closed."""

    def __init__(self) -> None:
        # An empty name: a private database, in memory until its cache is full (sqlite.org/inmemorydb.html)
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384"):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, line INTEGER NOT NULL) STRICT, WITHOUT ROWID")
        self._database.execute("BEGIN")

    def __enter__(self) -> SeenKeys:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def first_line(self, key: bytes, line: int) -> int:
        """The line where it was seen before; else 0, and from now on it was seen at `line`."""
        try:
            self._database.execute("INSERT INTO seen VALUES (?, ?)", (key, line))
        except sqlite3.IntegrityError:
            found = self._database.execute("SELECT line FROM seen WHERE key = ?", (key,)).fetchone()
            return int(found[0])
        return 0
