"""A throwaway PostgreSQL server: for the tests of the store, for benchmarks, and for two relays on one store."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from demo.samba import DomainUnavailable

_SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = 32MB
log_min_messages = fatal
max_wal_senders = 0
wal_level = minimal
autovacuum_naptime = 5s
"""
_CARELESS = """
fsync = off
synchronous_commit = off
full_page_writes = off
"""


class ThrowawayPostgres:
    """Context manager: one server on a free loopback port, everything in one folder directly under the temporary one.

    It runs as the user `postgres` where we are root, because `initdb` refuses root; that user may not enter the folders of
    tests and clones, hence the place. careful: commits reach the disk, as in earnest; otherwise a crash may lose them.
    """

    def __init__(self, *, careful: bool = False) -> None:
        self._careful = careful
        self._user = "postgres" if os.geteuid() == 0 else None
        self._programs = newest_programs()
        self._password = secrets.token_hex(8)
        self.home = Path(tempfile.mkdtemp(prefix="isthmus-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> ThrowawayPostgres:
        try:
            self._set_up()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def url(self, database: str = "postgres") -> str:
        """For `store_url`."""
        return f"postgresql://isthmus:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """A new, empty database; its URL."""
        import psycopg

        self._made += 1
        name = f"relay{self._made}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        import psycopg

        with (self.home / "server.out").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.home / "data"],
                stdout=log,
                stderr=log,
                cwd=self.home,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )
        give_up = time.monotonic() + 30
        while True:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url(), connect_timeout=2):
                return
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = (self.home / "server.out").read_text(errors="replace")[-500:]
                raise DomainUnavailable(f"PostgreSQL did not start: {said}", "See whether it runs by hand")
            time.sleep(0.05)

    def pause(self) -> None:
        """SIGSTOP to all of it: connections stay, nobody answers any more."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it."""
        process = self._process
        if process is None:
            return
        self.resume()
        process.send_signal(signal.SIGINT)  # connections are ended, what was committed is written
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def close(self) -> None:
        """End it and remove its folder."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _set_up(self) -> None:
        password = self.home / "password"
        password.write_text(self._password)
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            for path in (password, self.home):
                os.chown(path, account.pw_uid, account.pw_gid)
        subprocess.run(
            [
                self._programs / "initdb",
                *("-D", self.home / "data", "-U", "isthmus", "-E", "UTF8", "--locale=C", "--no-sync"),
                *("--auth=scram-sha-256", f"--pwfile={password}", "--no-instructions"),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
            cwd=self.home,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        settings = _SETTINGS.format(port=self.port) + ("" if self._careful else _CARELESS)
        with (self.home / "data" / "postgresql.conf").open("a") as file:
            file.write(settings)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with contextlib.suppress(ProcessLookupError):  # a worker that has just ended
                os.kill(process, number)

    def _processes(self) -> list[int]:
        """The server first, then those that it has started for connections: each is a group of its own."""
        if self._process is None:
            return []
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [pid, *map(int, children.split())]


def newest_programs() -> Path:
    """Where Debian's package keeps the server's programs, which are on nobody's path. Raises DomainUnavailable."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        raise DomainUnavailable("PostgreSQL is not installed.", "Run: apt-get install --no-install-recommends postgresql")
    return max(found, key=lambda path: int(path.parent.name))
