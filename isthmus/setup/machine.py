"""The machine that is set up, as steps see it: what can be looked at, and everything that they change.

`PosixMachine` is the real one. The tests have one of their own that can be killed at every change: `tests/fakes/machine.py`.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Kind = Literal["file", "directory", "link", "other"]


@dataclass(frozen=True, slots=True)
class UserIds:
    """A user of the system, by number."""

    uid: int
    gid: int


ROOT = UserIds(0, 0)


@dataclass(frozen=True, slots=True)
class FileAccess:
    """Whose a file or a directory is, and who else may use it. mode: permission bits only."""

    uid: int
    gid: int
    mode: int

    def __str__(self) -> str:
        return f"user {self.uid}, group {self.gid}, mode {self.mode:04o}"


@dataclass(frozen=True, slots=True)
class PathEntry:
    """What is at a path. changed_at: of its content, Unix seconds."""

    kind: Kind
    access: FileAccess
    changed_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """A systemd service. started_at: Unix seconds; None where it does not run."""

    enabled: bool
    active: bool
    started_at: float | None
    stale: bool
    """Whether systemd has to read its file again."""


class Machine(Protocol):
    """Looking raises OSError for what may not be looked at; changing raises OSError or ProgramFailed."""

    # -- looking

    def user(self, name: str) -> UserIds | None:
        """None where there is none of this name."""
        ...

    def user_name(self, uid: int) -> str | None:
        """None where no user has this number."""
        ...

    def entry(self, path: Path) -> PathEntry | None:
        """What is there; a link is not followed. None for nothing."""
        ...

    def names(self, path: Path) -> frozenset[str]:
        """Of what is in a directory."""
        ...

    def read(self, path: Path) -> bytes:
        """Content of a regular file; refused for anything else."""
        ...

    def readable_by(self, path: Path, user: UserIds | None) -> bool:
        """Whether a user, with all the groups that it is in, could read the file; None: a user who is in no group."""
        ...

    def has_systemd(self) -> bool:
        """Whether systemd manages this machine's services."""
        ...

    def unit(self, name: str) -> UnitState:
        """State of a service; all False where there is none."""
        ...

    def http_status(self, url: str) -> int | None:
        """Of a GET to this machine's own address; None where nobody answers."""
        ...

    def now(self) -> float:
        """Unix seconds."""
        ...

    # -- changing

    def make_user(self, name: str, home: Path) -> None:
        """A system user with a group of the same name, without a login."""
        ...

    def make_directory(self, path: Path, access: FileAccess) -> None:
        """What contains it is made too, for root, open to all for reading."""
        ...

    def write(self, path: Path, content: bytes, access: FileAccess) -> None:
        """Replace a file as a whole, or leave it as it was."""
        ...

    def set_access(self, path: Path, access: FileAccess) -> None:
        """Of a file or a directory that is there."""
        ...

    def systemctl(self, *arguments: str) -> None:
        """Have systemd do something, and wait for it."""
        ...

    def isthmus(self, arguments: Sequence[str], text: str = "") -> str:
        """Run one of our own commands; its standard output. text: its standard input, for secrets."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class ProgramFailed(Exception):
    """A program ended with an error. said: what it wrote about it; printed: its standard output."""

    def __init__(self, command: Sequence[str], code: int, said: str, printed: str = "") -> None:
        super().__init__(command, code, said)
        self.command, self.code, self.said, self.printed = tuple(command), code, said, printed

    def __str__(self) -> str:
        said = self.said.strip() or "and said nothing"
        return f"`{' '.join(self.command)}` ended with {self.code}: {said}"


def kind_of(mode: int) -> Kind:
    """Of `st_mode`."""
    kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
    return kinds.get(stat.S_IFMT(mode), "other")
