"""Connections, time-outs, schema: what a database does when it is locked, full, damaged, silent, or of another release."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from demo.postgres import ThrowawayPostgres
from gateway.store import AuditEvent, Store, StoreTooNew, StoreUnavailable, check_copy, copy_database, open_store
from gateway.store.database import Database, NotNow, parse_store_url
from gateway.store.lanes import LaneJob
from gateway.store.schema import RELEASE, check_readable
from gateway.store.store import SqlStore
from gateway.store.tables import metadata
from tests.gateway.store.conftest import NOW, SECRET, Opener
from tests.structure.source import ROOT
from tests.support.relay_and_agent import eventually


def event(**fields: object) -> AuditEvent:
    return AuditEvent(**{"time": NOW, "kind": "signin", **fields})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "relay.db"


def opened(path: Path) -> SqlStore:
    return open_store(f"sqlite:///{path}", secret=SECRET, node="relay1")


# -- schema


def test_the_migrations_make_the_tables_that_the_code_sees(url: str) -> None:
    """Every column, type and index, on every database."""
    database = Database.open(url)
    differences = database.run_now(
        lambda connection: compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    )
    database.dispose()
    assert differences == []


def test_the_release_is_the_packages() -> None:
    """A schema is compared with it."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == RELEASE


async def test_a_newer_schema_that_says_so_is_worked_on(opener: Opener, edit: Callable[..., None]) -> None:
    """A node of the next release has added a table, a column and a step; this one goes on, and leaves them alone."""
    store = opener()
    edit(
        "UPDATE alembic_version SET version_num = '9999'",
        "CREATE TABLE later (id INTEGER)",
        "ALTER TABLE agents ADD COLUMN later VARCHAR(10) DEFAULT '' NOT NULL",
    )
    older = opener()
    await asyncio.gather(store.audit.append(event()), older.audit.append(event()))
    assert (await older.audit.verify()).entries == 2
    assert await older.sessions.purge(NOW) == 0


def test_a_newer_schema_that_is_not_readable_is_refused(url: str, opener: Opener, edit: Callable[..., None]) -> None:
    """It is not touched; the error says which release is needed."""
    opener()
    edit("UPDATE alembic_version SET version_num = '9999'", "UPDATE schema_state SET readable_from = '99.1.0'")
    with pytest.raises(StoreTooNew, match=r"newer version of Isthmus \(schema 9999\); install 99\.1\.0 or later"):
        opener()
    edit("DROP TABLE schema_state")
    with pytest.raises(StoreTooNew, match="install that version"):
        opener()


def test_releases_are_compared_as_numbers() -> None:
    """0.10 is newer than 0.9."""
    check_readable("2", "0.9.0", "0.10.0")
    check_readable("2", "0.10.0", "0.10.0")
    for readable_from in ("0.10.0", "", "0.9.2rc1", "two"):
        with pytest.raises(StoreTooNew):
            check_readable("2", readable_from, "0.9.1")


# -- SQLite


def test_the_file_is_the_owners_only(path: Path) -> None:
    """It holds sessions and the trail."""
    asyncio.run(opened(path).close())
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o666, 0o644, 0o640])
@pytest.mark.parametrize("name", ["relay.db", "relay.db-wal", "relay.db-shm", "relay.db-journal"])
def test_files_of_the_database_that_others_can_read_are_refused(path: Path, name: str, mode: int) -> None:
    """With what to run; afterwards it opens."""
    asyncio.run(opened(path).close())
    file = path.with_name(name)
    file.touch()
    file.chmod(mode)
    with pytest.raises(StoreUnavailable, match=rf"{name}: is open to other users \(mode {mode:04o}\).*run chmod 600"):
        opened(path)
    file.chmod(0o600)
    asyncio.run(opened(path).close())


def test_a_damaged_or_unreachable_database_is_said_so(path: Path, tmp_path: Path) -> None:
    """With the remedy."""
    path.touch(0o600)
    path.write_bytes(b"this is no database, " * 500)
    with pytest.raises(StoreUnavailable, match="backup"):
        opened(path)
    with pytest.raises(StoreUnavailable, match="directory exists"):
        opened(tmp_path / "nowhere" / "relay.db")


