"""A machine to set up, in memory. It refuses what the real one refuses, and can be killed at every change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from isthmus.setup import FileAccess, PathEntry, ProgramFailed, UnitState, UserIds
from isthmus.setup.machine import Kind

UID = 990
"""Of the first user that is made."""


class Killed(BaseException):
    """Like SIGKILL: nothing catches it."""


@dataclass
class _File:
    kind: Kind
    access: FileAccess
    content: bytes = b""
    changed_at: float = 0.0


@dataclass
class FakeMachine:
    """kill_at: the number of the change before which (`before`) or after which it is killed, counted from 1; 0: never.

    commands: what our own commands do here, by their first two words; others are refused. looks: those that change nothing.
    ready: whether the service that was started last answers.
    """

    systemd: bool = True
    kill_at: int = 0
    kill_after: bool = False
    users: dict[str, UserIds] = field(default_factory=dict)
    files: dict[Path, _File] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    started: dict[str, float] = field(default_factory=dict)
    loaded: dict[str, bytes] = field(default_factory=dict)
    commands: dict[tuple[str, str], Callable[[FakeMachine, Sequence[str], str], str]] = field(default_factory=dict)
    looks: set[tuple[str, str]] = field(default_factory=set)
    ready: bool = True
    readable: set[Path] = field(default_factory=set)
    """Files that a service's user may read, besides those whose mode says so."""
    changes: int = 0
    clock: float = 1_000_000.0
    ran: list[tuple[str, ...]] = field(default_factory=list)
    agents: list[dict[str, object]] = field(default_factory=list)
    """What `isthmus relay agents --json` says here."""
    asked_for: list[list[str]] = field(default_factory=list)
    """Arguments of each `isthmus relay token`."""

    def __post_init__(self) -> None:
        for path in ("/", "/etc", "/etc/systemd", "/etc/systemd/system", "/var", "/var/lib"):
            self.files.setdefault(Path(path), _File("directory", FileAccess(0, 0, 0o755)))

    def put(self, path: str, content: str | bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Path:
        """A file that was there before."""
        data = content.encode() if isinstance(content, str) else content
        self.files[Path(path)] = _File("file", FileAccess(uid, gid, mode), data, self.clock)
        return Path(path)

    def state(self) -> object:
        """All that a setup leaves, to compare one with another; times are left out."""
        files = {path: (entry.kind, entry.access, entry.content) for path, entry in self.files.items()}
        return files, self.users, self.enabled, set(self.started)

    # -- looking

    def user(self, name: str) -> UserIds | None:
        return self.users.get(name)

    def user_name(self, uid: int) -> str | None:
        return next((name for name, ids in self.users.items() if ids.uid == uid), None)

    def entry(self, path: Path) -> PathEntry | None:
        found = self.files.get(path)
        return None if found is None else PathEntry(found.kind, found.access, found.changed_at)

    def names(self, path: Path) -> frozenset[str]:
        return frozenset(found.name for found in self.files if found.parent == path != found)

    def read(self, path: Path) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        if self.files[path].kind == "directory":
            raise IsADirectoryError(21, "Is a directory", str(path))
        return self.files[path].content

    def readable_by(self, path: Path, user: UserIds | None) -> bool:
        if path in self.readable:
            return True
        if path not in self.files:
            return False
        access = self.files[path].access
        if access.mode & 0o004 or user is None:
            return bool(access.mode & 0o004)
        return bool((access.uid == user.uid and access.mode & 0o400) or (access.gid == user.gid and access.mode & 0o040))

    def has_systemd(self) -> bool:
        return self.systemd

    def unit(self, name: str) -> UnitState:
        self._check_systemd()
        path = Path(f"/etc/systemd/system/{name}.service")
        there = self.files[path].content if path in self.files else None
        return UnitState(
            enabled=name in self.enabled,
            active=name in self.started,
            started_at=self.started.get(name),
            stale=name in self.loaded and self.loaded[name] != there,
        )

    def http_status(self, url: str) -> int | None:
        return (200 if self.ready else 503) if self.started else None

    def now(self) -> float:
        return self.clock

    # -- changing

    def make_user(self, name: str, home: Path) -> None:
        with _Change(self):
            if name in self.users:
                raise ProgramFailed(["useradd", name], 9, f"useradd: user '{name}' already exists")
            number = UID + len(self.users)
            self.users[name] = UserIds(number, number)

    def make_directory(self, path: Path, access: FileAccess) -> None:
        with _Change(self):
            if path in self.files:
                raise FileExistsError(17, "File exists", str(path))
            for parent in path.parents:
                self.files.setdefault(parent, _File("directory", FileAccess(0, 0, 0o755)))
            self.files[path] = _File("directory", access)

    def write(self, path: Path, content: bytes, access: FileAccess) -> None:
        with _Change(self):
            if path.parent not in self.files:
                raise FileNotFoundError(2, "No such file or directory", str(path))
            self.clock += 1
            self.files[path] = _File("file", access, content, self.clock)

    def set_access(self, path: Path, access: FileAccess) -> None:
        with _Change(self):
            self.files[path] = replace(self.files[path], access=access)

    def systemctl(self, *arguments: str) -> None:
        self._check_systemd()
        with _Change(self):
            self.clock += 1
            verb, *names = arguments
            if verb == "daemon-reload":
                units = {path: entry for path, entry in self.files.items() if path.suffix == ".service"}
                self.loaded = {path.stem: entry.content for path, entry in units.items()}
                return
            for name in names:
                self._of_unit(verb, name)

    def _of_unit(self, verb: str, name: str) -> None:
        if name not in self.loaded:
            raise ProgramFailed(["systemctl", verb, name], 5, f"Unit {name}.service not found.")
        if verb == "enable":
            self.enabled.add(name)
        elif verb in {"start", "restart"}:
            self.started[name] = self.clock
        else:
            raise ProgramFailed(["systemctl", verb, name], 1, f"Unknown command verb {verb}.")

    def isthmus(self, arguments: Sequence[str], text: str = "") -> str:
        command = self.commands.get((arguments[0], arguments[1]))
        if command is None:
            raise ProgramFailed(["isthmus", *arguments], 2, "Error: No such command.")
        if (arguments[0], arguments[1]) in self.looks:
            return command(self, arguments, text)
        with _Change(self):
            self.ran.append(tuple(arguments))
            return command(self, arguments, text)

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def _check_systemd(self) -> None:
        if not self.systemd:
            raise ProgramFailed(["systemctl"], 1, "System has not been booted with systemd as init system")


class _Change:
    """Counts a change, and kills before or after it."""

    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine
        machine.changes += 1

    def __enter__(self) -> None:
        if self._machine.changes == self._machine.kill_at and not self._machine.kill_after:
            raise Killed

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None and self._machine.changes == self._machine.kill_at and self._machine.kill_after:
            raise Killed
