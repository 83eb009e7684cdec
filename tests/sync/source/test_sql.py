"""Databases: SQLite, and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo.postgres import ThrowawayPostgres
from sync.model import ChangeKind, LinkTarget, ObjectKind, SourceChange
from sync.source import (
    AttributeType,
    ColumnSettings,
    SourceOutcome,
    SourceResult,
    SqlListSettings,
    SqlQuerySettings,
    SqlSourceSettings,
)
from sync.source.links import AT_ONCE
from sync.source.schema import NotOfItsType
from sync.source.sql import SqlSource
from sync.source.sql.rows import Cursor, ObjectRows, OutOfOrder, from_cell
from tests.sync.source.support import take

TABLES = """
CREATE TABLE people (id INTEGER, mail TEXT, active BOOLEAN, badge INTEGER, boss INTEGER);
CREATE TABLE crews (name TEXT, title TEXT, tags TEXT);
CREATE TABLE members (crew TEXT, person INTEGER);
INSERT INTO people VALUES (10, 'zoë@corp', TRUE, 7, NULL), (9, 'ben@corp', FALSE, NULL, 10), (100, '', NULL, NULL, NULL);
INSERT INTO crews VALUES ('éclair', 'Bakers', 'a|b'), ('Zebra', 'Keepers', NULL), ('alpha', NULL, NULL);
INSERT INTO members VALUES ('éclair', 10), ('alpha', 100), ('éclair', 9), ('nobody', 9), (NULL, 9), ('alpha', NULL);
"""
SERIES = """
INSERT INTO people
WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 4499)
SELECT i, 'x', NULL, NULL, NULL FROM n
"""
USERS = SqlQuerySettings(
    query="SELECT id, mail, active, badge, boss FROM people;",
    key="id",
    columns={
        "mail": ColumnSettings(column="mail"),
        "active": ColumnSettings(column="active", type="boolean"),
        "badge": ColumnSettings(column="badge", type="number"),
        "manager": ColumnSettings(column="boss", type="link"),
    },
)
GROUPS = SqlQuerySettings(
    query="SELECT name, title, tags FROM crews",
    key="name",
    columns={"displayName": ColumnSettings(column="title"), "tags": ColumnSettings(column="tags", separator="|")},
    lists={"member": SqlListSettings(query="SELECT crew, person FROM members", key="crew", value="person")},
)


class Server:
    """A database with the tables above."""

    def __init__(self, url: str, run: Callable[[str], None]) -> None:
        self.url, self.run = url, run

    def source(self, **more: Any) -> SqlSource:
        return SqlSource("hr", SqlSourceSettings(**{"url": self.url, "users": USERS, "groups": GROUPS, **more}), ())

    async def read(self, **more: Any) -> tuple[list[SourceChange], SourceResult]:
        return await take(self.source(**more).read(None))


@pytest.fixture
def sqlite(tmp_path: Path) -> Server:
    path = tmp_path / "people.db"

    def run(text: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(text)

    run(TABLES)
    return Server(f"sqlite:///{path}", run)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    postgres: ThrowawayPostgres = request.getfixturevalue("postgres")
    url = postgres.create_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        # a column that sorts as people do: alpha, éclair, Zebra
        connection.execute('ALTER TABLE crews ALTER name TYPE TEXT COLLATE "en-x-icu"')
    monkeypatch.setenv("PGPASSWORD", url.split(":")[2].split("@")[0])

    def run(text: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(text)

    yield Server(re.sub(r":\w+@", "@", url), run)


async def test_each_kind_by_its_query(server: Server) -> None:
    """In the order of keys as bytes, whatever the database sorts by; types, links, several values, lists."""
    changes, result = await server.read()
    assert (result.outcome, result.exhaustive, result.reason) == (SourceOutcome.COMPLETE, True, "")
    assert [(change.kind, change.object, change.key.decode(), change.values) for change in changes] == [
        (ChangeKind.WHOLE, ObjectKind.USER, "user:10", {"mail": "zoë@corp", "active": True, "badge": 7}),
        (ChangeKind.WHOLE, ObjectKind.USER, "user:100", {}),
        (ChangeKind.WHOLE, ObjectKind.USER, "user:9", {"mail": "ben@corp", "active": False}),
        (ChangeKind.WHOLE, ObjectKind.GROUP, "group:Zebra", {"displayName": "Keepers"}),
        (ChangeKind.WHOLE, ObjectKind.GROUP, "group:alpha", {}),
        (ChangeKind.WHOLE, ObjectKind.GROUP, "group:éclair", {"displayName": "Bakers", "tags": ("a", "b")}),
    ]
    assert changes[2].links["manager"].all == (LinkTarget(b"user:10"),)
    assert [change.links for change in changes[3:5]] == [{}, {"member": changes[4].links["member"]}]
    assert changes[4].links["member"].all == (LinkTarget(b"user:100"),)
    assert set(changes[5].links["member"].all or ()) == {LinkTarget(b"user:10"), LinkTarget(b"user:9")}


async def test_many_rows_and_a_large_list(server: Server) -> None:
    """More than are fetched at a time; the links in pieces."""
    server.run(SERIES)
    server.run("INSERT INTO members SELECT 'Zebra', id FROM people WHERE id >= 1000")
    changes, result = await server.read()
    assert result.outcome is SourceOutcome.COMPLETE
    zebra = [change for change in changes if change.key == b"group:Zebra"]
    assert [len(change.links["member"].all or change.links["member"].added) for change in zebra] == [AT_ONCE] * 3 + [500]
    assert len({change.key for change in changes}) == 3503 + 3


async def test_nothing_can_be_written(server: Server) -> None:
    """Not by a query that does, either."""
    query = SqlQuerySettings(query="DELETE FROM people RETURNING id", key="id")
    _, result = await server.read(users=query)
    assert result.outcome is SourceOutcome.FAILED
    changes, _ = await server.read()
    assert len(changes) == 6


@pytest.mark.postgres
async def test_a_function_that_writes_is_refused(postgres: ThrowawayPostgres, tmp_path: Path) -> None:
    """The transaction is read only; the URL may lie in a file of its own."""
    url = postgres.create_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (id INTEGER); INSERT INTO t VALUES (1);")
        body = "CREATE FUNCTION f() RETURNS INTEGER AS 'DELETE FROM t RETURNING id' LANGUAGE SQL"
        connection.execute(body)
    file = tmp_path / "url"
    file.write_text(url)
    file.chmod(0o600)
    settings = SqlSourceSettings(url_file=file, users=SqlQuerySettings(query="SELECT f() AS id", key="id"))
    _, result = await take(SqlSource("hr", settings, ()).read(None))
    assert (result.outcome, "read-only" in result.reason) == (SourceOutcome.FAILED, True)
    assert url.split(":")[2].split("@")[0] not in f"{result.reason} {result.server}"


async def test_all_queries_see_one_moment(server: Server) -> None:
    """What is written between two of them belongs to the next reading."""
    server.run(SERIES)
    if server.url.startswith("sqlite"):
        server.run("PRAGMA journal_mode = WAL")  # otherwise whoever writes would have to wait
    async with server.source().read(None) as reading:
        await anext(reading)
        server.run("INSERT INTO crews VALUES ('later', NULL, NULL)")
        keys = [change.key async for change in reading]
    assert b"group:alpha" in keys
    assert b"group:later" not in keys


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("INSERT INTO people (id) VALUES (11), (11)", "two rows have the id '11'"),
        ("INSERT INTO people (mail) VALUES ('x')", "a row has no id"),
    ],
)
async def test_objects_that_cannot_be_told_apart(server: Server, rows: str, words: str) -> None:
    """The others are told; nobody is absent."""
    server.run(rows)
    changes, result = await server.read()
    assert (result.outcome, result.exhaustive, words in result.reason) == (SourceOutcome.PARTIAL, False, True)
    assert {b"user:9", b"user:10", b"group:alpha"} <= {change.key for change in changes}


async def test_a_short_answer_makes_nobody_absent(server: Server) -> None:
    """Fewer rows than there should be."""
    server.run("DELETE FROM people")
    _, result = await server.read()
    assert (result.outcome, result.exhaustive) == (SourceOutcome.PARTIAL, False)
    assert "users: 0 rows, and at least 1 are expected" in result.reason


async def test_a_query_that_fails_after_the_first(server: Server) -> None:
    """What was told stays told; the reason names the column, without the whole statement."""
    lacking = SqlQuerySettings(query="SELECT name FROM crews", key="nr")
    changes, result = await server.read(groups=lacking)
    assert (len(changes), result.outcome, result.exhaustive) == (3, SourceOutcome.PARTIAL, False)
    assert "nr" in result.reason
    assert "SELECT" not in result.reason


async def test_values_that_do_not_fit(server: Server) -> None:
    """They are left out and named."""
    columns = {"badge": ColumnSettings(column="mail", type="number")}
    users = SqlQuerySettings(query="SELECT id, mail FROM people", key="id", columns=columns)
    changes, result = await server.read(users=users)
    assert {change.key: set(change.invalid) for change in changes if change.invalid} == {
        b"user:10": {"badge"},
        b"user:9": {"badge"},
    }
    assert (result.outcome, result.invalid) == (SourceOutcome.COMPLETE, 2)


async def test_single_objects_are_asked_for(server: Server) -> None:
    """Only a complete answer says that somebody is gone."""
    changes, result = await take(server.source().fetch([b"user:9", b"user:1"]))
    assert [(change.key, change.kind) for change in changes] == [
        (b"user:9", ChangeKind.WHOLE),
        (b"user:1", ChangeKind.DELETED),
    ]
    assert result.outcome is SourceOutcome.COMPLETE


async def test_what_a_preflight_finds(server: Server) -> None:
    """Queries that work, values that do not fit, a query that does not work."""
    assert [finding.status for finding in await server.source().check()] == ["pass", "pass"]
    columns = {"badge": ColumnSettings(column="mail", type="number")}
    users = SqlQuerySettings(query="SELECT id, mail FROM people", key="id", columns=columns)
    assert [finding.status for finding in await server.source(users=users).check()] == ["warn", "pass"]
    users = SqlQuerySettings(query="SELECT id FROM nowhere", key="id")
    source = SqlSource("hr", SqlSourceSettings(url=server.url, users=users), ("mail",))
    found = await source.check()
    assert [finding.status for finding in found] == ["fail", "warn"]
    assert "nowhere" in found[0].seen


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////nowhere/people.db", "unable to open"),
        ("postgresql://127.0.0.1:1/x", "refused"),
        ("mysql://localhost/x", "mysql cannot be read"),
        ("no url", "cannot be read"),
    ],
)
async def test_a_database_that_is_not_there(url: str, words: str) -> None:
    """Nothing is told, and no file is made."""
    _, result = await take(SqlSource("hr", SqlSourceSettings(url=url, users=USERS), ()).read(None))
    assert (result.outcome, words in result.reason) == (SourceOutcome.FAILED, True), result.reason


@pytest.mark.postgres
async def test_a_database_that_hangs(postgres: ThrowawayPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends, and so does the thread that waited."""
    url = postgres.create_database()
    monkeypatch.setenv("PGPASSWORD", url.split(":")[2].split("@")[0])
    users = SqlQuerySettings(query="SELECT i AS id, pg_sleep(0) FROM generate_series(1, 100000) AS i", key="id")
    source = SqlSource("hr", SqlSourceSettings(url=re.sub(r":\w+@", "@", url), users=users, query_seconds=0.5), ())
    reading = source.read(None)
    async with reading:
        await anext(reading)
        postgres.pause()
        try:
            async for _ in reading:
                pass
        finally:
            postgres.resume()
    assert (reading.result.outcome, reading.result.exhaustive) == (SourceOutcome.PARTIAL, False)
    assert "no answer within 0.5 s" in reading.result.reason