async def test_a_locked_database_is_said_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a finite wait; what was not written is reported to whoever waited, and the next write works."""
    monkeypatch.setattr("gateway.store.database.BUSY_TIMEOUT", 0.1)
    store = opened(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process held it"):
        await store.audit.append(event())
    assert await store.ping() is None  # it can be read
    blocker.execute("ROLLBACK")
    blocker.close()
    await store.audit.append(event())
    assert (await store.audit.verify()).entries == 1
    await store.close()


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Another process that writes to a new file, which is not in WAL mode yet."""
    path.touch(0o600)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


async def test_a_new_database_that_another_process_writes_is_waited_for(path: Path, writer: sqlite3.Connection) -> None:
    """Two that start at once on an empty one: for the switch to WAL, SQLite's own busy time-out does not hold."""
    opening = asyncio.create_task(asyncio.to_thread(opened, path))
    await asyncio.sleep(0.1)
    assert not opening.done()
    writer.execute("COMMIT")
    store = await opening
    await store.close()


@pytest.mark.usefixtures("writer")
def test_a_new_database_is_not_waited_for_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start says what holds it."""
    monkeypatch.setattr("gateway.store.database.BUSY_TIMEOUT", 0.1)
    with pytest.raises(StoreUnavailable, match="another process held it"):
        opened(path)


async def test_a_locked_database_does_not_stop_the_loop(path: Path) -> None:
    """The commit that would be quick waits in a thread instead; everything else goes on."""
    store = opened(path)
    await store.audit.append(event())
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(store.audit.append(event()))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    await waiting
    assert (await store.audit.verify()).entries == 2
    await store.close()


async def test_a_slow_disk_does_not_stop_the_loop(
    path: Path, monkeypatch: pytest.MonkeyPatch, logs: list[dict[str, object]]
) -> None:
    """After one commit that took long, threads make them for a while."""
    store = opened(path)
    await store.audit.append(event())
    monkeypatch.setattr("gateway.store.database._LONG", -1.0)
    monkeypatch.setattr("gateway.store.database._SLOW_FOR", 0.5)
    await store.audit.append(event())
    with pytest.raises(NotNow):
        store._database.write_now(lambda cursor: cursor.execute("SELECT 1"))
    await store.audit.append(event())
    assert (await store.audit.verify()).entries == 3
    assert [entry["event"] for entry in logs].count("store.slow") == 1
    await asyncio.sleep(0.6)
    store._database.write_now(lambda cursor: cursor.execute("SELECT 1"))
    await store.close()


@pytest.mark.parametrize("touched", ["noted", "opened again", "copied"])
async def test_another_process_that_looks_takes_nothing_away(path: Path, touched: str) -> None:
    """Such as `audit verify` beside a relay that has noted its heads: what is written afterwards is in the database."""

    async def counted() -> int:
        query = "SELECT count(*) FROM audit_events"
        look = f"import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute({query!r}).fetchone())"
        order = [sys.executable, "-c", look, str(path)]
        return int((await asyncio.to_thread(subprocess.run, order, check=True, capture_output=True)).stdout)

    store = opened(path)
    await store.audit.append(event())
    if touched == "noted":
        await store.audit.heads()
    elif touched == "copied":
        copy_database(path, path.with_name("copy.db"))
    else:
        await opened(path).close()
    assert await counted() == 1
    assert path.with_name("relay.db-wal").exists()
    await store.audit.append(event())
    assert await counted() == 2
    await store.close()


async def test_a_copy_holds_what_is_in_the_log_only(path: Path) -> None:
    """Whereas the file alone does not have it: that is what a plain copy of a running relay's directory is."""
    store = opened(path)
    for _ in range(20):
        await store.audit.append(event())
    (path.parent / "plain").mkdir()
    copy_database(path, path.with_name("copy.db"))
    check_copy(path.with_name("copy.db"))
    copy = opened(path.with_name("copy.db"))
    assert (await copy.audit.verify()).entries == 20
    await copy.close()
    await store.close()


