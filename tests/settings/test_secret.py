"""Secrets in files: who may be able to read them, and what may be in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from settings import UnusableFile, check_secret_file, read_secret
from settings.secret import LONGEST

SECRET = "Grüße: hunter2 #"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(0o600)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r"])
def test_one_line_end_is_cut_off(file: Path, end: str) -> None:
    """Editors add one; blanks belong to the secret."""
    file.write_bytes(f" {SECRET} {end}".encode())
    assert read_secret(file) == f" {SECRET} "


def test_a_secret_is_read_anew(file: Path) -> None:
    """It may be replaced while a process runs; by a link too, as orchestrators do."""
    file.write_text("first")
    link = file.with_name("link")
    link.symlink_to(file)
    assert read_secret(link) == "first"
    file.write_text("second")
    assert read_secret(link) == "second"


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty; put the secret there"),
    "a line end only": (b"\r\n", "is empty; put the secret there"),
    "two lines": (SECRET.encode() + b"\n\n", "has more than one line; it must hold the secret and nothing else"),
    "a comment above": (b"# it\n" + SECRET.encode(), "has more than one line; it must hold the secret and nothing else"),
    "NUL": (SECRET.encode() + b"\0", "has more than one line; it must hold the secret and nothing else"),
    "latin-1": (SECRET.encode("latin-1"), "is not UTF-8 text; save it as UTF-8"),
    "utf-16": (SECRET.encode("utf-16"), "begins with a byte order mark; save it as UTF-8 without one"),
    "byte order mark": (SECRET.encode("utf-8-sig"), "begins with a byte order mark; save it as UTF-8 without one"),
    "too large": (b"hunter2" * LONGEST, f"has more than {LONGEST} bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_secret_is_told_and_not_quoted(file: Path, name: str) -> None:
    """Neither by the error nor by the one behind it."""
    content, said = BAD[name]
    file.write_bytes(content)
    with pytest.raises(UnusableFile) as caught:
        read_secret(file)
    assert str(caught.value) == f"{file} {said}"
    assert "hunter2" not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_the_longest_secret(file: Path) -> None:
    """To the byte."""
    file.write_bytes(b"x" * LONGEST)
    assert len(read_secret(file)) == LONGEST


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nor is a directory, nor what is not there, anything but an error."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, said in [
        (tmp_path / "pipe", "is not a regular file, but a pipe or a device"),
        (tmp_path, "is a directory"),
        (tmp_path / "none", "cannot be read (No such file or directory)"),
    ]:
        with pytest.raises(UnusableFile) as caught:
            read_secret(path)
        assert str(caught.value) == f"{path} {said}"


MODES = {  # of a file of root's, and of one of somebody else who reads it
    0o600: (True, True),
    0o400: (True, True),
    0o440: (True, False),
    0o640: (True, False),
    0o660: (False, False),
    0o650: (False, False),
    0o604: (False, False),
    0o644: (False, False),
    0o602: (False, False),
    0o601: (False, False),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("owner", ["root", "ours"])
def test_who_may_read_it(file: Path, mode: int, owner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else; a group where root gave it to one, which is also what systemd's credentials look like."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    file.write_text(SECRET)
    file.chmod(mode)
    if owner == "ours":
        os.chown(file, 65534, -1)
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
    if MODES[mode][owner == "ours"]:
        assert read_secret(file) == SECRET
        check_secret_file(file)
        return
    for look in (read_secret, check_secret_file):
        with pytest.raises(UnusableFile) as caught:
            look(file)
        assert str(caught.value) == (
            f"{file} is open to other users (mode {mode:04o}); run chmod 600 {file} and replace what it holds"
        )


def test_a_file_that_is_not_there_is_open_to_nobody(tmp_path: Path) -> None:
    """It is an error of the settings all the same."""
    with pytest.raises(UnusableFile, match="cannot be read"):
        check_secret_file(tmp_path / "none")
    with pytest.raises(UnusableFile, match="cannot be read"):
        check_secret_file(tmp_path / "a\0b")


def test_a_file_of_somebody_else_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it can read it, and change it."""
    file.write_text(SECRET)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    if os.getuid() == 0:
        os.chown(file, 65533, -1)
    with pytest.raises(UnusableFile, match=r"belongs to user \d+; run this as that user, or chown it to user 65534"):
        read_secret(file)
