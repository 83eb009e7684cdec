"""The adapter to SQLAlchemy and its drivers: one connection that cannot write, for one reading.

All queries of a reading see the database as it was at one moment: one transaction, read only, of the level REPEATABLE READ
on PostgreSQL, where it is a snapshot (PostgreSQL 13.2.2); SQLite's have no other. Rows come by a cursor at the server, a few
at a time.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from settings import UnusableFile, read_secret
from sync.source.settings import DATABASES, SqlSourceSettings

_AT_ONCE = 1000
"""Rows that are fetched at a time."""
_CONNECT_TIMEOUT = 10
"""Seconds to reach the server; for SQLite, to wait for whoever has locked the file."""
_ORDER = {"postgresql": "C", "sqlite": "BINARY"}
"""Collation by bytes of UTF-8, which is the order of Python's texts, too."""


class DatabaseProblem(Exception):
    """The database cannot be read; the text says why, never with a password."""


class SourceDatabase:
    """Context manager: one connection, one transaction. Blocks. Raises DatabaseProblem."""

    def __init__(self, settings: SqlSourceSettings) -> None:
        self._url = _url_of(settings)
        self._milliseconds = int(settings.query_seconds * 1000)
        self.name = self._url.render_as_string(hide_password=True)
        self._engine: sa.Engine | None = None
        self._connection: sa.Connection | None = None
        self._driver: Any = None
        self._interrupted = False
        self._cursors: list[Any] = []

    def __enter__(self) -> SourceDatabase:
        with self._problems():
            self._engine = sa.create_engine(
                self._reading_url(), poolclass=sa.NullPool, hide_parameters=True, connect_args=self._arguments()
            )
            sa.event.listen(self._engine, "before_cursor_execute", self._note_cursor)
            connection = self._engine.connect()
            self._driver = connection.connection.driver_connection
            if self._interrupted:
                raise DatabaseProblem(f"{self.name}: nobody waits for it any more")
            if self._url.get_backend_name() == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            else:
                connection.exec_driver_sql("PRAGMA query_only = ON")
                connection.exec_driver_sql("BEGIN")  # the driver begins one for writing statements only
            self._connection = connection.execution_options(stream_results=True, yield_per=_AT_ONCE)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(SQLAlchemyError):  # what came of the reading is known by now
            for (
                cursor
            ) in self._cursors:  # SQLAlchemy leaves those of a broken connection, and of a result that was not read out
                with contextlib.suppress(Exception):
                    cursor.close()
            if self._connection is not None:
                self._connection.close()
        if self._engine is not None:
            self._engine.dispose()

    def rows(self, query: str, key: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """(key as text, the columns) of each row, in the order of keys; without a key first or last, as None."""
        names = dict.fromkeys((key, *columns))
        table = sa.text(query.strip().rstrip(";")).columns(*(sa.column(name) for name in names)).subquery("objects")
        backend = self._url.get_backend_name()
        text = sa.cast(table.c[key], sa.Text).collate(_ORDER[backend])
        statement = sa.select(text.label("isthmus_key"), *(table.c[name] for name in columns)).order_by(text)
        assert self._connection is not None  # noqa: S101 - inside the `with`
        with self._problems():
            for row in self._connection.execute(statement):
                yield tuple(row)

    def interrupt(self) -> None:
        """Makes whoever is blocked by the database fail: called from another thread."""
        self._interrupted = True
        driver = self._driver
        with contextlib.suppress(Exception):  # it may have ended this very moment
            if hasattr(driver, "interrupt"):
                driver.interrupt()
            elif driver is not None:  # a server that hangs answers no request to cancel, either
                with socket.socket(fileno=os.dup(driver.pgconn.socket)) as copy:
                    copy.shutdown(socket.SHUT_RDWR)

    def _note_cursor(self, _connection: object, cursor: object, *_: object) -> None:
        self._cursors.append(cursor)

    def _reading_url(self) -> sa.URL:
        if self._url.get_backend_name() == "postgresql":
            return self._url.set(drivername="postgresql+psycopg")
        path = self._url.database or ""
        # SQLite makes a file that is not there, unless it is told otherwise (sqlite.org/uri.html)
        return self._url.set(drivername="sqlite+pysqlite", database=f"file:{path}", query={"mode": "ro", "uri": "true"})

    def _arguments(self) -> dict[str, Any]:
        if self._url.get_backend_name() == "sqlite":
            return {"timeout": _CONNECT_TIMEOUT, "check_same_thread": False, "isolation_level": None}
        options = f"-c statement_timeout={self._milliseconds} -c default_transaction_read_only=on"
        return {"connect_timeout": _CONNECT_TIMEOUT, "options": options, "application_name": "isthmus sync"}

    @contextlib.contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            # the library's own text has the statement in it, and a link
            raise DatabaseProblem(f"{self.name}: {_reason(error)}") from error


def _reason(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    said = getattr(getattr(cause, "diag", None), "message_primary", None)  # psycopg's whole text repeats the statement
    return " ".join(str(said or cause).split()) or type(cause).__name__


def _url_of(settings: SqlSourceSettings) -> sa.URL:
    text = settings.url
    if settings.url_file is not None:
        try:
            text = read_secret(settings.url_file)
        except UnusableFile as error:
            raise DatabaseProblem(str(error)) from error
    try:
        url = sa.make_url(text)
    except SQLAlchemyError:  # without its cause, which holds the text
        raise DatabaseProblem("the URL of the database cannot be read; write it as postgresql://user@host/name") from None
    if f"{url.get_backend_name()}:" not in DATABASES:
        raise DatabaseProblem(f"{url.get_backend_name()} cannot be read; the URL must begin with {' or '.join(DATABASES)}")
    return url