def test_a_copy_is_of_one_moment_while_others_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer between two steps of the copy neither gets into it nor makes it begin anew."""
    monkeypatch.setattr("gateway.store.copies._STEP", 1)
    store = opened(path)

    async def fill(number: int) -> None:
        for _ in range(number):
            await store.audit.append(event(detail={"detail": "x" * 4000}))

    asyncio.run(fill(10))
    steps = 0

    def write(_done: int, _total: int) -> None:
        nonlocal steps
        steps += 1
        assert steps < 500  # it began anew each time
        if steps % 10 == 0:
            asyncio.run(fill(1))

    copy_database(path, path.with_name("copy.db"), write)
    copy = opened(path.with_name("copy.db"))
    assert asyncio.run(copy.audit.verify()).entries == 10
    assert asyncio.run(store.audit.verify()).entries == 10 + steps // 10 > 11
    for opened_store in (copy, store):
        asyncio.run(opened_store.close())


def test_a_damaged_copy_is_found_out(path: Path) -> None:
    """A page that holds something else."""
    store = opened(path)
    asyncio.run(store.close())
    check_copy(path)
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(StoreUnavailable, match=r"newest good backup|damaged"):
        check_copy(path)


def test_the_write_ahead_log_stays_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's own commits never copy it into the database, so somebody else has to."""
    monkeypatch.setattr("gateway.store.database._CHECKPOINT_AFTER", 20)
    store = opened(path)

    async def fill() -> None:
        for _ in range(400):
            await store.audit.append(event(detail={"detail": "x" * 4000}))

    asyncio.run(fill())
    assert path.with_name(path.name + "-wal").stat().st_size < path.stat().st_size
    asyncio.run(store.close())


