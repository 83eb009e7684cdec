"""The adapter to SQLAlchemy and its drivers: one engine, finite waits, and third-party exceptions that stop here.

Work goes to a lane: threads of its own, each with a connection of its own, so that nobody waits behind what is slow.

    lane    for                                        SQLite          PostgreSQL
    trail   the audit trail's commits                  as `write`      1
    counts  admission's counts                         as `write`      1
    write   whatever else writes                       1               4
    read    what a request waits for: one row by key   1               4
    scan    lists and verification                     1               1

Every sign-in needs the first two: they have one thread, which keeps its connection (`Lane.kept`) and works on the driver's
own cursor, because SQLAlchemy's part would cost more than the commit. Between these stands `write_now`: a short transaction
on SQLite without a thread, which costs more than the commit as well. What requests write (`write_row`) within one round of
the event loop is one such transaction: under load four or five of them, whose pages are then written once.

SQLite has one writer at a time anyway (in WAL mode readers do not wait for it); two threads would only poll for its lock.
Long deletions go in portions (`in_portions`), so that others get their turn in between.

Every wait ends. A server that is stopped or cut off answers nothing, not even its own time-outs: after `patience` seconds
whoever waits is told so, and the connection's socket is shut down under the driver, so that the thread comes back too.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ipaddress
import math
import os
import select
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.store import schema
from gateway.store.errors import StoreEmptied, StoreFull, StoreTooNew, StoreUnavailable
from gateway.store.lanes import Lane, LaneJob

log = structlog.get_logger()

T = TypeVar("T")
LaneName = Literal["trail", "counts", "write", "read", "scan"]
Work = Callable[[sa.Connection], T]

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a database file that another process has locked."""
CONNECT_TIMEOUT = 2
"""Seconds, whole ones, to reach the server; libpq takes no less."""
STATEMENT_TIMEOUT = 3.0
"""Seconds after which the server gives up a statement, or the wait for a lock."""
IDLE_TIMEOUT = 10.0
"""Seconds after which the server ends a transaction of a node that has fallen asleep: it must not keep its locks."""
PATIENCE = {"sqlite": 2 * BUSY_TIMEOUT, "postgresql": 3.5}
"""Seconds that anybody waits for an answer, the time in the queue included. Below the 5 s in which /readyz must answer."""
PORTION = 500
"""Rows deleted in one transaction."""
_LONG = 0.05
"""Seconds that a commit in the loop's thread may take, before the disk is taken to be slow."""
_SLOW_FOR = 30.0
"""Seconds for which it is taken to be slow."""
_MOST_TOGETHER = 50
"""Pieces of work in one transaction of the loop's thread: some milliseconds."""
_CHECKPOINT_AFTER = 250
"""Transactions, of some eight pages of the write-ahead log each, after which they are copied into the database."""

_THREADS: dict[str, dict[LaneName, int]] = {
    "sqlite": {"write": 1, "read": 1, "scan": 1},
    "postgresql": {"trail": 1, "counts": 1, "write": 4, "read": 4, "scan": 1},
}
_FRESH = 1.0
"""Seconds after its last use for which a connection need not be asked whether it still answers."""


class _Job(LaneJob):
    """One piece of work on its way, and what has to be torn down if nobody waits for it any more."""

    __slots__ = ("_connection", "expired", "work")

    def __init__(self, run: Callable[[Any], Any], work: Callable[[Any], Any]) -> None:
        super().__init__(run)
        self.work = work
        self.expired = False
        self._connection: Any = None

    def begin(self, connection: Any) -> None:
        self._connection = connection
        if self.abandoned:
            raise _Abandoned

    def end(self) -> None:
        self._connection = None

    def expire(self, where: str, patience: float) -> None:
        """Give up, while a thread is at work with it: called in another one."""
        self.abandoned = self.expired = True
        problem = f"no answer within {patience:g} s"
        self.deliver(None, StoreUnavailable(where, problem, "check that its server is running and reachable"))
        connection = self._connection
        with contextlib.suppress(Exception):  # it may have ended this very moment
            if hasattr(connection, "interrupt"):  # SQLite
                connection.interrupt()
            elif connection is not None:
                with socket.socket(fileno=os.dup(connection.pgconn.socket)) as copy:
                    copy.shutdown(socket.SHUT_RDWR)


