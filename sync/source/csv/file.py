"""The file itself: opened once, and compared with what it was when that was done.

A file counts as whole if it was left alone for a while, kept its size and time while it was read, is still the one of its
name, and ends as it should. What is open stays readable when another file takes its name; what was read then is of
yesterday, and nobody is missing because of it.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sync.source.csv.problems import CsvProblem

# Opening a pipe would wait for its writer
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file it is, and which content."""

    device: int
    inode: int
    size: int
    changed: int
    """Nanoseconds since 1970."""

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Of what the system says."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def cookie(self, question: str) -> bytes:
        """Says that this was read. question: by which settings."""
        text = f"{self.device} {self.inode} {self.size} {self.changed} {question}"
        return b"csv1" + hashlib.sha256(text.encode()).digest()


class OpenFile:
    """Context manager. now: Unix seconds. Raises CsvProblem where it cannot be read, or is too new to be whole."""

    def __init__(self, path: Path, settle_seconds: float, now: float) -> None:
        self._path = path
        try:
            descriptor = os.open(path, _FLAGS)
        except OSError as error:
            remedy = "see that it is written, and that this process may read it"
            raise CsvProblem(str(path), f"it cannot be opened ({error.strerror})", remedy) from error
        self._descriptor = descriptor
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise CsvProblem(str(path), "it is not a regular file", "give a file, not a folder, pipe or device")
            age = now - status.st_mtime
            if -settle_seconds < age < settle_seconds:
                problem = f"it was changed {abs(age):.0f} s ago, and may still be written to"
                raise CsvProblem(str(path), problem, "it is read at the next run (`settle_seconds`)")
            # Whoever decodes the stream closes it in the end; the descriptor is still asked then
            self.stream = io.BufferedReader(io.FileIO(descriptor, "rb", closefd=False), 1024 * 1024)
        except BaseException:
            os.close(descriptor)
            raise
        self.identity = FileIdentity.of(status)

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)

    def check_unchanged(self) -> None:
        """Raises CsvProblem where the content, or the file of that name, is another one by now."""
        now_open = FileIdentity.of(os.fstat(self._descriptor))
        if now_open != self.identity:
            raise CsvProblem(str(self._path), "it changed while it was read", "write another file, and rename it")
        try:
            now_there = FileIdentity.of(self._path.stat())
        except OSError as error:
            problem = f"it disappeared while it was read ({error.strerror})"
            raise CsvProblem(str(self._path), problem, "write another file, and rename it over this one") from error
        if now_there != self.identity:
            problem = "another file took its place while it was read"
            raise CsvProblem(str(self._path), problem, "nothing is to be done: the next run reads that one")
