"""What was done, on disk before it is done: one JSON object for each line, only ever appended to, mode 0600.

    {"v":1,"n":17,"at":1767225600.0,"by":"ann@ws1","kind":"begun","data":{…},"sum":"…"}

`sum` is the first half of a SHA-256 over the line before and this one without its `sum`: a line that was changed, left
out or moved shows, and so does one from another journal. It guards against accidents, not against somebody who computes
it anew; who may write the file may also run the commands.

A last line without its line end was torn by a kill or a full disk: nothing was done on its account (an act is begun only
after its line is on disk), so it is cut off. Any other damage is an error, and nothing is done.

While it is open for writing it is locked (the kernel takes the lock back however the process ends); the lock file says
whose it is and since when.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import hashlib
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from adfs_mgmt.rollover import record as records
from adfs_mgmt.rollover.errors import JournalError, JournalLocked
from adfs_mgmt.rollover.model import Act, Record
from adfs_mgmt.rollover.record import Entry
from certs import CertsError, private_directory

VERSION = 1
MAX_LINE = 1024 * 1024
"""Bytes. A line with the thumbprints of a thousand nodes has some hundred thousand."""
_RESTORE = "Restore it from the backup, or move it away and look at the farm with `isthmus adfs status` before going on."
_FIELDS = {"v", "n", "at", "by", "kind", "data", "sum"}


def read(path: Path) -> Record | None:
    """What a journal says, without locking it; None where there is none. Raises JournalError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(path, f"cannot be read ({error.strerror})", "It must be a file of ours.") from error
    return _Lines(path, content).record


def history(path: Path) -> list[Entry]:
    """Every entry. Raises JournalError."""
    try:
        return _Lines(path, path.read_bytes()).entries
    except FileNotFoundError:
        return []