class _Abandoned(Exception):
    """Nobody waits for this work any more."""


class NotNow(Exception):
    """It might take long, so that nothing was done: a thread has to."""


class _Waiting:
    """What is to be written in the loop's thread, and who wants to know what came of it."""

    __slots__ = ("done", "work")

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.work = work
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def run(self, cursor: Any) -> Any:
        """Its result, or the StoreFull with which it has written nothing."""
        try:
            return self.work(cursor)
        except StoreFull as full:
            return full


class Database:
    """Runs functions on connections, each in a transaction: committed as a whole, or not at all."""

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._engine, self.where = engine, where
        self.dialect = engine.dialect
        self._reading = engine.execution_options(isthmus_reading=True)
        backend = engine.dialect.name
        self._patience = PATIENCE[backend]
        self._lanes: dict[LaneName, Lane] = {name: Lane(name, threads) for name, threads in _THREADS[backend].items()}
        self._prompt: Any = None
        self._prompt_from = 0.0 if backend == "sqlite" else math.inf
        """Of the monotonic clock: from when on `write_now` and `read_row` may use the loop's own thread."""
        self._round: list[_Waiting] = []
        """What came in this round of the loop; at its end it is written."""
        self._unchecked = 0
        """Transactions since the last checkpoint."""
        self._copying = False
        """A checkpoint is due: only while nobody writes can the log be copied to its end, and begin anew."""
        for name in ("trail", "counts"):
            self._lanes.setdefault(name, self._lanes["write"])
        self._on_trail = functools.partial(self._on_cursor, self._lanes["trail"])
        self._on_counts = functools.partial(self._on_cursor, self._lanes["counts"])

    @classmethod
    def open(cls, url: str, witness: str = "") -> Database:
        """Open, migrating to this version's schema. Blocks. Raises StoreUnavailable, StoreTooNew, StoreEmptied.

        witness: what says that there must be something in the database; empty where nothing says so.
        """
        parsed = parse_store_url(url)
        database = cls(make_engine(parsed), shown_store_url(parsed))
        try:
            database.run_now(functools.partial(schema.migrate, witness=witness))
        except BaseException:
            database.dispose()
            raise
        return database

    async def write(self, work: Work[T]) -> T:
        """Run `work`, which writes. Raises StoreUnavailable."""
        return cast(T, await self._wait("write", self._in_transaction, work))

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which reads a row or a few, while a request waits. Raises StoreUnavailable."""
        return cast(T, await self._wait("read", self._in_reading, work))

    async def scan(self, work: Work[T]) -> T:
        """Run `work`, which reads many rows. Raises StoreUnavailable."""
        return cast(T, await self._wait("scan", self._in_reading, work))

    async def write_trail(self, work: Callable[[Any], T]) -> T:
        """Run `work`, on PostgreSQL one statement, on a cursor of the driver itself. Raises StoreUnavailable."""
        return cast(T, await self._wait("trail", self._on_trail, work))

    def write_now(self, work: Callable[[Any], T]) -> T:
        """Run `work` on a cursor of the driver, in the loop's own thread. Raises StoreUnavailable; NotNow: use a thread.

        SQLite only: with `synchronous=NORMAL` a commit is a copy into the kernel's cache. What does take long is left to
        threads: waiting for another writer, checkpoints, and everything while the disk was seen to be slow.
        """
        started = time.monotonic()
        if self._copying or started < self._prompt_from:
            raise NotNow
        prompt = self._prompt = self._prompt or self._open_prompt()
        try:
            result = self._transact(prompt, work)
        except self.dialect.loaded_dbapi.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise NotNow from error
            raise self._unavailable(error) from error
        self._time_prompt(started)
        self._unchecked += 1
        if self._unchecked >= _CHECKPOINT_AFTER:
            self._unchecked = 0
            self._copying = True
            self._lanes["write"].put(_Job(self._check_point, lambda _: None))
        return result

    async def write_row(self, work: Callable[[Any], T], *, prompt: bool = True) -> T:
        """Run `work`, a short transaction, on a cursor of the driver: in the loop's own thread where that is quick.

        There it shares its transaction with others of the same round of the loop, as if each came after the other; if one
        of them fails, each is run again, alone. So `work` may run more than once, though what it wrote is there once. Only
        StoreFull, which it may raise before it has written anything, is no failure for the others.
        prompt: False where it may take long. Raises StoreUnavailable, and what `work` raises.
        """
        if prompt and not self._copying and time.monotonic() >= self._prompt_from:
            with contextlib.suppress(NotNow):
                return cast(T, await self._in_round(work))
        return await self.write(lambda connection: work(connection.connection.cursor()))

    def _in_round(self, work: Callable[[Any], Any]) -> asyncio.Future[Any]:
        waiting = _Waiting(work)
        if not self._round:
            waiting.done.get_loop().call_soon(self._write_round)
        self._round.append(waiting)
        return waiting.done

    def _write_round(self) -> None:
        """Whoever has been cancelled by now gets nothing written; what is too much for one transaction waits for a round."""
        together = [waiting for waiting in self._round[:_MOST_TOGETHER] if not waiting.done.done()]
        del self._round[:_MOST_TOGETHER]
        if self._round:
            asyncio.get_running_loop().call_soon(self._write_round)
        if together and not self._write_together(together):
            for alone in together:
                self._write_together([alone])

    def _write_together(self, together: Sequence[_Waiting]) -> bool:
        """False if nothing was written because one of several failed: which one, only each alone can tell."""
        try:
            results = self.write_now(lambda cursor: [waiting.run(cursor) for waiting in together])
        except NotNow:
            for waiting in together:
                waiting.done.set_exception(NotNow())
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            if len(together) > 1:
                return False
            together[0].done.set_exception(error)
        else:
            for waiting, result in zip(together, results, strict=True):
                if isinstance(result, StoreFull):
                    waiting.done.set_exception(result)
                else:
                    waiting.done.set_result(result)
        return True

    async def read_row(self, work: Callable[[Any], T]) -> T:
        """Run `work`, which reads a row by its key, on a cursor of the driver: see `write_row`. Raises StoreUnavailable."""
        started = time.monotonic()
        if started < self._prompt_from:
            return await self.read(lambda connection: work(connection.connection.cursor()))
        self._prompt = self._prompt or self._open_prompt()
        try:
            with contextlib.closing(self._prompt.cursor()) as cursor:
                return work(cursor)
        except self.dialect.loaded_dbapi.Error as error:
            raise self._unavailable(error) from error
        finally:
            self._time_prompt(started)

    def _time_prompt(self, started: float) -> None:
        """See whether the disk is slow. started: of the monotonic clock."""
        ended = time.monotonic()
        if ended - started > _LONG:
            log.warning("store.slow", seconds=round(ended - started, 3), remedy="check what else uses the disk")
            self._prompt_from = ended + _SLOW_FOR

    async def write_counts(self, work: Callable[[Any], T]) -> T:
        """Run `work` in a transaction, on a cursor of the driver itself. Raises StoreUnavailable."""
        return cast(T, await self._wait("counts", self._on_counts, work))

    async def in_portions(self, work: Callable[[sa.Connection, int], int]) -> int:
        """Delete what is superfluous, `PORTION` rows at a time: `work` gets the number, returns how many it deleted."""
        total = 0
        while True:
            portion = PORTION
            deleted = await self.write(lambda connection, portion=portion: work(connection, portion))  # type: ignore[misc]
            total += deleted
            if deleted < portion:
                return total

    async def sync(self) -> None:
        """Wait until what is committed by now would outlive a power cut. Raises StoreUnavailable.

        SQLite with `synchronous=NORMAL` leaves that to the next checkpoint; PostgreSQL has seen to it at the commit.
        """
        path = self._engine.url.database
        if self.dialect.name == "sqlite" and path and path != ":memory:":
            await self._wait("scan", lambda _: self._sync_log(Path(f"{path}-wal")), lambda _: None)

    def run_now(self, work: Work[T]) -> T:
        """Run `work` in this thread, for as long as it takes: at the start, before anything is served."""
        return cast(T, self._guarded(self._engine, work))

    def dispose(self) -> None:
        """Let go; waits for what is under way."""
        lanes = set(self._lanes.values())
        for lane in lanes:
            lane.close()
        for connection in (*(lane.kept for lane in lanes), self._prompt):
            if connection is not None:
                connection.close()
        self._engine.dispose()

    # -- inside

    async def _wait(self, lane: LaneName, run: Callable[[_Job], Any], work: Callable[[Any], Any]) -> Any:
        job = _Job(run, work)
        timer = job.loop.call_later(self._patience, job.expire, self.where, self._patience)
        self._lanes[lane].put(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            job.abandoned = True  # if it has begun it is done all the same
            raise
        finally:
            timer.cancel()

    def _in_transaction(self, job: _Job) -> Any:
        return self._guarded(self._engine, job.work, job)

    def _in_reading(self, job: _Job) -> Any:
        return self._guarded(self._reading, job.work, job)

    def _guarded(self, engine: sa.Engine, work: Work[Any], job: _Job | None = None) -> Any:
        try:
            with engine.connect() as connection:
                if job is None:
                    with connection.begin():
                        return work(connection)
                try:
                    job.begin(connection.connection.driver_connection)
                    while not self._answers(connection.connection.dbapi_connection, job):
                        connection.invalidate()  # it takes another one from the pool, a new one in the end
                        job.begin(connection.connection.driver_connection)
                    with connection.begin():
                        return work(connection)
                finally:
                    job.end()
                    if job.expired:
                        connection.invalidate()
        except StoreTooNew as error:
            raise StoreTooNew(self.where, error.found, error.readable_from) from error
        except StoreEmptied as error:
            raise StoreEmptied(self.where, error.witness) from error
        except DBAPIError as error:
            raise self._unavailable(error.orig) from error
        except self.dialect.loaded_dbapi.Error as error:  # of a cursor of its own
            raise self._unavailable(error) from error
        except SQLAlchemyError as error:
            raise StoreUnavailable(self.where, str(error), "see the log") from error

    def _on_cursor(self, lane: Lane, job: _Job) -> Any:
        """On the connection that the lane's only thread keeps."""
        good = False
        try:
            self._connect(lane, job)
            result = self._transact(lane.kept, job.work)
            good = True
        except self.dialect.loaded_dbapi.Error as error:
            raise self._unavailable(error) from error
        finally:
            job.end()
            lane.used_at = time.monotonic() if good else -math.inf
            if job.expired:
                self._let_go(lane)
        return result

    def _connect(self, lane: Lane, job: _Job) -> None:
        """Make sure that the lane has a connection that answers."""
        while True:
            if lane.kept is None:
                lane.kept = self._check_out()
                if self.dialect.name == "postgresql" and lane is self._lanes["trail"]:
                    lane.kept.driver_connection.autocommit = True  # a statement alone needs no BEGIN and no COMMIT
            job.begin(lane.kept.driver_connection)
            fresh = time.monotonic() < lane.used_at + _FRESH
            if (fresh and self._is_quiet(lane.kept)) or self._answers(lane.kept.dbapi_connection, job):
                return
            self._let_go(lane)

    def _let_go(self, lane: Lane) -> None:
        if lane.kept is not None:
            lane.kept.invalidate()
            lane.kept = None

    def _is_quiet(self, kept: Any) -> bool:
        """Whether nothing has come on a connection that nobody waits at, such as its server's farewell."""
        if self.dialect.name == "sqlite":
            return True
        waiting = select.poll()
        waiting.register(kept.driver_connection.pgconn.socket, select.POLLIN)
        return not waiting.poll(0)

    def _transact(self, kept: Any, work: Callable[[Any], T]) -> T:
        """Raises what the driver raises; then nothing is done."""
        cursor = kept.cursor()
        try:
            if self.dialect.name == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            result = work(cursor)
            kept.commit()
        except BaseException:
            with contextlib.suppress(self.dialect.loaded_dbapi.Error):  # it is lost: whoever uses it next finds out
                kept.rollback()
            raise
        return result

    def _open_prompt(self) -> Any:
        prompt = self._check_out()
        cursor = prompt.cursor()
        cursor.execute("PRAGMA busy_timeout=0")
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        return prompt

    def _sync_log(self, log_file: Path) -> None:
        """Only the log: what a checkpoint has taken out of it, that has synced into the database.

        Never the database's own file: closing it here would give up the locks of every connection of this process
        (sqlite.org/howtocorrupt.html, section 2.2). Another process would then take itself for the last one, and remove the
        log under the connections that go on writing into it.
        """
        try:
            with contextlib.suppress(FileNotFoundError), log_file.open("rb") as opened:
                os.fsync(opened.fileno())
        except OSError as error:
            raise self._unavailable(error) from error

    def _check_point(self, _job: _Job) -> None:
        """Copy the write-ahead log into the database, as far as no reader needs it."""
        lane = self._lanes["write"]
        try:
            lane.kept = lane.kept or self._check_out()
            lane.kept.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        except (StoreUnavailable, self.dialect.loaded_dbapi.Error) as error:
            log.warning("store.no_checkpoint", error=str(error))
        finally:
            self._copying = False

    def _answers(self, connection: Any, job: _Job) -> bool:
        """Whether a pooled connection is still good, as after a restart of the server it is not.

        The pool could ask too (`pool_pre_ping`), but before the job knows the connection: then nothing could tear down one
        to a server that is stopped, and the thread would be lost.
        """
        if self.dialect.name == "sqlite":
            return True
        try:
            self.dialect.do_ping(connection)
        except self.dialect.loaded_dbapi.Error:
            if job.expired:
                raise
            return False
        return True

    def _check_out(self) -> Any:
        try:
            return self._engine.raw_connection()
        except DBAPIError as error:
            raise self._unavailable(error.orig) from error
        except (SQLAlchemyError, self.dialect.loaded_dbapi.Error) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Any) -> StoreUnavailable:
        problem = " ".join(str(error).split())  # libpq's have several lines
        return StoreUnavailable(self.where, problem, remedy_for(problem))


