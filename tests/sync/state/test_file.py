"""The file: private, versioned, fenced, and safe when it is damaged or the disk is full."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sync.model import ConfirmedAccount, ObjectKind
from sync.state import (
    LeaseHeld,
    LeaseLost,
    ReadingKind,
    StateDamaged,
    StateTooNew,
    StateUnavailable,
    open_state,
)
from sync.state.database import StateFile
from sync.state.schema import MIGRATIONS
from tests.sync.state.support import COOKIE, NOW, account, changed, found, new_state, read, whole

A, B = b"a" * 16, b"b" * 16
STEP = "CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT;\nINSERT INTO names (kind, text) VALUES ('rule', 'added later');"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def test_nobody_else_can_read_it(path: Path) -> None:
    """The file and what SQLite keeps beside it."""
    before = os.umask(0)
    try:
        state = new_state(path)
        read(state, whole(A))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    state.close()


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    """It says what people's directories hold, and perhaps has been read already."""
    new_state(path).close()
    path.chmod(0o640)
    with pytest.raises(StateUnavailable, match=r"mode 0640.*chmod 600"):
        open_state(path)


def test_a_link_in_place_of_the_file_is_refused(path: Path) -> None:
    """Somebody else may have put it there."""
    path.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(StateUnavailable, match="not a regular file"):
        open_state(path)
    assert not path.with_name("elsewhere").exists()


def test_a_folder_that_is_not_there_is_named(path: Path) -> None:
    """With what to check."""
    with pytest.raises(StateUnavailable, match="missing"):
        open_state(path.parent / "missing" / "state.db")


def test_an_older_state_is_migrated(path: Path) -> None:
    """Step by step, and once; what is in it stays."""
    state = new_state(path)
    read(state, whole(A, sn="A"))
    state.close()
    for _ in range(2):
        file = StateFile(path, migrations=(*MIGRATIONS, STEP))
        assert file.all("SELECT text FROM names WHERE kind = 'rule'") == [("added later",)]
        assert file.one("PRAGMA user_version") == (len(MIGRATIONS) + 1,)
        file.close()


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    """The old version can still be run."""
    new_state(path).close()
    with pytest.raises(StateUnavailable):
        StateFile(path, migrations=(*MIGRATIONS, STEP, "CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT;"))
    file = StateFile(path)
    assert file.one("SELECT count(*) FROM names WHERE kind = 'rule'") == (0,)
    file.close()


