"""The journal in a file: what is on disk, what is refused, who is at it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.procedures import (
    Acknowledged,
    Act,
    ActBegun,
    Acted,
    Completed,
    Event,
    Failed,
    FileJournal,
    JournalError,
    JournalLocked,
    MemoryJournal,
    Started,
    Stopped,
    Turned,
    history,
    read,
)
from foundation.procedures.file_journal import MAX_LINE
from tests.foundation.procedures.lamps import TYPES, LampState

STATE = LampState(colour="red", before={"a": "grey"})
ACT = Act(place="a", what="wire").id("wire")


class OtherState(msgspec.Struct, frozen=True):
    """Of a procedure that knows other things."""

    needed: int


def written(path: Path) -> FileJournal:
    """A journal with a few lines, still open."""
    journal = FileJournal(path, TYPES, now=1_000.0, who="ann@ws1")
    journal.append(Started(id="r1", kind="lamps", subject="house", table="t1", state=STATE), 1_001.0)
    journal.append(ActBegun(act=ACT), 1_002.0)
    journal.append(Acted(act=ACT), 1_003.0)
    journal.append(Completed(stage="wire", state=LampState(colour="red", before={}, made="x")), 1_004.0)
    return journal


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Opening it again gives the record that the writer had, its state typed."""
    with written(tmp_path / "j.jsonl") as journal:
        record = journal.record
    assert read(tmp_path / "j.jsonl", TYPES) == record
    assert record is not None
    assert record.completed == {"wire": 1_004.0}
    assert record.state == LampState(colour="red", before={}, made="x")
    assert record.acted == {ACT: 1_003.0}
    assert [entry.at for entry in history(tmp_path / "j.jsonl", TYPES)] == [1_001.0, 1_002.0, 1_003.0, 1_004.0]
    assert read(tmp_path / "none.jsonl", TYPES) is None
    assert history(tmp_path / "none.jsonl", TYPES) == []


def test_every_event_survives_the_file(tmp_path: Path) -> None:
    """Written, read and folded it is what it was in memory."""
    memory = MemoryJournal(who="ann@ws1")
    events: list[Event] = [
        Started(id="r1", kind="lamps", subject="house", table="t1", state=STATE),
        ActBegun(act=ACT),
        Failed(why="no spool", effect="none"),
        ActBegun(act=ACT),
        Failed(why="no answer", effect="unknown"),
        Stopped(why="enough"),
        Acknowledged(name="cut"),
        Turned(to="start", forget=("unwire",)),
    ]
    with FileJournal(tmp_path / "j.jsonl", TYPES, now=1.0, who="ann@ws1") as journal:
        for at, event in enumerate(events):
            assert journal.append(event, float(at)) == memory.append(event, float(at))
    assert history(tmp_path / "j.jsonl", TYPES) == memory.entries
    record = read(tmp_path / "j.jsonl", TYPES)
    assert record == memory.record
    assert record is not None
    assert (record.begun, record.tries, record.problem) == (ACT, {ACT: 1}, "")


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Mode 0600, and one that others can read is not used."""
    path = tmp_path / "j.jsonl"
    written(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(JournalError, match="open to other users"):
        FileJournal(path, TYPES, now=1.0)


def test_the_state_directory_is_made_private(tmp_path: Path) -> None:
    """Whatever is written there first: keys and ledgers refuse one that others can enter."""
    written(tmp_path / "state" / "lamps" / "j.jsonl").close()
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "state", tmp_path / "state" / "lamps")] == [0o700, 0o700]


def test_the_second_administrator_is_told_who_has_it(tmp_path: Path) -> None:
    """Who, and since when; and nothing is written."""
    path = tmp_path / "j.jsonl"
    with written(path) as journal:
        before = path.read_bytes()
        with pytest.raises(JournalLocked, match=r"ann@ws1, process \d+, since 1970-01-01 00:16:40Z"):
            FileJournal(path, TYPES, now=2_000.0, who="bob@ws2")
        assert path.read_bytes() == before
        assert journal.record is not None
    FileJournal(path, TYPES, now=2_000.0, who="bob@ws2").close()


@given(st.integers(min_value=1, max_value=400))
def test_a_torn_last_line_is_cut_off(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Whatever is left of the last line after a kill, the record is that of the lines before, and writing goes on."""
    path = tmp_path_factory.mktemp("torn") / "j.jsonl"
    written(path).close()
    lines = path.read_bytes().splitlines(keepends=True)
    keep = min(cut, len(lines[-1]) - 1)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:keep])
    with FileJournal(path, TYPES, now=2_000.0) as journal:
        assert journal.record is not None
        assert journal.record.completed == {}
        journal.append(Completed(stage="wire"), 2_001.0)
    record = read(path, TYPES)
    assert record is not None
    assert record.completed == {"wire": 2_001.0}


@given(st.data())
def test_any_damage_is_an_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """One byte changed anywhere but in the last line end, a line left out or doubled: refused, the file left alone."""
    path = tmp_path_factory.mktemp("damaged") / "j.jsonl"
    written(path).close()
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    how = data.draw(st.sampled_from(["byte", "missing", "doubled"]))
    if how == "byte":
        at = data.draw(st.integers(0, len(content) - 2))
        byte = data.draw(st.integers(0, 255).filter(lambda value: value != content[at]))
        content = content[:at] + bytes([byte]) + content[at + 1 :]
    else:
        number = data.draw(st.integers(0, len(lines) - 2))
        lines[number : number + 1] = [] if how == "missing" else [lines[number]] * 2
        content = b"".join(lines)
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"line \d"):
        FileJournal(path, TYPES, now=2_000.0)
    assert path.read_bytes() == content