async def test_a_checkpoint_that_fails_is_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, logs: list[dict[str, object]]
) -> None:
    """And commits stay quick; here no connection can be opened for it."""
    monkeypatch.setattr("gateway.store.database._CHECKPOINT_AFTER", 2)
    store = opened(path)

    def fail() -> None:
        raise sqlite3.OperationalError("unable to open database file")

    def commit() -> bool:
        try:
            store._database.write_now(lambda cursor: cursor.execute("SELECT 1"))
        except NotNow:
            return False
        return True

    def failures() -> int:
        return [entry["event"] for entry in logs].count("store.no_checkpoint")

    assert commit()
    with monkeypatch.context() as patch:
        patch.setattr(store._database._engine, "raw_connection", fail)
        await eventually(lambda: commit() and failures() == 2)
    await store.close()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_full_disk_loses_nothing_that_was_confirmed(
    path: Path, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    """SQLite is told that the disk ends here."""
    store = opened(path)
    if not at_once:
        monkeypatch.setattr("gateway.store.database._LONG", -1.0)
    for _ in range(10):
        await store.audit.append(event())

    async def limit(pages: int) -> None:
        bound = f"PRAGMA max_page_count = {pages}"
        if at_once:
            store._database.write_now(lambda cursor: cursor.execute(bound))
        else:
            await store._database.write_counts(lambda cursor: cursor.execute(bound))

    await limit(60)
    large = [store.audit.append(event(detail={"detail": "x" * 4000})) for _ in range(50)]
    results = await asyncio.gather(*large, return_exceptions=True)
    assert any(isinstance(result, StoreUnavailable) and "free some disk space" in str(result) for result in results)
    await limit(1_000_000)
    await store.audit.append(event())
    assert (await store.audit.verify()).entries == 11 + sum(result is None for result in results)
    await store.close()


# -- both


async def test_a_long_list_keeps_nobody_waiting(store: Store) -> None:
    """While one is read, sign-ins are recorded, sessions found, tokens made."""
    assert isinstance(store, SqlStore)
    reading, done = threading.Event(), threading.Event()

    def slow(connection: sa.Connection) -> None:
        reading.set()
        done.wait(5)

    scan = asyncio.create_task(store._database.scan(slow))
    await asyncio.to_thread(reading.wait, 5)
    async with asyncio.timeout(3):
        await store.audit.append(event())
        assert await store.sessions.get(b"x", NOW) is None
        assert await store.sessions.purge(NOW) == 0
        await store.ping()
    assert not scan.done()
    done.set()
    await scan


async def test_what_takes_too_long_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who waits is told; the next one does not find the thread gone."""
    assert isinstance(store, SqlStore)
    database = store._database
    monkeypatch.setattr(database, "_patience", 0.2)
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        if database.dialect.name == "sqlite"
        else "SELECT pg_sleep(60)"
    )
    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"):
        await database.scan(lambda connection: connection.exec_driver_sql(endless).all())
    monkeypatch.setattr(database, "_patience", 5.0)
    assert await store.audit.entries() == []


# -- PostgreSQL


@pytest.fixture
def stopped(postgres: ThrowawayPostgres) -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
    @contextlib.contextmanager
    def stop() -> Iterator[None]:
        postgres.pause()
        try:
            yield
        finally:
            postgres.resume()

    yield stop
    postgres.resume()


@pytest.mark.postgres
async def test_a_server_that_is_stopped_keeps_nobody_waiting(
    postgres: ThrowawayPostgres, stopped: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    """SIGSTOP: connections stay open, nothing is answered. Whoever asks is told within seconds; afterwards all goes on."""
    store = open_store(postgres.create_database(), secret=SECRET, node="relay1")
    await store.audit.append(event())

    def take(connection: sa.Connection) -> None:
        connection.exec_driver_sql("SELECT pg_sleep(0.3)")

    works = [store._database.read, store._database.write] * 4 + [store._database.scan]
    await asyncio.gather(store.audit.append(event()), *(work(take) for work in works))  # each thread has a connection
    asked: list[Callable[[], object]] = [
        store.ping,
        lambda: store.audit.append(event()),
        lambda: store.sessions.get(b"x", NOW),
        lambda: store.tokens.redeem("t", NOW),
        store.audit.entries,
        store.unit().commit,
    ]
    with stopped():
        for _ in range(2):  # connections that were open; then new ones, which cannot be made
            began = time.monotonic()
            results = await asyncio.gather(*(ask() for ask in asked for _ in range(8)), return_exceptions=True)  # type: ignore[call-overload]
            assert time.monotonic() - began < 9
            assert all(isinstance(result, StoreUnavailable) for result in results)
            for lane in store._database._lanes.values():  # no thread is left behind with a connection that says nothing
                jobs = [LaneJob(lambda _job: None) for _ in range(4)]
                for job in jobs:
                    lane.put(job)
                async with asyncio.timeout(4):
                    await asyncio.gather(*(job.future for job in jobs))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await store.ping()
        assert time.monotonic() - began < 5
    await store.audit.append(event(kind="after"))
    (newest, *_) = await store.audit.entries()
    assert newest.event.kind == "after"
    await store.audit.verify()
    await store.close()


@pytest.mark.postgres
async def test_a_lock_that_somebody_holds_is_not_waited_for(postgres: ThrowawayPostgres) -> None:
    """The server gives up, and says why."""
    url = postgres.create_database()
    store = open_store(url, secret=SECRET, node="relay1")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as other:
        other.exec_driver_sql("LOCK TABLE audit_events")
        with pytest.raises(StoreUnavailable, match="timeout"):
            await store.audit.append(event())
    engine.dispose()
    await store.audit.append(event())
    assert (await store.audit.verify()).entries == 1
    await store.close()


@pytest.mark.postgres
async def test_a_server_that_was_restarted_is_found_again(postgres: ThrowawayPostgres) -> None:
    """Every pooled connection is gone: none of them costs a sign-in."""
    store = open_store(postgres.create_database(), secret=SECRET, node="relay1")
    await asyncio.gather(*(store.sessions.get(b"x", NOW) for _ in range(8)))
    postgres.stop()
    with pytest.raises(StoreUnavailable, match="server is running"):
        await store.audit.append(event())
    postgres.start()
    await store.audit.append(event())
    await asyncio.gather(*(store.sessions.get(b"x", NOW) for _ in range(8)))
    postgres.stop()
    postgres.start()  # nobody has noticed
    await store.audit.append(event())
    await asyncio.gather(*(store.sessions.get(b"x", NOW) for _ in range(8)))
    assert (await store.audit.verify()).entries == 2
    await store.admission.save([], [b"k" * 16])
    postgres.stop()
    for write in (store.audit.append(event()), store.admission.save([], [b"k" * 16])):
        with pytest.raises(StoreUnavailable, match="server is running"):  # and no error of our own in the way
            await write
    postgres.start()
    await store.close()


_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname = current_database()"
)
"""Every other connection to a database; returns when they have ended."""


@pytest.mark.postgres
async def test_a_connection_that_the_server_has_just_ended_costs_nobody_anything(postgres: ThrowawayPostgres) -> None:
    """One that worked a moment ago is not asked again, but the server's farewell is seen."""
    url = postgres.create_database()
    store = open_store(url, secret=SECRET, node="relay1")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for _ in range(3):
            await store.audit.append(event())
            await store.admission.save([(b"k" * 16, b"v", NOW)], [])
            connection.exec_driver_sql(_END_OTHERS)
    engine.dispose()
    assert (await store.audit.verify()).entries == 3
    await store.close()


@pytest.mark.postgres
def test_what_the_server_refuses_is_told_from_a_server_that_is_not_there(postgres: ThrowawayPostgres) -> None:
    """In one line, with what to look at, and without the options of the URL."""
    address = f"127.0.0.1:{postgres.port}"
    for url, remedy in (
        (f"postgresql://isthmus:wrong@{address}/postgres", "user and password"),
        (f"postgresql://isthmus@{address}/postgres?passfile=/nowhere", "passfile"),
        (postgres.url("nowhere"), "create it"),
        (postgres.url() + "?sslmode=verify-full", "sslrootcert"),
        (postgres.url() + "?passfil=/nowhere", "correct store_url"),
        ("postgresql://isthmus@127.0.0.1:1/postgres", "server is running"),
    ):
        with pytest.raises(StoreUnavailable) as raised:
            Database.open(url)
        assert remedy in raised.value.remedy, url
        assert "\n" not in str(raised.value)
        assert re.fullmatch(r"postgresql://isthmus(:\*\*\*)?@127\.0\.0\.1:\d+/\w+", raised.value.where)


@pytest.mark.postgres
async def test_a_server_that_takes_no_writes_is_said_so(postgres: ThrowawayPostgres) -> None:
    """A standby, or one whose disk is nearly full: what to look for is told, and reading goes on."""
    url = postgres.create_database()
    store = open_store(url, secret=SECRET, node="relay1")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    await store.audit.append(event())
    with engine.connect() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        connection.exec_driver_sql(_END_OTHERS)
    engine.dispose()
    for write in (store.audit.append(event()), store.admission.save([], [b"k" * 16]), store.agents.revoke("a", NOW, "x")):
        with pytest.raises(StoreUnavailable, match="is read-only"):
            await write
    assert len(await store.audit.entries()) == 1
    await store.close()


@pytest.mark.postgres
async def test_the_stores_clock_is_told(postgres: ThrowawayPostgres) -> None:
    """So that a node whose clock is off can be found."""
    store = open_store(postgres.create_database(), secret=SECRET, node="relay1")
    assert await store.ping() == pytest.approx(time.time(), abs=1)
    await store.close()


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of a traceback; no password is in it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreUnavailable, match=re.escape("pip install 'isthmus[postgres]'")) as refused:
        open_store("postgresql://isthmus:hush@127.0.0.1/relay", secret=SECRET, node="relay1")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://db.example.com/relay", "verify-full"),
        ("postgresql://192.0.2.1/relay", "verify-full"),
        ("postgresql://db.example.com/relay?sslmode=require", "require"),
        ("postgresql://localhost/relay", None),
        ("postgresql://127.0.0.1/relay", None),
        ("postgresql:///relay", None),
    ],
)
def test_over_the_network_the_server_is_verified(url: str, mode: str | None) -> None:
    """The driver's own default would take any certificate, or none."""
    assert parse_store_url(url).query.get("sslmode") == mode


