"""The journal: what is on disk, what is refused, who is at it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adfs_mgmt.remoting import Secret, make_command
from adfs_mgmt.rollover import journal as journals
from adfs_mgmt.rollover.errors import JournalError, JournalLocked
from adfs_mgmt.rollover.journal import Journal
from adfs_mgmt.rollover.model import Act

ACT = Act(host="n1", what=make_command("Set-AdfsProperties", AutoCertificateRollover=False))


def written(path: Path) -> Journal:
    """A journal with a few lines, still open."""
    journal = Journal(path, now=1_000.0, who="ann@ws1")
    journal.start("r1", "token", "prod", {"old/Token-Signing": "A" * 40}, now=1_001.0)
    journal.begin("freeze", ACT, now=1_002.0)
    journal.acted("freeze", ACT, now=1_003.0)
    journal.hold("freeze", {"x": "y"}, now=1_004.0)
    return journal


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Opening it again gives the record that the writer had."""
    with written(tmp_path / "j.jsonl") as journal:
        record = journal.record
    assert journals.read(tmp_path / "j.jsonl") == record
    assert record is not None
    assert record.held == {"freeze": 1_004.0}
    assert record.facts["x"] == "y"
    assert list(record.acted.values()) == [1_003.0]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Mode 0600, and one that others can read is not used."""
    path = tmp_path / "j.jsonl"
    written(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(JournalError, match="open to other users"):
        Journal(path, now=1.0)


def test_the_second_administrator_is_told_who_has_it(tmp_path: Path) -> None:
    """Who, and since when; and nothing is written."""
    path = tmp_path / "j.jsonl"
    with written(path) as journal:
        before = path.read_bytes()
        with pytest.raises(JournalLocked, match=r"ann@ws1, process \d+, since 1970-01-01 00:16:40Z"):
            Journal(path, now=2_000.0, who="bob@ws2")
        assert path.read_bytes() == before
        assert journal.record is not None
    Journal(path, now=2_000.0, who="bob@ws2").close()


@given(st.integers(min_value=1, max_value=400))
def test_a_torn_last_line_is_cut_off(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Whatever is left of the last line after a kill, the record is that of the lines before, and writing goes on."""
    path = tmp_path_factory.mktemp("torn") / "j.jsonl"
    written(path).close()
    lines = path.read_bytes().splitlines(keepends=True)
    keep = min(cut, len(lines[-1]) - 1)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:keep])
    with Journal(path, now=2_000.0) as journal:
        assert journal.record is not None
        assert journal.record.held == {}
        journal.hold("freeze", {}, now=2_001.0)
    record = journals.read(path)
    assert record is not None
    assert record.held == {"freeze": 2_001.0}


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
        Journal(path, now=2_000.0)
    assert path.read_bytes() == content


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """It says which version, and what to use."""
    path = tmp_path / "j.jsonl"
    written(path).close()
    line = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps({**line, "v": 2, "new": "field"}) + "\n")
    with pytest.raises(JournalError, match="journal version 2, this one knows 1"):
        journals.read(path)


def test_a_full_disk_stops_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written down is an error before it is done."""
    with written(tmp_path / "j.jsonl") as journal:

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(JournalError, match="No space left"):
            journal.begin("promote", ACT, now=3.0)


def test_secrets_are_not_in_it(tmp_path: Path) -> None:
    """A command with a password and a key is written as it is shown to people."""
    act = Act(host="n1", what=make_command("Import-IsthmusCertificate", Pfx=b"the key", Password=Secret("swordfish")))
    with written(tmp_path / "j.jsonl") as journal:
        journal.begin("import", act, now=5.0)
    content = (tmp_path / "j.jsonl").read_text()
    assert "Import-IsthmusCertificate" in content
    assert "swordfish" not in content
    assert "the key" not in content


def test_lines_that_cannot_follow_are_refused(tmp_path: Path) -> None:
    """A second start while something is under way, or an act of nothing."""
    with written(tmp_path / "j.jsonl") as journal, pytest.raises(JournalError, match="second start"):
        journal.start("r2", "token", "prod", {}, now=9.0)
    with Journal(tmp_path / "empty.jsonl", now=1.0) as journal, pytest.raises(JournalError, match="nothing is under way"):
        journal.begin("freeze", ACT, now=9.0)
