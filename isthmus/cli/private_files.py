"""Files that a command writes for its caller's eyes: mode 0600, whole or not at all, never in the place of another one."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from isthmus.cli.output import Failure


def check_new(path: Path) -> None:
    """Refuse a name that is taken. Raises Failure."""
    if path.exists():
        raise Failure(f"{path} exists already; choose another name")


@contextmanager
def private_output(path: Path | None) -> Iterator[BinaryIO]:
    """What is written in the block becomes the file, when the block has ended; standard output for None. Raises Failure."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    temporary: Path | None = None
    try:
        check_new(path)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)  # mode 0600
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise Failure(f"{path} cannot be written ({error.strerror}); no file was created") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