@pytest.mark.parametrize("url", ["mysql://localhost/relay", "no url at all"])
def test_other_databases_are_refused(url: str) -> None:
    """With those that are supported, or what is wrong with the setting."""
    with pytest.raises(StoreUnavailable, match=r"SQLite and PostgreSQL|is not the URL"):
        open_store(url, secret=SECRET, node="relay1")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://relay:geheim@127.0.0.1:1/relay",
        "postgresql://127.0.0.1:1/relay?user=relay&password=geheim",
        "postgresql://relay@127.0.0.1:1/relay?sslpassword=geheim",
        "postgresql://relay:ge@heim:geheim@127.0.0.1:1/relay",
        "postgresql://relay:a@b:geheim/relay",
        "geheim",
        "mysql://relay:geheim@db/relay?password=geheim",
    ],
)
def test_a_password_in_the_url_is_in_no_error(url: str) -> None:
    """Wherever it stands, and if it makes the URL unreadable; nor is it in the error behind."""
    with pytest.raises(StoreUnavailable) as raised:
        Database.open(url)
    shown: BaseException | None = raised.value
    while shown is not None:
        assert "geheim" not in str(shown)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)


async def test_what_was_to_be_written_is_in_no_error(store: Store) -> None:
    """An error of SQLAlchemy's own would quote it."""
    assert isinstance(store, SqlStore)
    with pytest.raises(StoreUnavailable) as raised:
        await store._database.write(lambda connection: connection.execute(sa.text("SELECT :a, :b"), {"a": "geheim"}))
    assert "geheim" not in str(raised.value)


