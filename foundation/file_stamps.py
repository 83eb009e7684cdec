"""Whether a file is another one than before, without reading it."""

from __future__ import annotations

from pathlib import Path

FileStamp = tuple[int, int, int]
"""When it was written (ns), its inode, its size (bytes)."""


def stamp_of(path: Path | None) -> FileStamp | None:
    """Changes when the file is replaced or written to; None where there is none. Links are followed, as ACME clients make
    them."""
    try:
        status = path.stat() if path else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ino, status.st_size) if status else None
