"""Work in a state directory by a process of its owner's, while root waits.

Where root is needed afterwards, as to put a file where only root may, this process cannot become the owner. It must not do
the work there itself either: whoever owns the directory could lay a link where root is about to read or write.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from isthmus.cli.output import REFUSED, UNREACHABLE, Failure
from isthmus.cli.state import own

_DONE, _REFUSED, _UNREACHABLE = b"+", b"-", b"?"


def as_owner(state_dir: Path, work: Callable[[], bytes]) -> bytes:
    """What `work` returns; see `apart`. Raises Failure."""

    def owned() -> bytes:
        own(state_dir)
        return work()

    return apart(owned)


def apart(work: Callable[[], bytes]) -> bytes:
    """What `work` returns, which may become the owner in there; a Failure of its own is raised here. Only root forks for it;
    no thread may have been started.

    Raises Failure.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return work()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(writing, work)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if answer.startswith(_DONE):
        return answer[1:]
    code = UNREACHABLE if answer.startswith(_UNREACHABLE) else REFUSED
    raise Failure(answer[1:].decode() or "the process that did it as the directory's owner has ended by itself", code)


def _answer(writing: int, work: Callable[[], bytes]) -> None:
    """In the new process, which ends here."""
    answer = _REFUSED
    try:
        answer = _DONE + work()
        if (context := click.get_current_context(silent=True)) is not None:
            context.close()  # what the work left to be told at the end
    except Failure as failure:
        answer = (_UNREACHABLE if failure.code == UNREACHABLE else _REFUSED) + str(failure).encode()
    except BaseException:  # noqa: BLE001 - nothing may go on behind this: it would be a second command
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(answer)
        os._exit(0)