def insert_text(table: sa.Table) -> str:
    """An INSERT as SQLite's driver takes it; its rows are tuples, in the order of the table's columns."""
    names = [column.name for column in table.columns]
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - ours


def insert_arrays_text(dialect: sa.Dialect, table: sa.Table, condition: str) -> str:
    """An INSERT as PostgreSQL's driver takes it, of many rows at once: its parameters are lists, one for each column.

    condition: name of a query, of one row where the rows are to be inserted, of none where not.
    """
    names = ", ".join(column.name for column in table.columns)
    lists = ", ".join(f"%b::{column.type.compile(dialect)}[]" for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) SELECT added.* FROM {condition}, unnest({lists}) AS added"  # noqa: S608 - ours


Step = Callable[[sa.Connection], object]
"""A part of a unit of work."""


def parse_store_url(url: str) -> sa.URL:
    """As the engine takes it, with TLS verified over the network. Raises StoreUnavailable for what is no database's."""
    try:
        parsed = sa.engine.make_url(url)
    except (SQLAlchemyError, ValueError):  # of a port that is not a number: a password with an unescaped @ or : in it
        # `from None`: the error quotes what it could not read, and that may be the password
        raise StoreUnavailable("store_url", "is not the URL of a database", "see the settings' reference") from None
    where, backend = shown_store_url(parsed), parsed.get_backend_name()
    if backend not in PATIENCE:
        raise StoreUnavailable(where, f"{backend} is not supported", "SQLite and PostgreSQL (postgresql://…) are")
    if backend == "sqlite":
        return parsed
    if "sslmode" not in parsed.query and not _is_local(parsed.host):
        parsed = parsed.update_query_dict({"sslmode": "verify-full"})  # the driver's own default takes any certificate
    return parsed.set(drivername="postgresql+psycopg")


