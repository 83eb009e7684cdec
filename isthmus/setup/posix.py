"""The machine that this process runs on: Linux, with or without systemd."""

from __future__ import annotations

import errno
import http.client
import os
import pwd
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from certs import sync_directory
from isthmus.setup.machine import FileAccess, PathEntry, ProgramFailed, UnitState, UserIds, kind_of
from settings import UnusableFile, read_regular, read_secret

_NEW_USER = UserIds(65533, 65533)
"""Stands for a user that is not made yet: no file is its own, and it is in no group that has any."""
_COMMAND_SECONDS = 1000.0
"""For one of our own commands, or systemd, to end. An ACME server has ten minutes by default, a service's start fifteen."""
_HTTP_SECONDS = 5.0
_LARGEST = 16 * 1024 * 1024
"""Bytes of a file that a setup looks into."""
_NOLOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false")


class PosixMachine:
    """See `Machine`. Needs root for most of what it changes."""

    # -- looking

    def user(self, name: str) -> UserIds | None:
        """From the system's user database, whatever feeds it."""
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return None
        return UserIds(found.pw_uid, found.pw_gid)

    def user_name(self, uid: int) -> str | None:
        """The first of that number."""
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return None

    def entry(self, path: Path) -> PathEntry | None:
        """Without following a link."""
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        access = FileAccess(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
        return PathEntry(kind_of(status.st_mode), access, status.st_mtime)

    def names(self, path: Path) -> frozenset[str]:
        """All of them."""
        return frozenset(found.name for found in path.iterdir())

    def read(self, path: Path) -> bytes:
        """Of a regular file. In a state directory its owner may have put a pipe, or a link to a device without an end."""
        try:
            return read_regular(path, _LARGEST)[0]
        except UnusableFile as error:
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from None
            raise OSError(errno.EINVAL, error.problem, str(path)) from None

    def readable_by(self, path: Path, user: UserIds | None) -> bool:
        """By trying it as that user: groups, access lists and the directories above all count."""
        ids = user or _NEW_USER
        test = shutil.which("test") or "/usr/bin/test"
        groups = _groups(ids) if user else []
        done = subprocess.run(  # noqa: S603 - a fixed program, and a path that it does not interpret
            [test, "-r", str(path)], user=ids.uid, group=ids.gid, extra_groups=groups, cwd="/", check=False
        )
        return done.returncode == 0

    def has_systemd(self) -> bool:
        """As sd_booted(3) tells it."""
        return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None

    def unit(self, name: str) -> UnitState:
        """From `systemctl show`."""
        wanted = ("ActiveState", "UnitFileState", "NeedDaemonReload", "ActiveEnterTimestampMonotonic")
        shown = _run(["systemctl", "show", "--property", ",".join(wanted), f"{name}.service"])
        return unit_state(
            dict(line.split("=", 1) for line in shown.splitlines() if "=" in line), time.monotonic(), self.now()
        )

    def http_status(self, url: str) -> int | None:
        """Without a proxy. HTTPS is not spoken: readiness is asked on loopback."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_HTTP_SECONDS)
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def now(self) -> float:
        """The clock."""
        return time.time()

    # -- changing

    def make_user(self, name: str, home: Path) -> None:
        """By `useradd`, which Debian, Ubuntu, Red Hat and SUSE have."""
        program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is None:
            raise OSError(f"there is no useradd here; make a system user {name} yourself, then repeat this command")
        shell = next((shell for shell in _NOLOGIN if Path(shell).exists()), _NOLOGIN[-1])
        _run([program, "--system", "--user-group", "--home-dir", str(home), "--no-create-home", "--shell", shell, name])

    def make_directory(self, path: Path, access: FileAccess) -> None:
        """Closed until it is its owner's."""
        for parent in reversed(path.parents):
            if not parent.exists():
                parent.mkdir(mode=0o755)
                parent.chmod(0o755)  # whatever the umask is
        path.mkdir(mode=0o700)
        self.set_access(path, access)

    def write(self, path: Path, content: bytes, access: FileAccess) -> None:
        """To a new file beside it, synced, and renamed. One that a killed setup has left is replaced."""
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchown(file.fileno(), access.uid, access.gid)
            os.fchmod(file.fileno(), access.mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_directory(path.parent)

    def set_access(self, path: Path, access: FileAccess) -> None:
        """Owner before mode, since a change of owner may take bits away. A link that came in between is not followed."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.fchown(descriptor, access.uid, access.gid)
            os.fchmod(descriptor, access.mode)
        finally:
            os.close(descriptor)

    def systemctl(self, *arguments: str) -> None:
        """Raises ProgramFailed with what systemd says."""
        _run(["systemctl", *arguments])

    def isthmus(self, arguments: Sequence[str], text: str = "") -> str:
        """By the Python that runs this. -P: `-m` alone would take `isthmus` from the directory that root is in."""
        return _run([sys.executable, "-P", "-m", "isthmus", *arguments], text)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def unit_state(shown: Mapping[str, str], monotonic: float, now: float) -> UnitState:
    """What `systemctl show` says; monotonic, now: seconds, to tell when a service was started."""
    active = shown.get("ActiveState") in {"active", "reloading"}
    entered = int(shown.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    return UnitState(
        enabled=shown.get("UnitFileState") == "enabled",
        active=active,
        started_at=now - (monotonic - entered) if active and entered else None,
        stale=shown.get("NeedDaemonReload") == "yes",
    )


def read_secret_from(name: str) -> str:
    """A secret for `--KEY-file NAME`: a file that nobody else may read, or `-` for standard input. Raises UnusableFile."""
    return sys.stdin.read().strip() if name == "-" else read_secret(Path(name))


def _groups(ids: UserIds) -> list[int]:
    try:
        return os.getgrouplist(pwd.getpwuid(ids.uid).pw_name, ids.gid)
    except KeyError:
        return [ids.gid]


def _run(command: Sequence[str], text: str = "") -> str:
    """Raises ProgramFailed."""
    try:
        done = subprocess.run(  # noqa: S603 - programs that are named here, and arguments that no shell reads
            command, input=text, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramFailed(command, -1, f"it did not end within {_COMMAND_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise ProgramFailed(command, done.returncode, done.stderr or done.stdout, done.stdout)
    return done.stdout
