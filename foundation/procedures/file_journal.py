"""A journal in a file: one JSON object for each line, on disk before anything is done, only ever appended to, mode 0600.

    {"v":3,"n":17,"at":1767225600.0,"by":"ann@ws1","kind":"begun","data":{…},"sum":"…"}

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
import hashlib
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from certs import CertsError, private_directory
from foundation.actors import this_actor
from foundation.procedures.errors import JournalError, JournalLocked
from foundation.procedures.events import (
    Entry,
    Event,
    Impossible,
    StateTypes,
    decode_event,
    encode_event,
    kind_of,
    record_after,
)
from foundation.procedures.journal import following, unwritten
from foundation.procedures.model import Record

VERSION = 3
MAX_LINE = 1024 * 1024
"""Bytes. A line with the thumbprints of a thousand nodes has some hundred thousand."""
_RESTORE = "Restore it from the backup, or move it away and look at what it was about before you continue."
_MISTAKE = "This is a mistake of the program, or somebody answered with far too much text."
_FIELDS = {"v", "n", "at", "by", "kind", "data", "sum"}


def read(path: Path, types: StateTypes) -> Record[Any] | None:
    """What a journal says, without locking it; None where there is none. Raises JournalError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(path, f"cannot be read ({error.strerror})", "It must be a file of ours.") from error
    return _Content(path, content, types).record


def history(path: Path, types: StateTypes) -> list[Entry]:
    """Every entry. Raises JournalError."""
    try:
        return _Content(path, path.read_bytes(), types).entries
    except FileNotFoundError:
        return []


class FileJournal:
    """A journal that is open for writing, until `close`. Raises JournalError, JournalLocked.

    `types`: the states of the procedures that share it, by kind. `who` is written into each entry, `now` into the lock.
    """

    def __init__(self, path: Path, types: StateTypes, *, now: float, who: str = "") -> None:
        self.path = path
        self.who = who or whoami()
        self._stack = contextlib.ExitStack()
        try:
            private_directory(path.parent, within_state=True)
        except CertsError as error:
            raise JournalError(path, str(error), "Fix that first.") from error
        with contextlib.ExitStack() as opening:
            opening.callback(self._stack.close)
            try:
                self._stack.enter_context(_locked(path.with_suffix(".lock"), path, self.who, now))
                self._descriptor = self._open()
                content = _Content(path, _read_all(self._descriptor), types)
                self._cut(content.good)
            except OSError as error:
                raise JournalError(path, f"cannot be opened ({error.strerror})", "Make room and try again.") from error
            self._types, self._good = types, content.good
            self._last, self._number = content.last, len(content.entries)
            self.record: Record[Any] | None = content.record
            opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let somebody else at it."""
        self._stack.close()

    def append(self, event: Event, now: float) -> Record[Any]:
        """Add an event; what the journal says now. Returns only when the line is on disk. Raises JournalError."""
        entry = Entry(event=event, at=now, by=self.who)
        changed = following(self.path, self.record, entry)
        line, digest = _encode(entry, self._number + 1, self._last)
        if len(line) > MAX_LINE or changed.kind not in self._types:  # it could not be read back
            raise JournalError(self.path, f"cannot write {kind_of(event)!r} of {changed.kind}", _MISTAKE)
        try:
            self._cut(self._good)  # half a line that the last write left on a full disk must not be continued
            _write_all(self._descriptor, line)
            os.fsync(self._descriptor)
        except OSError as error:
            raise unwritten(self.path, event, str(error.strerror), "Make room and apply again") from error
        self._last, self._number, self.record = digest, self._number + 1, changed
        self._good += len(line)
        return changed

    async def write(self, event: Event, now: float) -> Record[Any]:
        """As `append`, which takes a few milliseconds."""
        return self.append(event, now)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise JournalError(self.path, f"cannot be opened ({error.strerror})", "It must be a file of ours.") from error
        self._stack.callback(os.close, descriptor)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise JournalError(self.path, "is not a regular file", _RESTORE)
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            raise JournalError(self.path, "is open to other users", f"Look at it, then run chmod 600 {self.path}.")
        return descriptor

    def _cut(self, good: int) -> None:
        """Take a torn last line away. Raises OSError."""
        if os.fstat(self._descriptor).st_size > good:
            os.ftruncate(self._descriptor, good)
            os.fsync(self._descriptor)


def whoami() -> str:
    """Who is at work, and on which machine, for journals and locks: as the system knows it, not the environment."""
    return this_actor().at(socket.gethostname())


class _Content:
    """A journal's content, checked. `good`: how many bytes of it count."""

    def __init__(self, path: Path, content: bytes, types: StateTypes) -> None:
        self.entries: list[Entry] = []
        self.record: Record[Any] | None = None
        self.last = ""
        self.good = content.rfind(b"\n") + 1
        for number, line in enumerate(content[: self.good].split(b"\n")[:-1], 1):
            fields, self.last = _decode(path, line, number, self.last)
            try:
                event = decode_event(str(fields["kind"]), fields["data"], types, self.record)
                entry = Entry(event=event, at=float(fields["at"]), by=str(fields["by"]))
                self.record = record_after(self.record, entry)
            except Impossible as error:
                raise JournalError(path, str(error), _RESTORE, number) from error
            except (ValueError, TypeError, OverflowError) as error:
                raise JournalError(path, "is damaged: not the fields of an entry", _RESTORE, number) from error
            self.entries.append(entry)