async def test_a_row_is_read_in_a_thread_while_the_disk_is_slow(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And always on PostgreSQL; what the driver raises is an outage either way."""
    assert isinstance(store, SqlStore)
    database = store._database

    def thread(cursor: Any) -> str:
        cursor.execute("SELECT 1").fetchone()
        return threading.current_thread().name

    prompt = database.dialect.name == "sqlite"
    assert (await database.read_row(thread) == threading.main_thread().name) is prompt
    monkeypatch.setattr(database, "_prompt_from", math.inf)
    assert await database.read_row(thread) != threading.main_thread().name
    assert await database.write_row(thread) != threading.main_thread().name
    for act in (database.read_row, database.write_row):
        with pytest.raises(StoreUnavailable):
            await act(lambda cursor: cursor.execute("SELECT nothing FROM nowhere"))


async def test_what_comes_in_one_round_is_one_transaction(path: Path) -> None:
    """In the order in which it came, as if alone: the second sees what the first has written."""
    store = opened(path)
    await store.once.put("code", "first", b"", until=NOW + 60, now=NOW)  # a thread counts the table
    database, commits = store._database, []
    write_now = database.write_now

    def counted(work: Any) -> Any:
        commits.append(work)
        return write_now(work)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "write_now", counted)
        taken = await asyncio.gather(
            store.once.put("code", "a", b"1", until=NOW + 60, now=NOW),
            store.once.take("code", "a", NOW),
            store.once.take("code", "a", NOW),
        )
    assert list(taken) == [True, b"1", None]
    assert len(commits) == 1
    await store.close()


async def test_one_that_fails_takes_nothing_from_those_of_its_round(store: Store) -> None:
    """Not even what it has written itself before it failed stays."""
    assert isinstance(store, SqlStore)
    database = store._database
    parameter = "?" if database.dialect.name == "sqlite" else "%s"
    insert = "INSERT INTO once (kind, key, value, until) VALUES ('code', ?, ?, 9e9)".replace("?", parameter)

    def put(key: str, *, fails: bool = False) -> Any:
        def work(cursor: Any) -> str:
            cursor.execute(insert, (key, b"value"))
            if fails:
                raise LookupError(key)
            return key

        return database.write_row(work)

    answers = await asyncio.gather(put("a"), put("b", fails=True), put("c"), put("a"), return_exceptions=True)
    assert [answers[0], answers[2]] == ["a", "c"]
    assert isinstance(answers[1], LookupError)
    assert isinstance(answers[3], StoreUnavailable)  # its key is there already
    assert [await store.once.take("code", key, NOW) is not None for key in "abc"] == [True, False, True]


async def test_whoever_was_cancelled_has_written_nothing(path: Path) -> None:
    """Before its round ended; the others have."""
    store = opened(path)
    await store.once.put("code", "a", b"", until=NOW + 60, now=NOW)
    cancelled, other = (asyncio.create_task(store.once.take("code", key, NOW)) for key in "ab")
    asyncio.get_running_loop().call_soon(cancelled.cancel)
    await asyncio.wait({cancelled, other})
    assert cancelled.cancelled()
    assert await store.once.take("code", "a", NOW) == b""
    await store.close()


async def test_a_round_that_may_take_long_is_done_by_a_thread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody else has the file locked: all of it is done afterwards."""
    store = opened(path)
    names: list[str] = []

    def note(cursor: Any) -> None:
        cursor.execute("SELECT 1")
        names.append(threading.current_thread().name)

    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = asyncio.gather(*(store._database.write_row(note) for _ in range(3)))
    await asyncio.sleep(0.1)
    blocker.execute("ROLLBACK")
    blocker.close()
    await waiting
    assert len(names) == 3
    assert threading.main_thread().name not in names
    await store.close()


async def test_a_crowd_is_written_in_portions(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop serves others in between commits of a bounded length."""
    monkeypatch.setattr("gateway.store.database._MOST_TOGETHER", 3)
    store = opened(path)
    await store.once.put("code", "first", b"", until=NOW + 60, now=NOW)
    before = store._database._unchecked
    puts = (store.once.put("code", str(n), b"", until=NOW + 60, now=NOW) for n in range(7))
    assert await asyncio.gather(*puts) == [True] * 7
    assert store._database._unchecked - before == 3
    await store.close()
