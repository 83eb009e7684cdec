"""Files that somebody else wrote: opened without waiting, of a bounded size, and nothing but regular files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from settings.errors import UnusableFile

# Opening a pipe would wait for its writer; text mode, where a system has it, would change what is read
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read_regular(path: Path, most: int) -> tuple[bytes, os.stat_result]:
    """Content and status of a regular file of at most `most` bytes; links are followed. Raises UnusableFile."""
    try:
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnusableFile(path, "is not a regular file, but a pipe or a device")
            content = file.read(most + 1)  # its size may be told wrong, as by /proc
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        reason = f"cannot be read ({getattr(error, 'strerror', error)})"
        raise UnusableFile(path, "is a directory" if _is_directory(path) else reason) from error
    if len(content) > most:
        raise UnusableFile(path, f"has more than {most} bytes")
    return content, status


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # what leads to it is closed to us
        return False