def check_store_url(url: str) -> None:
    """Refuse what is not a URL of a database of ours; nobody is connected to. Raises StoreUnavailable."""
    parse_store_url(url)


def shown_store_url(url: sa.URL) -> str:
    """For logs and errors: which database it is, without the driver, its options and passwords, wherever they stand."""
    backend = url.get_backend_name()
    return url.set(drivername=backend, query={}).render_as_string(hide_password=True)


def _is_local(host: str | None) -> bool:
    """Whether nobody can listen in between: a socket of this machine, or its loopback."""
    try:
        return not host or host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def make_engine(url: sa.URL) -> sa.Engine:
    """Connections with their time-outs; none is made yet. Raises StoreUnavailable where the driver is missing."""
    if url.get_backend_name() == "sqlite":
        return _make_sqlite_engine(url)
    milliseconds = int(STATEMENT_TIMEOUT * 1000)
    options = (
        f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} "
        f"-c idle_in_transaction_session_timeout={int(IDLE_TIMEOUT * 1000)}"
    )
    connections = sum(_THREADS["postgresql"].values())
    try:
        return sa.create_engine(
            url,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT, "options": options, "application_name": "isthmus"},
            pool_size=connections,
            max_overflow=1,  # the start's own, beside the lanes
            pool_timeout=STATEMENT_TIMEOUT,
        )
    except ModuleNotFoundError as error:
        where = shown_store_url(url)
        problem = "PostgreSQL needs psycopg 3, which is not installed"
        raise StoreUnavailable(where, problem, "install the extra: pip install 'isthmus[postgres]'") from error


