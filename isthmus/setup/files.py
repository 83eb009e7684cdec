"""Steps that make what a service needs on its machine: its user, its directories, its files."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from isthmus.setup.errors import StepFailed
from isthmus.setup.machine import ROOT, FileAccess, Machine, UserIds
from isthmus.setup.steps import Found

_OF_THE_DISK = {"lost+found"}


@dataclass(frozen=True, slots=True)
class SystemUser:
    """The user that a service runs as. home: its state directory, which is not made here."""

    name: str
    home: Path

    @property
    def title(self) -> str:
        """See SetupStep; so for the others."""
        return f"user {self.name}"

    def find(self, machine: Machine) -> Found:
        """Any user of this name will do, but root."""
        ids = machine.user(self.name)
        if ids is None:
            return Found(False, "will be created, without a login")
        if ids.uid == 0:
            return Found(False, "is root", wrong="the service must not run as root", remedy="Choose another user.")
        return Found(True, f"uid {ids.uid}")

    def apply(self, machine: Machine) -> str:
        """Make it."""
        machine.make_user(self.name, self.home)
        return "created"


@dataclass(frozen=True, slots=True)
class OwnedDirectory:
    """A directory of a user (None: root) with a mode.

    exact: False for one that may have been made some other way, such as /etc/isthmus: it only has to be there.
    """

    path: Path
    owner: str | None
    mode: int
    exact: bool = True

    @property
    def title(self) -> str:
        """See SetupStep."""
        return f"directory {self.path}"

    def find(self, machine: Machine) -> Found:
        """A link to a directory is left alone: whoever made it has chosen another disk, and its target's access with it.

        So is one that somebody else uses: whoever it is given to could replace what is in it, as in /etc.
        """
        entry = machine.entry(self.path)
        if entry is None:
            return Found(False, f"will be created, {self._described()}")
        if entry.kind not in {"directory", "link"}:
            return Found(False, "", wrong="something other than a directory is there", remedy=f"Move {self.path} away.")
        ids = _owner(machine, self.owner)
        wanted = None if ids is None else FileAccess(ids.uid, ids.gid, self.mode)
        if entry.kind == "link" or not self.exact or entry.access == wanted:
            return Found(True, str(entry.access))
        if (ids is None or entry.access.uid != ids.uid) and machine.names(self.path) - _OF_THE_DISK:
            remedy = f"Choose another; or, if all in it is {self.owner}'s: chown -R {self.owner}: {self.path}"
            return Found(False, "", wrong="is somebody else's, and not empty", remedy=remedy)
        return Found(False, f"will be given {self._described()}; it has {entry.access}")

    def apply(self, machine: Machine) -> str:
        """Make it, or set its owner and mode; what lies in it is left alone."""
        access = _access(machine, self.title, self.owner, self.owner, self.mode)
        if machine.entry(self.path) is None:
            machine.make_directory(self.path, access)
            return f"created, {self._described()}"
        machine.set_access(self.path, access)
        return f"given {self._described()}"

    def _described(self) -> str:
        return f"owner {self.owner or 'root'}, mode {self.mode:04o}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedFile:
    """A file with a content. owner, group: names; None: root. One step for settings, units, secrets and copies.

    asks: whether somebody has to agree before another content is replaced. Off for copies and secrets, which nobody edits.
    secret: its content is shown nowhere.
    """

    path: Path
    content: bytes
    owner: str | None = None
    group: str | None = None
    mode: int = 0o644
    asks: bool = True
    secret: bool = False

    @property
    def title(self) -> str:
        """See SetupStep."""
        return str(self.path)

    def find(self, machine: Machine) -> Found:
        """Content first, then access."""
        entry = machine.entry(self.path)
        if entry is None:
            return Found(False, f"will be written, {self._described()}")
        if entry.kind != "file":
            remedy = f"Change its target yourself, or move {self.path} away."
            return Found(False, "", wrong=f"is not a regular file, but a {entry.kind}", remedy=remedy)
        before = machine.read(self.path)
        if before != self.content:
            return Found(False, "will be changed", difference=self._difference(before))
        if entry.access != self._access(machine):
            return Found(False, f"will be given {self._described()}; it has {entry.access}")
        return Found(True, self._described())

    def apply(self, machine: Machine) -> str:
        """Write it as a whole, or set its access."""
        access = self._access(machine)
        if access is None:
            raise StepFailed(self.title, f"there is no user {self.owner or self.group}")
        there = machine.entry(self.path) is not None
        if there and machine.read(self.path) == self.content:
            machine.set_access(self.path, access)
            return f"given {self._described()}"
        machine.write(self.path, self.content, access)
        return f"{'changed' if there else 'written'}, {self._described()}"

    def _access(self, machine: Machine) -> FileAccess | None:
        owner, group = _owner(machine, self.owner), _owner(machine, self.group)
        return None if owner is None or group is None else FileAccess(owner.uid, group.gid, self.mode)

    def _difference(self, before: bytes) -> str:
        if not self.asks:
            return ""
        if self.secret:
            return "contains a different secret"
        return difference(before.decode(errors="replace"), self.content.decode(errors="replace"))

    def _described(self) -> str:
        return f"owner {self.owner or 'root'}, group {self.group or 'root'}, mode {self.mode:04o}"


def difference(before: str, after: str) -> str:
    """What a change of a text comes to, with two lines around each place."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "existing", "new", n=2, lineterm="")
    return "\n".join(lines)


def _owner(machine: Machine, name: str | None) -> UserIds | None:
    return ROOT if name is None else machine.user(name)


def _access(machine: Machine, title: str, owner: str | None, group: str | None, mode: int) -> FileAccess:
    user, members = _owner(machine, owner), _owner(machine, group)
    if user is None or members is None:
        raise StepFailed(title, f"there is no user {owner or group}")
    return FileAccess(user.uid, members.gid, mode)
