"""Whether a store could be opened, asked without making or changing anything."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from demo.postgres import ThrowawayPostgres
from gateway.store import StoreTooNew, StoreUnavailable, check_store, open_store
from tests.gateway.store.conftest import SECRET


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "relay.db"


async def made(path: Path) -> None:
    await open_store(f"sqlite:///{path}", secret=SECRET, node="relay1").close()


def test_a_database_that_is_not_there_is_not_made(path: Path) -> None:
    """Its directory has to be there."""
    check_store(f"sqlite:///{path}")
    assert not list(path.parent.iterdir())
    with pytest.raises(StoreUnavailable, match="cannot be made in that directory"):
        check_store(f"sqlite:///{path.parent / 'gone' / 'relay.db'}")


async def test_a_database_in_use_is_good_and_stays_as_it_is(path: Path) -> None:
    """Nothing is added beside it, whether or not a relay has it open."""
    store = open_store(f"sqlite:///{path}", secret=SECRET, node="relay1")
    before = contents(path.parent)
    check_store(f"sqlite:///{path}")
    assert contents(path.parent) == before
    await store.close()
    before = contents(path.parent)
    check_store(f"sqlite:///{path}")
    assert contents(path.parent) == before


def contents(directory: Path) -> dict[str, int]:
    return {entry.name: entry.stat().st_mtime_ns for entry in directory.iterdir() if not entry.name.endswith("-shm")}


async def test_a_schema_of_a_later_release_is_told_so(path: Path) -> None:
    """As at the start."""
    await made(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE schema_state SET readable_from = '99.1.0'")
    connection.close()
    with pytest.raises(StoreTooNew, match=r"schema 9999\); install 99\.1\.0 or later"):
        check_store(f"sqlite:///{path}")


def test_an_empty_schema_is_not_migrated(path: Path) -> None:
    """That is left to the start."""
    sqlite3.connect(path).execute("CREATE TABLE other (id INTEGER)").connection.close()
    path.chmod(0o600)
    check_store(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("other",)]
    connection.close()


@pytest.mark.parametrize("damage", ["open to others", "no database"])
def test_a_database_that_could_not_be_opened_is_told_so(path: Path, damage: str) -> None:
    """With what to do."""
    path.write_bytes(b"" if damage == "open to others" else b"not a database" * 1000)
    path.chmod(0o644 if damage == "open to others" else 0o600)
    words = {"open to others": "run chmod 600", "no database": "restore it from the backup"}[damage]
    with pytest.raises(StoreUnavailable, match=words):
        check_store(f"sqlite:///{path}")


@pytest.mark.postgres
def test_a_server_is_connected_to(postgres: ThrowawayPostgres) -> None:
    """An empty database is good; one that is not there is told of."""
    url = postgres.create_database()
    check_store(url)
    with pytest.raises(StoreUnavailable, match="create it, or correct store_url"):
        check_store(url.replace("/relay", "/gone") if "/relay" in url else url.rpartition("/")[0] + "/gone")
