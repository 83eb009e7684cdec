"""The real machine: files with their owner, whole or not at all; what systemd says; the units that are installed."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.setup import FileAccess, PosixMachine, ProgramFailed, UserIds, isthmus_command, unit_text
from isthmus.setup.posix import unit_state

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
OURS = FileAccess(os.geteuid(), os.getegid(), 0o640)


def access_of(path: Path) -> FileAccess:
    status = path.stat()
    return FileAccess(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def test_a_file_is_written_as_a_whole(tmp_path: Path) -> None:
    """Over what a setup left that was killed while it wrote."""
    (tmp_path / ".x.new").write_text("half")
    PosixMachine().write(tmp_path / "x", b"whole", OURS)
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert access_of(tmp_path / "x") == OURS
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_is_never_written_through_a_link(tmp_path: Path) -> None:
    """Neither through one that lies where the new file is made."""
    (tmp_path / "other").write_text("theirs")
    (tmp_path / ".x.new").symlink_to("other")
    PosixMachine().write(tmp_path / "x", b"ours", OURS)
    assert (tmp_path / "other").read_text() == "theirs"
    (tmp_path / "link").symlink_to("other")
    with pytest.raises(OSError, match="symbolic"):
        PosixMachine().set_access(tmp_path / "link", OURS)


def test_our_own_commands_are_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever root is: anybody may have put a program of that name into the directory, such as /tmp."""
    (tmp_path / "isthmus").mkdir()
    (tmp_path / "isthmus" / "__init__.py").write_text("")
    (tmp_path / "isthmus" / "__main__.py").write_text("print('theirs')")
    monkeypatch.chdir(tmp_path)
    assert PosixMachine().isthmus(["--version"]).startswith("isthmus")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    assert isthmus_command() == f"{tmp_path / 'bin' / 'python'} -P -m isthmus"


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    """A service that was taken over waits for root with a pipe where its certificate was, or a link to a device."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 1 << 40)
    machine = PosixMachine()
    for name, problem in (("pipe", "pipe or a device"), ("link", "pipe or a device"), ("large", "more than")):
        with pytest.raises(OSError, match=problem):
            machine.read(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        machine.read(tmp_path / "missing")
    assert machine.names(tmp_path) == {"pipe", "link", "large"}


@as_root
def test_what_is_made_belongs_to_whom_it_is_for(tmp_path: Path) -> None:
    """Directories above it are root's, whatever the umask is."""
    before = os.umask(0o077)
    try:
        PosixMachine().make_directory(tmp_path / "a" / "b", FileAccess(65534, 65534, 0o700))
    finally:
        os.umask(before)
    assert access_of(tmp_path / "a") == FileAccess(0, 0, 0o755)
    assert access_of(tmp_path / "a" / "b") == FileAccess(65534, 65534, 0o700)
    PosixMachine().write(tmp_path / "a" / "c", b"", FileAccess(0, 65534, 0o640))
    assert access_of(tmp_path / "a" / "c") == FileAccess(0, 65534, 0o640)


@as_root
def test_whether_a_user_can_read_a_file_is_tried(tmp_path: Path) -> None:
    """The directories above it count, too."""
    machine, nobody = PosixMachine(), UserIds(65534, 65534)
    tmp_path.chmod(0o755)
    place = next(parent for parent in (Path("/dev/shm"), Path("/tmp")) if parent.is_dir())  # noqa: S108
    open_to_all = place / f"isthmus-readable-{os.getpid()}"
    open_to_all.mkdir()
    try:
        (open_to_all / "key").write_text("")
        (open_to_all / "key").chmod(0o640)
        assert not machine.readable_by(open_to_all / "key", nobody)
        os.chown(open_to_all / "key", 0, 65534)
        assert machine.readable_by(open_to_all / "key", nobody)
        assert not machine.readable_by(open_to_all / "key", None)
        open_to_all.chmod(0o700)
        assert not machine.readable_by(open_to_all / "key", nobody)
    finally:
        shutil.rmtree(open_to_all)


