"""Bare Debian machines: each a root directory made by debootstrap, its own processes and mounts, and the host's loopback."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.install import apt

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "install"
PACKAGES = ("python3", "python3-venv")
"""Of Debian: what the documentation says a machine needs, beside what every installation has."""
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
# The mounts are in a namespace of their own: they vanish with the process. /tmp is not the host's
_ENTER = 'mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


class CannotMakeDebian(Exception):
    """debootstrap failed; `log` ends with what it said."""

    def __init__(self, mirror: str, log: str) -> None:
        super().__init__(mirror, log)
        self.mirror, self.log = mirror, log

    def __str__(self) -> str:
        return f"debootstrap {apt.SUITE} {self.mirror}: {self.log.strip()[-2000:]}"


def debian_archive() -> Path:
    """A tar archive of a bare Debian, made once and kept in `build`. Raises NoMirror, CannotMakeDebian."""
    recipe = hashlib.sha256(" ".join((apt.SUITE, *PACKAGES)).encode()).hexdigest()[:8]
    archive = BUILD / f"{apt.SUITE}-{recipe}.tar"
    if not archive.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD, prefix="making-") as home:
            root, made = Path(home) / "root", Path(home) / archive.name
            _debootstrap(apt.mirror_of_this_machine(), root)
            subprocess.run(["tar", "--create", "--file", made, "--directory", root, "."], check=True)
            made.replace(archive)
    return archive


def _debootstrap(mirror: apt.DebianMirror, root: Path) -> None:
    options = ["--variant=minbase", f"--include={','.join(PACKAGES)}", f"--keyring={mirror.keyring}"]
    done = subprocess.run(
        ["debootstrap", *options, apt.SUITE, root, mirror.url],
        env=mirror.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotMakeDebian(mirror.url, done.stdout + done.stderr)
    for leftover in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
        shutil.rmtree(root / leftover, ignore_errors=True)


class BareMachine:
    """One root directory. Commands run in it as root; `close` ends its processes and removes it."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        self._processes: list[subprocess.Popen[bytes]] = []

    def close(self) -> None:
        """End what runs."""
        for process in self._processes:
            self.stop(process, signal.SIGKILL)

    def run(
        self, *command: str, text: str = "", network: bool = True, seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, `text` being its standard input; without `network` it has no loopback either."""
        return subprocess.run(
            self._entered(command, network=network),
            input=text,
            capture_output=True,
            text=True,
            env=_ENVIRONMENT,
            timeout=seconds,
            check=False,
        )

    def must(self, *command: str, text: str = "", network: bool = True) -> str:
        """Run a command that has to succeed: its standard output."""
        done = self.run(*command, text=text, network=network)
        assert done.returncode == 0, f"{self.name}: {' '.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def killed_after(self, lines: int, *command: str, text: str = "") -> bool:
        """Run a command; kill it, and what it started, after so many lines on standard error. False: it ended before."""
        with subprocess.Popen(
            self._entered(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=_ENVIRONMENT,
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(text.encode())
            process.stdin.close()
            said = [line for _, line in zip(range(lines), process.stderr, strict=False)]
            if len(said) == lines:
                process.kill()  # and with it whatever is in its namespace (--kill-child)
                return True
        assert process.returncode == 0, b"".join(said).decode()
        return False

    @contextlib.contextmanager
    def copied(self) -> Iterator[BareMachine]:
        """Another machine that has everything that this one has."""
        with tempfile.TemporaryDirectory(prefix=f"isthmus-{self.name}-") as home:
            root = Path(home) / "root"
            subprocess.run(["cp", "--archive", self.root, root], check=True)
            machine = BareMachine(self.name, root)
            try:
                yield machine
            finally:
                machine.close()

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        """Start a command that stays; what it says goes to the file `log` of the machine."""
        with self.path(log).open("ab") as file:
            process = subprocess.Popen(
                self._entered(command), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=_ENVIRONMENT
            )
        self._processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to what `start` started, and wait for its end."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        with contextlib.suppress(OSError):
            for number in children.read_text().split():
                os.kill(int(number), how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def path(self, inside: str) -> Path:
        """Where a file of the machine is outside."""
        return self.root / inside.lstrip("/")

    def write(self, inside: str, text: str) -> None:
        """Write a file of the machine."""
        self.path(inside).write_text(text)

    def _entered(self, command: Sequence[str], *, network: bool = True) -> list[str]:
        alone = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        return ["unshare", *alone, "sh", "-c", _ENTER, str(self.root), *command]


@contextlib.contextmanager
def bare_machine(name: str, *, hosts: str = "") -> Iterator[BareMachine]:
    """A fresh machine with this name; hosts: lines for its /etc/hosts."""
    archive = debian_archive()
    with tempfile.TemporaryDirectory(prefix=f"isthmus-{name}-") as home:
        root = Path(home) / "root"
        root.mkdir()
        subprocess.run(["tar", "--extract", "--file", archive, "--directory", root], check=True)
        root.chmod(0o755)
        machine = BareMachine(name, root)
        machine.write("/etc/hostname", f"{name}\n")
        machine.write("/etc/hosts", f"127.0.0.1 localhost\n{hosts}")
        machine.write("/etc/resolv.conf", "")
        try:
            yield machine
        finally:
            machine.close()