def _encode(entry: Entry, number: int, last: str) -> tuple[bytes, str]:
    fields = {
        "v": VERSION,
        "n": number,
        "at": entry.at,
        "by": entry.by,
        "kind": kind_of(entry.event),
        "data": encode_event(entry.event),
    }
    digest = _digest(fields, last)
    return _line(fields, digest), digest


def _line(fields: Mapping[str, Any], digest: str) -> bytes:
    text = json.dumps({**fields, "sum": digest}, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="surrogatepass") + b"\n"  # PowerShell's errors may hold half a character; json reads it so


def _digest(fields: Mapping[str, Any], last: str) -> str:
    text = last + json.dumps(fields, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _decode(path: Path, line: bytes, number: int, last: str) -> tuple[dict[str, Any], str]:
    """The fields of a line, and its sum."""
    try:
        fields = json.loads(line) if len(line) <= MAX_LINE else None
    except (ValueError, RecursionError) as error:
        raise JournalError(path, "is damaged: no JSON", _RESTORE, number) from error
    if not isinstance(fields, dict):
        raise JournalError(path, "is damaged: no entry", _RESTORE, number)
    _check_version(path, fields.get("v"), number)
    if set(fields) != _FIELDS or not isinstance(fields["data"], dict):
        raise JournalError(path, "is damaged: not the fields of an entry", _RESTORE, number)
    digest = fields.pop("sum")
    # The bytes too: another spelling of the same value (1003E0 for 1003.0) has the same digest, and was not written by us
    if digest != _digest(fields, last) or fields["n"] != number or line + b"\n" != _line(fields, digest):
        raise JournalError(path, "is damaged: its checksum or number does not fit what stands before it", _RESTORE, number)
    return fields, digest


def _check_version(path: Path, version: Any, number: int) -> None:
    if version == VERSION:
        return
    if isinstance(version, int) and 0 < version < VERSION:
        remedy = f"It is of journal version {version}, this Isthmus knows {VERSION}. Finish with the Isthmus that wrote it."
        raise JournalError(path, "is too old", remedy, number)
    if isinstance(version, int) and version > VERSION:
        remedy = f"It was written by a newer Isthmus (journal version {version}, this one knows {VERSION}). Use that one."
        raise JournalError(path, "is too new", remedy, number)
    raise JournalError(path, "is damaged: not the fields of an entry", _RESTORE, number)


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