class Journal:
    """A journal that is open for writing, until `close`. Raises JournalError, JournalLocked.

    `who` is written into each entry, `now` into the lock. Every method that writes returns only when the line is on disk.
    """

    def __init__(self, path: Path, *, now: float, who: str = "") -> None:
        self.path = path
        self.who = who or whoami()
        self._stack = contextlib.ExitStack()
        try:
            private_directory(path.parent)
        except CertsError as error:
            raise JournalError(path, str(error), "Mend that first.") from error
        with contextlib.ExitStack() as opening:
            opening.callback(self._stack.close)
            self._stack.enter_context(_locked(path.with_suffix(".lock"), path, self.who, now))
            self._descriptor = self._open()
            lines = _Lines(path, _read_all(self._descriptor))
            self._cut(lines.good)
            self._last, self._number = lines.last, len(lines.entries)
            self.record: Record | None = lines.record
            opening.pop_all()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let somebody else at it."""
        self._stack.close()

    def start(self, id_: str, kind: str, farm: str, facts: Mapping[str, str], *, now: float) -> Record:
        """A piece of work begins."""
        return self._append("started", {"id": id_, "kind": kind, "farm": farm, "facts": dict(facts)}, now)

    def begin(self, stage: str, act: Act, *, now: float) -> Record:
        """An act is about to be done."""
        return self._append("begun", {"stage": stage, "act": act.id}, now)

    def acted(self, stage: str, act: Act, *, now: float) -> Record:
        """It came back without an error."""
        return self._append("acted", {"stage": stage, "act": act.id}, now)

    def fail(self, why: str, effect: Literal["unknown", "none", "refused"], *, now: float) -> Record:
        """It did not. `unknown`: it may have taken effect all the same; `none`: it was never sent; `refused`: it ran."""
        return self._append("failed", {"why": why, "effect": effect}, now)

    def hold(self, stage: str, facts: Mapping[str, str], *, now: float) -> Record:
        """A stage's postcondition was seen to hold."""
        return self._append("held", {"stage": stage, "facts": dict(facts)}, now)

    def acknowledge(self, name: str, *, now: float) -> Record:
        """A person said so."""
        return self._append("acknowledged", {"name": name}, now)

    def turn(self, to: str, *, now: float, forget: tuple[str, ...] = ()) -> Record:
        """A rollback begins, or is over."""
        return self._append("turned", {"to": to, "forget": list(forget)}, now)

    def finish(self, outcome: str, *, now: float) -> Record:
        """Nothing is left to be done."""
        return self._append("finished", {"outcome": outcome}, now)

    def _append(self, kind: str, data: Mapping[str, Any], now: float) -> Record:
        entry = Entry(kind=kind, at=now, by=self.who, data=data)
        try:
            changed = records.after(self.record, entry)
        except records.Impossible as error:
            raise JournalError(self.path, f"cannot write {error}", "This is a mistake of the program.") from error
        line, digest = _encode(entry, self._number + 1, self._last)
        try:
            _write_all(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritable(self.path, kind, error) from error
        self._last, self._number, self.record = digest, self._number + 1, changed
        return changed

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise JournalError(self.path, f"cannot be opened ({error.strerror})", "It must be a file of ours.") from error
        self._stack.callback(os.close, descriptor)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise JournalError(self.path, "is no regular file", _RESTORE)
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            raise JournalError(self.path, "is open to other users", f"Look at it, then run chmod 600 {self.path}.")
        return descriptor

    def _cut(self, good: int) -> None:
        """Take a torn last line away."""
        if os.fstat(self._descriptor).st_size > good:
            os.ftruncate(self._descriptor, good)
            os.fsync(self._descriptor)


def whoami() -> str:
    """Who is at work, for journals and locks."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no account for our user id, as in some containers
        user = f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
    return f"{user}@{socket.gethostname()}"


def _unwritable(path: Path, kind: str, error: OSError) -> JournalError:
    """After an act it is not true that nothing was done: that it was begun is on disk, and the next run looks for it."""
    after = kind in {"acted", "failed"}
    effect = "an act was done whose end could not be written down" if after else "nothing was done"
    remedy = "Make room and apply again" + (": it looks what became of that" if after else "") + "."
    return JournalError(path, f"cannot be written ({error.strerror})", remedy, effect=effect)


class _Lines:
    """A journal's content, checked. `good`: how many bytes of it count."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.entries: list[Entry] = []
        self.record: Record | None = None
        self.last = ""
        self.good = content.rfind(b"\n") + 1
        for number, line in enumerate(content[: self.good].splitlines(), 1):
            entry, self.last = _decode(path, line, number, self.last)
            try:
                self.record = records.after(self.record, entry)
            except records.Impossible as error:
                raise JournalError(path, str(error), _RESTORE, number) from error
            self.entries.append(entry)


def _encode(entry: Entry, number: int, last: str) -> tuple[bytes, str]:
    fields = {"v": VERSION, "n": number, "at": entry.at, "by": entry.by, "kind": entry.kind, "data": entry.data}
    digest = _digest(fields, last)
    return json.dumps({**fields, "sum": digest}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n", digest


def _digest(fields: Mapping[str, Any], last: str) -> str:
    text = last + json.dumps(fields, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _decode(path: Path, line: bytes, number: int, last: str) -> tuple[Entry, str]:
    try:
        fields = json.loads(line) if len(line) <= MAX_LINE else None
    except (ValueError, RecursionError) as error:
        raise JournalError(path, "is damaged: no JSON", _RESTORE, number) from error
    if not isinstance(fields, dict):
        raise JournalError(path, "is damaged: no entry", _RESTORE, number)
    version = fields.get("v")
    if isinstance(version, int) and version > VERSION:
        remedy = f"It was written by a newer Isthmus (journal version {version}, this one knows {VERSION}). Use that one."
        raise JournalError(path, "is too new", remedy, number)
    if set(fields) != _FIELDS or version != VERSION or not isinstance(fields["data"], dict):
        raise JournalError(path, "is damaged: not the fields of an entry", _RESTORE, number)
    digest = fields.pop("sum")
    if digest != _digest(fields, last) or fields["n"] != number:
        raise JournalError(path, "is damaged: its checksum or number does not fit what stands before it", _RESTORE, number)
    entry = Entry(kind=str(fields["kind"]), at=float(fields["at"]), by=str(fields["by"]), data=fields["data"])
    return entry, digest


def _read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


def _write_all(descriptor: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextlib.contextmanager
def _locked(lock: Path, path: Path, who: str, now: float) -> Iterator[None]:
    """One administrator at a time. Raises JournalLocked, which says who has it and since when."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise JournalError(lock, f"cannot be opened ({error.strerror})", "It must be a file of ours.") from error
    try:
        if not _try_lock(descriptor):
            os.lseek(descriptor, 0, os.SEEK_SET)
            raise JournalLocked(path, os.read(descriptor, 4096).decode(errors="replace").strip())
        holder = f"by {who}, process {os.getpid()}, since {_moment(now)}\n"
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        _write_all(descriptor, holder.encode())
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Locks far behind the content, which others must be able to read: Windows locks are mandatory."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _moment(now: float) -> str:
    return f"{dt.datetime.fromtimestamp(now, dt.UTC):%Y-%m-%d %H:%M:%SZ}"
