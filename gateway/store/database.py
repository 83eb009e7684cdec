"""The adapter to SQLAlchemy: one engine, one worker thread, and third-party exceptions that stop here."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.store.errors import StoreTooNew, StoreUnavailable

T = TypeVar("T")

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a database that another process has locked."""
_MIGRATION_LOCK = 0x1577


class Database:
    """Runs functions on a connection, each in a transaction, one after the other in a thread of its own."""

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._engine, self._where = engine, where
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="isthmus-store")

    @classmethod
    def open(cls, url: str) -> Database:
        """Open, migrating to this version's schema. Raises StoreUnavailable, StoreTooNew."""
        where = sa.engine.make_url(url).render_as_string(hide_password=True)
        database = cls(_make_engine(url), where)
        try:
            database._run(_migrate)
        except BaseException:
            database.dispose()
            raise
        return database

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a transaction: committed as a whole, or not at all. Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def dispose(self) -> None:
        """Let go; waits for what is under way."""
        self._thread.shutdown(wait=True)
        self._engine.dispose()

    def _run(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except StoreTooNew as error:
            raise StoreTooNew(self._where, error.found) from error
        except DBAPIError as error:
            problem = str(error.orig)
            raise StoreUnavailable(self._where, problem, _remedy(problem)) from error
        except SQLAlchemyError as error:
            raise StoreUnavailable(self._where, str(error), "see the log") from error


class Compiled:
    """Statements compiled once, for the one hot path: SQLAlchemy's own per-execution work costs more than the commit."""

    def __init__(self, dialect: sa.Dialect, statements: dict[str, sa.Executable]) -> None:
        self._compiled = {}
        for name, statement in statements.items():
            compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # every statement has it
            self._compiled[name] = (str(compiled), compiled.positiontup if compiled.positional else None)

    def run(self, connection: sa.Connection, name: str, rows: list[dict[str, Any]]) -> int:
        """Execute for each row; how many rows of the table that changed."""
        text, order = self._compiled[name]
        values = [tuple(row[key] for key in order) for row in rows] if order is not None else rows
        return connection.exec_driver_sql(text, values).rowcount


def _make_engine(url: str) -> sa.Engine:
    parsed = sa.engine.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        _make_private_file(Path(parsed.database))
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT}, poolclass=sa.pool.QueuePool)
    sa.event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _make_private_file(path: Path) -> None:
    """SQLite would make it readable to all."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """WAL: readers do not wait. NORMAL: a crash of the process loses nothing, a power cut at most the last moments."""
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _migrate(connection: sa.Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    found = _revision(connection)
    script = ScriptDirectory.from_config(config)
    if found == script.get_current_head():
        return
    if found is not None:
        try:
            script.get_revision(found)
        except CommandError as error:
            raise StoreTooNew("", found) from error
    command.upgrade(config, "head")


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _remedy(problem: str) -> str:
    text = problem.lower()
    if "locked" in text:
        return f"another process held it for {BUSY_TIMEOUT:g} s; end that process"
    if "full" in text or "disk i/o" in text:
        return "make room on the disk; nothing was half written"
    if "malformed" in text or "not a database" in text:
        return "the file is damaged: restore it from the backup"
    if "unable to open" in text or "readonly" in text:
        return "check that the directory exists and that this user may write there"
    return "see the log"
