"""What is asked of the machine for every kind of process."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from certs import KeyStoreError, check_closed
from foundation.listener import AddressUnavailable, try_address
from settings import Key, Unfit, split_address

_TOLD = 3
"""Files of a state directory that are named; where there are more, one cause is behind them."""


class Unchecked(Unfit):
    """Nothing is known to be wrong; it cannot be found out here and now."""


def unusable_state_directory(path: Path, setting: str) -> Iterator[Unfit]:
    """A directory that is there, closed to others, and this user's with all that is in it."""
    remedy = f"make it for the user that it is for: install -d -m 0700 -o USER -g USER {path}"
    try:
        status = path.stat()
    except FileNotFoundError:
        yield Unfit(f"{path} does not exist", remedy, setting=setting)
        return
    except OSError as error:
        yield Unfit(
            f"{path} cannot be entered ({error.strerror})", "see whose the directories above it are", setting=setting
        )
        return
    if not stat.S_ISDIR(status.st_mode):
        yield Unfit(f"{path} is not a directory", "choose another path", setting=setting)
        return
    try:
        check_closed(path)
    except KeyStoreError as error:
        yield Unfit(f"{path} {error.problem}", error.remedy, setting=setting)
        return
    if os.name == "posix" and status.st_uid != os.geteuid():
        problem = f"{path} belongs to user {status.st_uid}, and this is user {os.geteuid()}"
        yield Unfit(problem, "run it as that user", setting=setting)
        return
    yield from _foreign_files(path, setting)


def _foreign_files(path: Path, setting: str) -> Iterator[Unfit]:
    """What was made there by another user, as root: it cannot be opened when it is needed."""
    closed = [entry for entry in sorted(path.iterdir()) if not os.access(entry, os.R_OK | os.W_OK) and not entry.is_socket()]
    if closed:
        names = ", ".join(entry.name for entry in closed[:_TOLD]) + (" and others" if len(closed) > _TOLD else "")
        problem = f"{path} has files that this user cannot read and write: {names}"
        yield Unfit(problem, f"give them back: chown -R USER:USER {path}", setting=setting)


def unusable_address(address: str, setting: str, *, is_ours: Callable[[], bool]) -> Iterator[Unfit]:
    """An address that could not be listened on now. is_ours: whether it is the process of these settings that has it."""
    if not address:
        return
    try:
        try_address(*split_address(address))
    except AddressUnavailable as error:
        if error.code == errno.EADDRINUSE and is_ours():
            return
        problem = f"{error.address} {error.problem}"
        if error.code == errno.EACCES:  # whoever checks by hand lacks the capability that the unit gives
            yield Unchecked(problem, error.remedy, setting=setting)
        else:
            yield Unfit(problem, error.remedy, setting=setting)


def unreadable(path: Path, setting: str | Key) -> Iterator[Unfit]:
    """A file that this user cannot read."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        remedy = "correct the path" if isinstance(error, FileNotFoundError) else "let the user that needs it read it"
        yield Unfit(f"{path} cannot be read ({error.strerror})", remedy, setting=setting)
