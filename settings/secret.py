"""A secret in a file of its own: the one way in which passwords and the like are read.

Who may read it: PostgreSQL's rule for private keys (`libpq`, "Client Certificates"). A file of ours must be closed to
everybody else. One of root's may be open to a group for reading: that is how an administrator hands a secret to a service,
and what systemd's `LoadCredential=` looks like, whose access list shows as mode 0440. Others may not read it in any case.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from settings.errors import UnusableFile
from settings.files import read_regular

LONGEST = 16 * 1024
"""Bytes of the largest secret: tokens are long, everything beyond is some other file."""

_OF_ROOT = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO
_OF_OURS = stat.S_IRWXG | stat.S_IRWXO


def read_secret(path: Path) -> str:
    """The text in the file, one line end cut off; read anew each time, since it may be replaced while a process runs.

    Raises UnusableFile: not there, no regular file, open to others, somebody else's, too large, no UTF-8, empty, or more
    than one line. Its text never quotes the content.
    """
    content, status = read_regular(path, LONGEST)
    if os.name == "posix":
        _check_access(path, status)
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        raise UnusableFile(path, "begins with a byte order mark", "save it as UTF-8 without one")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:  # without its cause, which holds the content
        raise UnusableFile(path, "is not UTF-8 text", "save it as UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise UnusableFile(path, "is empty", "put the secret there")
    if any(character in text for character in "\n\r\0"):
        raise UnusableFile(path, "has more than one line", "it must hold the secret and nothing else")
    return text


def check_secret_file(path: Path) -> None:
    """Refuse a file with a secret that a library will open by itself: as `read_secret` would. Raises UnusableFile."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: NUL in the path
        raise UnusableFile(path, f"cannot be read ({getattr(error, 'strerror', error)})") from error
    if os.name == "posix":
        _check_access(path, status)


def _check_access(path: Path, status: os.stat_result) -> None:
    ours = os.geteuid()
    if status.st_uid not in {0, ours}:
        raise UnusableFile(path, f"belongs to user {status.st_uid}", f"run this as that user, or chown it to user {ours}")
    if status.st_mode & (_OF_ROOT if status.st_uid == 0 else _OF_OURS):
        problem = f"is open to other users (mode {stat.S_IMODE(status.st_mode):04o})"
        raise UnusableFile(path, problem, f"run chmod 600 {path} and replace what it holds")