def test_entries_and_users(tmp_path: Path) -> None:
    """Nothing, a file, a directory, a link; root, and nobody of such a name."""
    machine = PosixMachine()
    (tmp_path / "link").symlink_to("gone")
    assert machine.entry(tmp_path / "gone") is None
    assert machine.entry(Path(__file__) / "below") is None
    kinds = [machine.entry(path) for path in (tmp_path, Path(__file__), tmp_path / "link", Path("/dev/null"))]
    assert [entry.kind for entry in kinds if entry] == ["directory", "file", "link", "other"]
    assert machine.user("root") == UserIds(0, 0)
    assert machine.user("nobody-of-this-name") is None


def test_one_of_our_commands_is_run() -> None:
    """What it says is an error's text; its exit code is told."""
    machine = PosixMachine()
    assert "isthmus relay setup" not in machine.isthmus(["--version"])
    with pytest.raises(ProgramFailed, match="No such command 'nonsense'"):
        machine.isthmus(["nonsense"])


def test_nobody_answers() -> None:
    """That is None, no error."""
    assert PosixMachine().http_status("http://127.0.0.1:1/healthz") is None


@pytest.mark.parametrize(
    ("shown", "enabled", "active", "started_at", "stale"),
    [
        ({"ActiveState": "inactive", "UnitFileState": "", "NeedDaemonReload": "no"}, False, False, None, False),
        (
            {
                "ActiveState": "active",
                "UnitFileState": "enabled",
                "NeedDaemonReload": "yes",
                "ActiveEnterTimestampMonotonic": "40000000",
            },
            True,
            True,
            990.0,
            True,
        ),
        (
            {"ActiveState": "failed", "UnitFileState": "disabled", "ActiveEnterTimestampMonotonic": "0"},
            False,
            False,
            None,
            False,
        ),
    ],
)
def test_what_systemctl_shows(
    shown: dict[str, str], enabled: bool, active: bool, started_at: float | None, stale: bool
) -> None:
    """Times are since the machine's start; here it is 50 s ago, and the clock shows 1000."""
    state = unit_state(shown, monotonic=50.0, now=1000.0)
    assert (state.enabled, state.active, state.started_at, state.stale) == (enabled, active, started_at, stale)


@pytest.mark.parametrize("kind", ["relay", "agent"])
def test_an_installed_unit_is_for_this_machine(kind: str, tmp_path: Path) -> None:
    """Command, settings, user, state and port; and systemd finds nothing wrong with it."""
    text = unit_text(
        kind,
        command=sys.executable,
        config=Path("/etc/x.toml"),
        state_dir=Path("/srv/state"),
        user="svc",
        low_port=True,
    )
    assert f"ExecStart={sys.executable} {kind} run --config /etc/x.toml\n" in text
    assert "User=svc\nGroup=svc\n" in text
    assert "ReadWritePaths=/srv/state\n" in text
    assert "StateDirectory" not in text
    assert re.findall(r"(?m)^\w+=CAP_NET_BIND_SERVICE$", text) != []
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    path = tmp_path / f"isthmus-{kind}.service"
    path.write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--recursive-errors=no", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_unit_as_it_comes() -> None:
    """With the usual places it is the file that the documentation names."""
    usual = unit_text(
        "relay",
        command="/opt/isthmus/bin/isthmus",
        config=Path("/etc/isthmus/relay.toml"),
        state_dir=Path("/var/lib/isthmus-relay"),
        user="isthmus-relay",
    )
    assert usual == (Path(__file__).parents[3] / "deploy/systemd/isthmus-relay.service").read_text()


def test_what_comes_where_the_new_file_is_made_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is faster: the file has to be new."""
    (tmp_path / ".x.new").write_text("theirs")
    monkeypatch.setattr(Path, "unlink", lambda *_arguments, **_named: None)
    with pytest.raises(FileExistsError):
        PosixMachine().write(tmp_path / "x", b"ours", OURS)
    assert (tmp_path / ".x.new").read_text() == "theirs"
