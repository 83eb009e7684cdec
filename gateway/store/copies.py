"""Copies of a SQLite database that is in use: whole, of one moment, and checked.

SQLite's own backup interface reads through a connection, so that what stands in the write-ahead log is in the copy. The
database's file is never opened otherwise: a process that closes it gives up the locks of all its connections
(sqlite.org/howtocorrupt.html, section 2.2), and a copy of the file alone lacks what is in the log only.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa

from gateway.store.database import BUSY_TIMEOUT, remedy_for
from gateway.store.errors import StoreUnavailable

_STEP = 2000
"""Pages between two reports of progress: 8 MB."""

Progress = Callable[[int, int], None]
"""How much is done, of how much."""


def database_file(url: str) -> Path | None:
    """The file of a SQLite database; None for one of a server."""
    parsed = sa.engine.make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def copy_database(source: Path, target: Path, progress: Progress = lambda _done, _total: None) -> None:
    """Copy it as it is at this moment into a new file (mode 0600), whoever keeps writing to it meanwhile. Blocks.

    Raises StoreUnavailable; FileNotFoundError where there is no database.
    """
    if not source.is_file():
        raise FileNotFoundError(source)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with _opened(source) as reading, _opened(target) as writing:
            # one transaction of ours over all steps: a writer would otherwise make the copy begin anew each time
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reading.backup(writing, pages=_STEP, progress=lambda _status, left, total: progress(total - left, total))
            reading.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreUnavailable(str(source), f"cannot be copied ({error})", remedy_for(str(error))) from error


def check_copy(path: Path) -> None:
    """Whether SQLite finds every page and index as it should be. Raises StoreUnavailable."""
    try:
        with _opened(path) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        raise StoreUnavailable(str(path), f"cannot be read ({error})", remedy_for(str(error))) from error
    if found != ["ok"]:
        raise StoreUnavailable(str(path), f"is damaged ({'; '.join(found)})", _DAMAGED)


def is_empty(path: Path) -> bool:
    """Whether the database has no table, or there is none: as it is where its write-ahead log was left behind, or lost.

    Raises StoreUnavailable.
    """
    if not path.is_file():
        return True
    try:
        with _opened(path) as connection:
            tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error as error:
        raise StoreUnavailable(str(path), f"cannot be read ({error})", remedy_for(str(error))) from error
    return tables == 0


_DAMAGED = "check the disk, and restore the newest good backup"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()