def _make_sqlite_engine(url: sa.URL) -> sa.Engine:
    if url.database and url.database != ":memory:":
        _make_private_file(Path(url.database))
    arguments = {"timeout": BUSY_TIMEOUT, "check_same_thread": False}
    engine = sa.create_engine(url, connect_args=arguments, poolclass=sa.pool.QueuePool, pool_size=4, hide_parameters=True)
    sa.event.listen(engine, "connect", _set_up_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private_file(path: Path) -> None:
    """SQLite would make it readable to all. Raises StoreUnavailable."""
    with contextlib.suppress(OSError):  # never one that is there already: see `_sync_log`
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    check_private_file(path)


def check_private_file(path: Path) -> None:
    """Refuse a SQLite file that others can read, and what SQLite keeps beside it. Raises StoreUnavailable."""
    for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))):
        try:
            mode = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue
        if os.name == "posix" and mode & 0o077:
            problem = f"is open to other users (mode {mode:04o}), and holds sessions, tokens and the audit trail"
            raise StoreUnavailable(str(file), problem, f"run chmod 600 {file}")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """WAL: readers do not wait. NORMAL: a crash of the process loses nothing, a power cut at most the last moments."""
    connection.isolation_level = None  # transactions are begun by us, below
    cursor = connection.cursor()
    try:
        _switch_to_wal(cursor)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """Wait for others that switch the same new file: SQLite's busy time-out does not hold for this one statement.

    It has read the file when it asks for the writer's lock: two that waited for each other would never end
    (sqlite3_busy_handler).
    """
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    """Whoever writes takes the lock first: a transaction that read before may no longer write once another one has."""
    if not connection.get_execution_options().get("isthmus_reading"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def remedy_for(problem: str) -> str:
    """What to do about what a driver says."""
    text = problem.lower()
    for words, remedy in _REMEDIES:
        if any(word in text for word in words):
            return remedy
    return "see the log"


_REMEDIES = (
    (("locked",), f"another process held it for {BUSY_TIMEOUT:g} s; end that process"),
    (("full", "disk i/o", "no space"), "free some disk space; no data was partially written"),
    (("malformed", "not a database"), "the file is damaged: restore it from the backup"),
    (("read-only",), "the server is read-only: check whether it is a standby, or was set to read-only"),
    (("unable to open", "readonly"), "check that the directory exists and that this user may write there"),
    (("no password supplied",), "check that passfile has a line for this server, belongs to this user, and has mode 0600"),
    (("authentication failed", "no pg_hba.conf entry"), "check user and password, and what pg_hba.conf allows"),
    (("fatal: database", "fatal: role"), "create it, or correct store_url"),
    (("invalid connection option", "resolve host"), "correct store_url"),
    (("does not support ssl", "certificate"), "check the server's TLS configuration, sslmode and sslrootcert"),
    (("timeout", "timed out"), "check that its server is running, and what it is busy with"),
    (("connection", "server"), "check that its server is running and reachable"),
)
"""Words of SQLite and PostgreSQL -> what to do."""