def test_a_newer_state_is_refused_and_not_touched(path: Path) -> None:
    """The error names both versions."""
    StateFile(path, migrations=(*MIGRATIONS, STEP)).close()
    before = path.read_bytes()
    with pytest.raises(StateTooNew, match=rf"schema {len(MIGRATIONS) + 1}.*knows {len(MIGRATIONS)}"):
        open_state(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_not_touched(path: Path) -> None:
    """A wrong path in the settings must not add tables to it."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(StateDamaged, match="another program"):
        open_state(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 400, b"SQLite format 3\0" + b"\xff" * 4096])
def test_what_is_no_database_is_refused_and_not_touched(path: Path, content: bytes) -> None:
    """The error says what to do."""
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StateDamaged, match="Restore it from a backup"):
        open_state(path)
    assert path.read_bytes() == content


def test_a_damaged_page_is_an_error_and_nothing_is_written_afterwards(path: Path) -> None:
    """Found where it is read, or by `verify`."""
    state = new_state(path)
    read(state, *(whole(b"%016d" % number, text="x" * 500) for number in range(400)))
    state.close()
    content = bytearray(path.read_bytes())
    for page in range(0, len(content), 4096):
        if b"x" * 100 in content[page : page + 4096]:
            content[page : page + 200] = b"\xa5" * 200
    path.write_bytes(content)
    state = open_state(path)
    with pytest.raises(StateDamaged, match=r"damaged.*backup"):
        state.verify()
    with pytest.raises(StateDamaged):
        list(state.objects.all("ad"))
    with pytest.raises(StateDamaged):
        state.journal.begin_run("run", NOW)
    state.close()


def test_content_that_cannot_be_decoded_is_damage(path: Path) -> None:
    """Not an error of the decoder somewhere else."""
    state = new_state(path)
    read(state, whole(A))
    with state.transaction():
        state._file.run("UPDATE objects SET content = x'c1'")  # type: ignore[attr-defined]
    with pytest.raises(StateDamaged, match="object"):
        state.objects.find("ad", A)
    with pytest.raises(StateDamaged):
        read(state, changed(A, sn="x"))
    state.close()


def test_a_full_disk_loses_nothing_that_was_confirmed(path: Path) -> None:
    """What does not fit is not half there, and the state can be used when there is room again."""
    state = new_state(path)
    read(state, whole(A, sn="A"))
    state.accounts.confirm(account(1, sn="A"))
    file = state._file  # type: ignore[attr-defined]
    pages = file.one("PRAGMA page_count")[0]
    file.run(f"PRAGMA max_page_count = {pages + 2}")
    large = [whole(b"%016d" % number, text="x" * 900) for number in range(200)]
    reading = state.begin_reading("ad", ReadingKind.DELTA, 1, NOW)
    with pytest.raises(StateUnavailable, match="free some disk space"):
        reading.apply(large)
    assert found(state, A).values == {"sn": "A"}
    assert state.accounts.find(1, "app") is not None
    assert state.objects.count("ad") == 1
    assert state.objects.status("ad").cookie == COOKIE
    state.verify()
    file.run("PRAGMA max_page_count = 1000000")
    read(state, *large)
    assert state.objects.count("ad") == 201
    state.close()


def test_who_lost_the_lease_is_refused_at_its_next_write(path: Path) -> None:
    """Whatever it was going to write: nothing of it is there."""
    first, second = open_state(path), open_state(path)
    assert first.take_lease("first", NOW, 60.0) == 1
    read(first, whole(A, sn="A"))
    reading = first.begin_reading("ad", ReadingKind.DELTA, 1, NOW)
    with pytest.raises(LeaseHeld, match=r"first.*30 s"):
        second.take_lease("second", NOW + 30, 60.0)
    assert second.take_lease("second", NOW + 61, 60.0) == 2
    for write in (
        lambda: reading.apply([changed(A, sn="B")]),
        lambda: reading.finish(complete=True, now=NOW),
        lambda: first.journal.begin_run("run", NOW),
        lambda: first.accounts.confirm(account(1)),
        lambda: first.persons.create(ObjectKind.USER),
        lambda: first.renew_lease(NOW, 60.0),
    ):
        with pytest.raises(LeaseLost, match="taken over by second"):
            write()
    assert found(second, A).values == {"sn": "A"}
    first.release_lease()
    second.renew_lease(NOW + 70, 60.0)
    with pytest.raises(LeaseHeld):
        first.take_lease("first", NOW + 100, 60.0)
    second.release_lease()
    assert first.take_lease("first", NOW + 100, 60.0) == 3
    first.close()
    second.close()


def test_nothing_is_written_without_the_lease(path: Path) -> None:
    """A command that only looks cannot change anything by mistake."""
    state = open_state(path)
    with pytest.raises(LeaseLost, match="has not taken the lease"):
        state.begin_reading("ad", ReadingKind.FULL, 1, NOW)
    state.close()


def test_of_two_that_take_the_lease_together_one_gets_it(path: Path) -> None:
    """At the same instant, from two connections."""
    open_state(path).close()
    results: list[object] = []
    gate = threading.Barrier(4)

    def take(number: int) -> None:
        state = open_state(path)
        gate.wait(10)
        try:
            results.append(state.take_lease(f"process {number}", NOW, 60.0))
        except LeaseHeld:
            results.append(None)
        state.close()

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results, key=str) == [1, None, None, None]


def test_what_fails_inside_a_transaction_takes_the_whole_with_it(path: Path) -> None:
    """Also what was remembered of it in memory."""
    state = new_state(path)

    def fail() -> None:
        with state.transaction():
            read(state, whole(A, newattribute="A"))
            state.persons.join("ad", A, state.persons.create(ObjectKind.USER), "rule", NOW)
            raise ZeroDivisionError

    def fail_inside() -> None:
        with state.transaction():
            state.persons.create(ObjectKind.USER)
            with contextlib.suppress(ZeroDivisionError):
                fail()

    with pytest.raises(ZeroDivisionError):
        fail()
    assert state.objects.find("ad", A) is None
    read(state, whole(B, newattribute="B"))
    other = open_state(path)
    assert found(other, B).values == {"newattribute": "B"}
    other.close()
    with pytest.raises(RuntimeError, match="failed"):
        fail_inside()
    assert state.objects.find("ad", A) is None
    assert list(state.persons.all()) == []
    state.close()


KILLED = """
import os, sys
from pathlib import Path
from sync.state import ReadingKind
from tests.sync.state.support import COOKIE, NOW, new_state, whole
state = new_state(Path(sys.argv[1]))
reading = state.begin_reading("ad", ReadingKind.FULL, 1, NOW)
reading.apply([whole(b"a" * 16, sn="A")])
if sys.argv[2] == "during":
    context = state.transaction()
    context.__enter__()
    state.persons.create("user")
    os._exit(9)
reading.finish(complete=True, cookie=COOKIE, now=NOW)
os._exit(9)
"""


@pytest.mark.parametrize(("when", "cookie"), [("during", None), ("after", COOKIE)])
def test_a_killed_process_leaves_no_cookie_ahead_of_its_data(path: Path, when: str, cookie: bytes | None) -> None:
    """What was applied is there, the cookie only with the end of the reading, and nothing of an open transaction."""
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), when], check=False, capture_output=True)
    assert killed.returncode == 9, killed.stderr.decode()
    state = open_state(path)
    assert found(state, A).values == {"sn": "A"}
    status = state.objects.status("ad")
    assert (status.cookie, status.complete) == (cookie, cookie is not None)
    assert list(state.persons.all()) == []
    state.verify()
    state.close()


def test_pages_do_not_hold_the_file(path: Path) -> None:
    """Whoever goes through all objects can write in between, and sees each of them once."""
    state = new_state(path)
    read(state, *(whole(b"%016d" % number) for number in range(1200)))
    seen = []
    for known in state.objects.all("ad"):
        seen.append(known.key)
        if len(seen) % 400 == 0:
            state.accounts.confirm(ConfirmedAccount(len(seen), "app", ObjectKind.USER, "a", "r"))
    assert seen == [b"%016d" % number for number in range(1200)]
    state.close()
