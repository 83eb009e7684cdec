"""Whom an agent knows: thirty days, bounded, and whatever becomes of the process or the file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from gateway.agent.known_people import KNOWN_DAYS, KnownPeople
from gateway.protocol import AccountId
from tests.support.visitors import Clock

ANNA, BEN = AccountId("9d1c", "anna"), AccountId("9d1c", "ben")
DAY = 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_whoever_signed_in_is_known_for_thirty_days(tmp_path: Path, clock: Clock) -> None:
    """To the same account of the same directory, and after a restart."""
    people = KnownPeople(tmp_path, clock)
    assert not people.knows(ANNA)
    people.note(ANNA)
    assert people.knows(ANNA)
    assert not people.knows(AccountId("other", "anna"))
    assert not people.knows(AccountId("9d1", "canna"))  # the parts do not run into each other
    clock.ahead += KNOWN_DAYS * DAY
    for kept in (people, KnownPeople(tmp_path, clock)):
        assert kept.knows(ANNA)
    clock.ahead += DAY
    for kept in (people, KnownPeople(tmp_path, clock)):
        assert not kept.knows(ANNA)
    people.note(ANNA)
    assert people.knows(ANNA)


def test_a_clock_that_was_ahead_for_a_while_costs_nobody_anything(tmp_path: Path, clock: Clock) -> None:
    """A day is borne with; a note of next year is no note."""
    people = KnownPeople(tmp_path, clock)
    clock.ahead += DAY
    people.note(ANNA)
    clock.ahead += 300 * DAY
    people.note(BEN)
    clock.ahead -= 301 * DAY
    assert (people.knows(ANNA), people.knows(BEN)) == (True, False)


def test_the_memory_is_bounded(tmp_path: Path, clock: Clock) -> None:
    """Whoever signed in longest ago is forgotten first; the file does not grow without end, either."""
    people = KnownPeople(tmp_path, clock, most=100)
    for number in range(5_000):
        clock.ahead += DAY / 1_000
        people.note(ANNA)
        people.note(AccountId("9d1c", f"person{number}"))
    assert len(people) == 100
    assert people.knows(ANNA)
    assert people.knows(AccountId("9d1c", "person4999"))
    assert not people.knows(AccountId("9d1c", "person4800"))
    assert (tmp_path / "known-people").stat().st_size < 20 * 2_000
    assert len(KnownPeople(tmp_path, clock, most=100)) == 100


def test_the_files_are_their_owners_and_name_nobody(tmp_path: Path, clock: Clock) -> None:
    """Digests under a key of their own: another agent's file says nothing here."""
    people = KnownPeople(tmp_path, clock)
    people.note(ANNA)
    for name in ("known-people", "known-people.key"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert b"anna" not in (tmp_path / name).read_bytes()
    (tmp_path / "known-people.key").write_bytes(bytes(32))
    assert not KnownPeople(tmp_path, clock).knows(ANNA)


@pytest.mark.parametrize("key", [None, b"", b"short", bytes(33)])
def test_without_the_key_everybody_is_unknown_until_they_sign_in(tmp_path: Path, clock: Clock, key: bytes | None) -> None:
    """A new one is made, and holds from then on."""
    KnownPeople(tmp_path, clock).note(ANNA)
    if key is None:
        (tmp_path / "known-people.key").unlink()
    else:
        (tmp_path / "known-people.key").write_bytes(key)
    people = KnownPeople(tmp_path, clock)
    assert not people.knows(ANNA)
    people.note(BEN)
    assert KnownPeople(tmp_path, clock).knows(BEN)


@pytest.mark.parametrize("cut", range(1, 21))
def test_a_note_that_was_not_written_whole_costs_that_one_alone(tmp_path: Path, clock: Clock, cut: int) -> None:
    """And what is noted after it is read again."""
    people = KnownPeople(tmp_path, clock)
    people.note(ANNA)
    people.note(BEN)
    people.close()
    file = tmp_path / "known-people"
    file.write_bytes(file.read_bytes()[:-cut])
    again = KnownPeople(tmp_path, clock)
    assert (again.knows(ANNA), again.knows(BEN)) == (True, False)
    again.note(BEN)
    assert all(KnownPeople(tmp_path, clock).knows(who) for who in (ANNA, BEN))


@pytest.mark.parametrize("content", [b"", b"ISTHK", b"x" * 1000, b"ISTHKP1\n" + b"\xff" * 1000, b"ISTHKP1\n" + bytes(1000)])
def test_a_file_that_is_damaged_is_nobody(tmp_path: Path, clock: Clock, content: bytes) -> None:
    """It neither stops the agent nor lets anybody be told of."""
    KnownPeople(tmp_path, clock).note(ANNA)
    (tmp_path / "known-people").write_bytes(content)
    people = KnownPeople(tmp_path, clock)
    assert len(people) == 0
    people.note(ANNA)
    assert KnownPeople(tmp_path, clock).knows(ANNA)


def test_a_disk_that_takes_nothing_costs_no_sign_in(tmp_path: Path, clock: Clock) -> None:
    """The note is in memory, and the log says what is the matter; once there is room again, everything is kept."""
    people = KnownPeople(tmp_path, clock)
    people.close()
    home = tmp_path.with_name("away")
    tmp_path.rename(home)
    with structlog.testing.capture_logs() as logs:
        people.note(ANNA)
    assert people.knows(ANNA)
    assert [entry["event"] for entry in logs] == ["known_people.not_kept"]
    home.rename(tmp_path)
    people.note(BEN)
    assert all(KnownPeople(tmp_path, clock).knows(who) for who in (ANNA, BEN))


_NOTE_AND_DIE = """
import os, signal, sys, time
from pathlib import Path
from gateway.agent.known_people import KnownPeople
from gateway.protocol import AccountId
people = KnownPeople(Path(sys.argv[1]), time.time)
for number in range(50):
    people.note(AccountId("9d1c", f"person{number}"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_process_that_is_killed_has_kept_what_it_noted(tmp_path: Path) -> None:
    """Every note, without any goodbye."""
    import time

    died = subprocess.run([sys.executable, "-c", _NOTE_AND_DIE, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    people = KnownPeople(tmp_path, time.time)
    assert all(people.knows(AccountId("9d1c", f"person{number}")) for number in range(50))