@pytest.mark.postgres
async def test_a_query_that_takes_too_long_is_ended(postgres: ThrowawayPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the server itself, or by us; and by whoever does not wait for it any more."""
    url = postgres.create_database()
    monkeypatch.setenv("PGPASSWORD", url.split(":")[2].split("@")[0])
    plain = re.sub(r":\w+@", "@", url)
    users = SqlQuerySettings(query="SELECT 1 AS id FROM pg_sleep(30)", key="id")
    for seconds in (0.3, 20):
        source = SqlSource("hr", SqlSourceSettings(url=plain, users=users, query_seconds=seconds), ())
        task = asyncio.create_task(take(source.read(None)))
        if seconds > 1:
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            assert (await task)[1].outcome is SourceOutcome.FAILED


def rows_of(*rows: tuple[Any, ...], members: list[tuple[Any, ...]] | None = None) -> tuple[list[SourceChange], list[str]]:
    notes: list[str] = []
    lists = {"member": Cursor(GROUPS.lists["member"], iter(members or []))}
    reader = ObjectRows("group", SqlQuerySettings(query="x", key="id"), lists, notes.append)
    return [change for row in rows for change in reader.changes(row)], notes


def test_rows_out_of_order_are_noticed() -> None:
    """A list's values would go to nobody, and who is there twice would not be noticed."""
    with pytest.raises(OutOfOrder, match="'a' after 'b'"):
        rows_of(("b",), ("a",))
    with pytest.raises(OutOfOrder, match="'a' after 'b'"):
        rows_of(("b",), members=[("b", 1), ("a", 2)])


def test_a_list_belongs_to_its_objects() -> None:
    """Values of objects that are not there are passed over, before, between and after."""
    members = [("a", 1), ("b", 2), ("b", 3), ("c", 4), ("d", 5), ("e", 6)]
    changes, notes = rows_of(("b",), ("d",), members=members)
    assert [[target.key for target in change.links["member"].all or ()] for change in changes] == [
        [b"user:2", b"user:3"],
        [b"user:5"],
    ]
    assert notes == []


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        (memoryview(b"\xff"), AttributeType.BINARY, b"\xff"),
        (b"text", AttributeType.TEXT, "text"),
        (5, AttributeType.TEXT, "5"),
        (1, AttributeType.BOOLEAN, True),
        (True, AttributeType.BOOLEAN, True),
        ("7", AttributeType.NUMBER, 7),
    ],
)
def test_what_drivers_give(cell: object, kind: AttributeType, value: object) -> None:
    """As what the settings say."""
    assert from_cell(cell, kind) == value


@pytest.mark.parametrize(
    ("cell", "kind"), [(b"\xff", AttributeType.TEXT), (2**63, AttributeType.NUMBER), (True, AttributeType.NUMBER)]
)
def test_what_does_not_fit(cell: object, kind: AttributeType) -> None:
    """It is said so, with what was expected."""
    with pytest.raises(NotOfItsType):
        from_cell(cell, kind)


def test_files_that_are_left_behind(tmp_path: Path) -> None:
    """None: SQLite would make a database that is not there."""
    asyncio.run(take(SqlSource("hr", SqlSourceSettings(url=f"sqlite:///{tmp_path}/none.db", users=USERS), ()).read(None)))
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - all of it
