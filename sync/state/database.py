"""The file: opened safely, one writer at a time, and SQLite's errors stop here.

`synchronous=FULL`: what a target has confirmed must not be forgotten by a power cut. What was read may be (`durable=False`):
it is read again, because its cookie is in the same log, behind it. Every write is fenced: see `StateFile.write`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sync.state.errors import LeaseHeld, LeaseLost, StateDamaged, StateError, StateTooNew, StateUnavailable
from sync.state.schema import APPLICATION_ID, MIGRATIONS

BUSY_TIMEOUT: Final = 10.0
"""Seconds to wait for another process that writes."""
CACHE_KIB: Final = 48 * 1024
"""Of pages: with less, tables that are written by key are read from the disk again and again."""
PAGE: Final = 500
"""Rows that are read at a time: nothing stays open in between, so that others can write."""

_LOG: Final = 64 * 1024 * 1024
"""Bytes of the write-ahead log that are kept after a long transaction."""

Row = tuple[Any, ...]

_REMEDIES = (
    (("locked", "busy"), f"another process held it for {BUSY_TIMEOUT:g} s; end that process"),
    (("full", "disk i/o", "no space"), "free some disk space, then run it again; nothing was half written"),
    (("unable to open", "readonly", "read-only"), "check that the directory exists and that this user may write there"),
)
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class StateFile:
    """A connection. One thread at a time; other processes open the file themselves."""

    def __init__(self, path: Path, *, migrations: Sequence[str] = MIGRATIONS) -> None:
        """Open it, make it where there is none, migrate it. Raises StateError."""
        self.path = path
        self._depth = 0
        self._failed = False
        self._durable = True
        self._damage = ""
        self._number = 0
        self._forget: list[Callable[[], None]] = []
        _make_private(path)
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        try:
            self._prepare(migrations)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Nothing can be read or written afterwards."""
        self._connection.close()

    def when_rolled_back(self, forget: Callable[[], None]) -> None:
        """What is to be done after a transaction that did not happen: what was remembered of it is wrong."""
        self._forget.append(forget)

    # Reading

    def one(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """The first row."""
        try:
            row: Row | None = self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return row

    def all(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Rows, of which there are few."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    def pages(self, sql: str, *values: object, after: Sequence[object], keys: int = 1) -> Iterator[Row]:
        """Rows in the order of their first `keys` columns, a page at a time: other statements may come in between.

        The statement ends with the place to continue after (`after`, one parameter for each key column) and a LIMIT.
        """
        while True:
            rows = self.all(sql, (*values, *after, PAGE))
            yield from rows
            if len(rows) < PAGE:
                return
            after = rows[-1][:keys]

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Rows of one statement: nothing that it reads may be written before it ends."""
        cursor = self._connection.cursor()
        try:
            with self._translated():
                cursor.execute(sql, values)
            while True:
                with self._translated():
                    rows = cursor.fetchmany(PAGE)
                if not rows:
                    return
                yield from rows
        finally:
            cursor.close()

    # Writing

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """How many rows it changed."""
        try:
            return self._connection.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise self._error(error) from error

    def insert(self, sql: str, values: Sequence[object] = ()) -> int:
        """The number of the new row."""
        try:
            return self._connection.execute(sql, values).lastrowid or 0
        except sqlite3.Error as error:
            raise self._error(error) from error

    def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """The same statement with each of these."""
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._error(error) from error

    @contextlib.contextmanager
    def write(self, *, fenced: bool = True, durable: bool = True) -> Iterator[None]:
        """All that is written inside happens, or nothing. Inside another one, it is part of that.

        fenced: only with the lease that this process has taken, and still has. Raises LeaseLost before anything is written.
        durable: it is on the disk afterwards. Otherwise a power cut may take it back, and all that was written after it.
        """
        if self._depth:
            self._depth += 1
            try:
                yield
            except BaseException:
                self._failed = True
                raise
            finally:
                self._depth -= 1
            return
        if self._damage:
            raise StateDamaged(self.path, self._damage)
        if durable is not self._durable:
            self.run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
        self.run("BEGIN IMMEDIATE")
        self._depth, self._failed = 1, False
        try:
            if fenced:
                self._check_lease()
            yield
            if self._failed or self._damage:
                raise RuntimeError("a part of this transaction failed, so that the whole cannot be committed")
            self.run("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._depth = 0

    @property
    def writing(self) -> bool:
        """Whether a transaction is under way."""
        return self._depth > 0

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
            self._connection.execute("ROLLBACK")
        for forget in self._forget:
            forget()

    # The lease

    def take_lease(self, holder: str, now: float, seconds: float) -> int:
        """Take it, or take it over once it has run out. Its number is larger than all before. Raises LeaseHeld."""
        with self.write(fenced=False):
            number, other, until = self._lease()
            if until > now and number != self._number:
                raise LeaseHeld(other, until, now)
            self.run("UPDATE lease SET number = ?, holder = ?, until = ?", (number + 1, holder, now + seconds))
        self._number = number + 1
        return self._number

    def renew_lease(self, now: float, seconds: float) -> None:
        """Keep it. Raises LeaseLost."""
        with self.write():
            self.run("UPDATE lease SET until = ?", (now + seconds,))

    def release_lease(self) -> None:
        """Another process may take it immediately. Nothing happens where it is somebody else's."""
        with self.write(fenced=False):
            self.run("UPDATE lease SET until = 0.0 WHERE number = ?", (self._number,))
        self._number = 0

    def _check_lease(self) -> None:
        number, holder, _ = self._lease()
        if not self._number or number != self._number:
            raise LeaseLost(holder, self._number)

    def _lease(self) -> tuple[int, str, float]:
        row = self.one("SELECT number, holder, until FROM lease")
        if row is None:
            raise self.damaged("the lease is missing")
        return row[0], row[1], row[2]

    # Damage

    def damaged(self, problem: str) -> StateDamaged:
        """The error to raise; from now on nothing is written."""
        self._damage = problem
        return StateDamaged(self.path, problem)

    def verify(self) -> None:
        """Read the whole file. Raises StateDamaged."""
        rows = self.all("PRAGMA integrity_check(1)")
        if rows != [("ok",)]:
            raise self.damaged(" ".join(str(rows[0][0]).split()))

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> StateError:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF in _DAMAGE:
            return self.damaged(str(error))
        if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError) and not code & 0xFF == sqlite3.SQLITE_FULL:
            raise error  # a defect of ours
        text = str(error).lower()
        remedy = next((remedy for words, remedy in _REMEDIES if any(word in text for word in words)), "see the log")
        return StateUnavailable(self.path, str(error), remedy)

    def _prepare(self, migrations: Sequence[str]) -> None:
        found = self._schema()  # first of all: nothing is written to what is not ours
        if found > len(migrations):
            raise StateTooNew(self.path, found, len(migrations))
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"cache_size = -{CACHE_KIB}",
            f"journal_size_limit = {_LOG}",
        ):
            self.run(f"PRAGMA {pragma}")
        self.run(
            f"PRAGMA wal_autocheckpoint = {_LOG // 2 // 4096}"
        )  # pages: each is copied once, however often it was written
        if found < len(migrations):
            self._migrate(migrations)

    def _schema(self) -> int:
        application, version = self.one("PRAGMA application_id"), self.one("PRAGMA user_version")
        tables = self.one("SELECT count(*) FROM sqlite_schema")
        if application is None or version is None or tables is None:
            raise self.damaged("it has no header")
        if application[0] != APPLICATION_ID and (tables[0] or version[0]):
            raise StateDamaged(self.path, "it is the database of another program")
        return int(version[0])

    def _migrate(self, migrations: Sequence[str]) -> None:
        with self.write(fenced=False):
            for number in range(self._schema(), len(migrations)):  # again: another process may have been faster
                for statement in _statements(migrations[number]):
                    self.run(statement)
            self.run(f"PRAGMA application_id = {APPLICATION_ID}")
            self.run(f"PRAGMA user_version = {len(migrations)}")


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would commit first."""
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""


def _make_private(path: Path) -> None:
    """SQLite would make it readable to all. Raises StateUnavailable."""
    with contextlib.suppress(FileExistsError):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise
        except OSError as error:
            raise StateUnavailable(path, error.strerror or str(error), "check that this user may write there") from error
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        _check_private(file)


def _check_private(file: Path) -> None:
    try:
        found = file.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode):
        raise StateUnavailable(file, "is not a regular file", "put the state elsewhere, or remove what is there")
    if os.name == "posix" and found.st_mode & 0o077:
        problem = (
            f"is open to other users (mode {stat.S_IMODE(found.st_mode):04o}), and holds what directories say of people"
        )
        raise StateUnavailable(file, problem, f"run chmod 600 {file}")