def test_a_line_of_another_journal_is_an_error(tmp_path: Path) -> None:
    """Whole in itself and of the right number, it does not follow on what stands before it here."""
    for name, at in (("one", 1.0), ("two", 2.0)):
        with FileJournal(tmp_path / name, TYPES, now=at, who="ann@ws1") as journal:
            journal.append(Started(id=name, kind="lamps", subject="house", table="t1", state=STATE), at)
            journal.append(ActBegun(act=ACT), 3.0)
    first, _ = (tmp_path / "one").read_bytes().splitlines(keepends=True)
    _, second = (tmp_path / "two").read_bytes().splitlines(keepends=True)
    (tmp_path / "one").write_bytes(first + second)
    with pytest.raises(JournalError, match=r"line 2: .* does not fit what stands before it"):
        read(tmp_path / "one", TYPES)


@pytest.mark.parametrize(("written_as", "found"), [(b'"at":1001.0', b'"at":1001E0'), (b"}\n", b"}\r")])
def test_another_spelling_of_the_same_content_is_damage(written_as: bytes, found: bytes, tmp_path: Path) -> None:
    """Nothing but the bytes that were written is believed: these have the same checksums."""
    path = tmp_path / "j.jsonl"
    written(path).close()
    path.write_bytes(path.read_bytes().replace(written_as, found, 1))
    with pytest.raises(JournalError, match=r"line 1: is damaged"):
        read(path, TYPES)


@pytest.mark.parametrize(
    ("version", "words"),
    [(4, "journal version 4, this one knows 3"), (2, "of journal version 2, this Isthmus knows 3")],
)
def test_another_version_is_left_alone(version: int, words: str, tmp_path: Path) -> None:
    """It says which version, and what to use."""
    path = tmp_path / "j.jsonl"
    written(path).close()
    line = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps({**line, "v": version, "new": "field"}) + "\n")
    with pytest.raises(JournalError, match=words):
        read(path, TYPES)


def test_a_full_disk_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written down is an error before it is done; after it, nobody says that nothing was done."""
    with written(tmp_path / "j.jsonl") as journal:

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(JournalError, match=r"No space left.*nothing was done"):
            journal.append(ActBegun(act=ACT), 3.0)
        with pytest.raises(JournalError, match="an act was done whose end could not be written down"):
            journal.append(Acted(act=ACT), 3.0)


def test_it_continues_after_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line that the full disk left is not continued by the next one, also where the process lives on."""
    path = tmp_path / "j.jsonl"
    with written(path) as journal:
        write, left = os.write, [b"half"]

        def full(descriptor: int, data: bytes) -> int:
            if left:
                return write(descriptor, left.pop())
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(JournalError, match="No space left"):
                journal.append(Stopped(why="first"), 5.0)
        assert path.read_bytes().endswith(b"half")
        record = journal.append(Stopped(why="second"), 6.0)
    assert record.problem == "second"
    assert read(path, TYPES) == record


def test_a_disk_without_room_for_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said like any other trouble with the journal."""

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError, match="No space left"):
        FileJournal(tmp_path / "j.jsonl", TYPES, now=1.0, who="ann@ws1")


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    """A line that is too long, or of a kind that this journal is not for, would lock everybody out of it."""
    with written(tmp_path / "j.jsonl") as journal:
        before = journal.record
        with pytest.raises(JournalError, match="cannot write 'stopped'"):
            journal.append(Stopped(why="x" * MAX_LINE), 5.0)
        assert journal.record == before
    with FileJournal(tmp_path / "other.jsonl", TYPES, now=1.0) as journal:
        with pytest.raises(JournalError, match="cannot write 'started' of party"):
            journal.append(Started(id="r", kind="party", subject="house", table="t1", state=STATE), 5.0)
        assert journal.record is None
    assert read(tmp_path / "j.jsonl", TYPES) == before


def test_half_a_character_is_kept(tmp_path: Path) -> None:
    """Error texts come from servers; one that is no proper text must not hide that the act failed."""
    with written(tmp_path / "j.jsonl") as journal:
        record = journal.append(Stopped(why="no \ud83d here"), 5.0)
    assert read(tmp_path / "j.jsonl", TYPES) == record


@pytest.mark.parametrize("at", ["null", '"noon"', "9" * 400])
def test_a_time_that_is_none(at: str, tmp_path: Path) -> None:
    """Although the checksum fits."""
    path = tmp_path / "j.jsonl"
    fields = {"v": 3, "n": 1, "at": json.loads(at), "by": "ann", "kind": "stopped", "data": {"why": "x"}}
    content = json.dumps(fields, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:32]
    path.write_text(json.dumps({**fields, "sum": digest}, separators=(",", ":")) + "\n")
    with pytest.raises(JournalError, match="line 1: is damaged"):
        read(path, TYPES)


def test_lines_that_cannot_follow_are_refused(tmp_path: Path) -> None:
    """A second start while something is under way, or an act of nothing."""
    second = Started(id="r2", kind="lamps", subject="house", table="t1", state=STATE)
    with written(tmp_path / "j.jsonl") as journal, pytest.raises(JournalError, match="second start"):
        journal.append(second, 9.0)
    with FileJournal(tmp_path / "empty.jsonl", TYPES, now=1.0) as journal:
        with pytest.raises(JournalError, match="nothing is under way"):
            journal.append(ActBegun(act=ACT), 9.0)
        assert journal.record is None


def test_work_of_a_kind_that_is_not_known_is_left_alone(tmp_path: Path) -> None:
    """Nor is a state taken that is not of its type."""
    path = tmp_path / "j.jsonl"
    written(path).close()
    with pytest.raises(JournalError, match="of 'lamps', which is not known here"):
        read(path, {})
    with pytest.raises(JournalError, match="'started' is not as it should be"):
        read(path, {"lamps": OtherState})
