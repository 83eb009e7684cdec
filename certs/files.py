"""Files that hold keys: right modes, and never half written."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from certs.errors import KeyStoreError

MAX_SIZE = 1024 * 1024
"""Bytes of the largest key or certificate file that is read."""


def private_directory(path: Path, *, within_state: bool = False) -> Path:
    """Make `path` a directory that only its owner can enter. Raises KeyStoreError where it is somebody else's.

    `within_state`: what contains it is a state directory, which is private too where it is made here."""
    try:
        if within_state:  # `parents` alone would open it to others, and the next command would refuse to use it
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except OSError as error:
        raise KeyStoreError(
            path, f"cannot be created as a directory ({error.strerror})", "choose another state_dir"
        ) from error
    if os.name == "posix" and status.st_uid != os.geteuid():
        raise KeyStoreError(path, f"belongs to user {status.st_uid}", f"chown it to user {os.geteuid()}")
    check_closed(path)
    return path


def check_closed(path: Path) -> None:
    """Refuse a state directory that others may enter, whoever's it is. Raises KeyStoreError; FileNotFoundError where there
    is none."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise KeyStoreError(path, f"is open to other users (mode {mode:04o})", f"run chmod 700 {path}")


def atomic_write(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace `path` as a whole, or leave it as it was: temporary file, fsync, rename, fsync of the directory.

    Raises KeyStoreError (full disk, read-only file system); the old content is intact then.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode) if hasattr(os, "fchmod") else None
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
        sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise _unwritable(path, error) from error


def write_new(path: Path, data: bytes) -> None:
    """Make a file that only its owner can read, synced to disk before this returns. Raises FileExistsError where there is
    one of that name, KeyStoreError (full disk, read-only file system)."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise KeyStoreError(path, problem, "nothing was changed; free disk space and try again") from error


def read_private(path: Path, *, most: int = MAX_SIZE, in_real: bool = False) -> bytes:
    """Read a file that nobody else may read, of `most` bytes. in_real: its directory may not be a link either, as where
    root reads in a directory that is somebody else's. Raises KeyStoreError; FileNotFoundError where there is none."""
    content, mode = _read(path, _NO_LINK, most, in_real=in_real)
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise KeyStoreError(
            path, "can be read by other users", f"run chmod 600 {path}; other users may have read its content"
        )
    return content


def read_public(path: Path) -> bytes:
    """Read a file that others may read too. Raises KeyStoreError; FileNotFoundError where there is none."""
    return _read(path, 0, MAX_SIZE)[0]


_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def _read(path: Path, flags: int, most: int, *, in_real: bool = False) -> tuple[bytes, int]:
    """Content and mode."""
    flags |= os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # a pipe would be waited for
    try:
        descriptor = _open_in_real(path, flags) if in_real and os.open in os.supports_dir_fd else os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyStoreError(path, f"cannot be opened ({error.strerror})", "it must be a regular file of ours") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyStoreError(path, "is not a regular file", "restore it from the backup")
        if status.st_size > most:
            raise KeyStoreError(path, f"has {status.st_size} bytes", "it is not a key file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(), status.st_mode
    finally:
        os.close(descriptor)


def _open_in_real(path: Path, flags: int) -> int:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | _NO_LINK)
    try:
        return os.open(path.name, flags, dir_fd=directory)
    finally:
        os.close(directory)


def sync_directory(path: Path) -> None:
    """Have the names in a directory on the disk: a file that was renamed into it, or removed. Raises OSError."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> KeyStoreError:
    return KeyStoreError(
        path, f"cannot be written ({error.strerror})", "the old content is unchanged; free disk space and try again"
    )
