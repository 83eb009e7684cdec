"""Which files of a state directory are its state: not what is this moment's. The database is copied in another way."""

from __future__ import annotations

import stat
from pathlib import Path

from gateway.backup.archive import DATABASE
from gateway.backup.errors import BackupUnsound

STAGED = ".restore-"
"""What a restore has read and not put in place begins with."""
COPY = ".backup-"
"""What a backup's copies begin with."""
REPLACED = "replaced-"
"""What `restore --replace` has moved aside begins with."""
LAST_BACKUP = "last-backup"
LOCK = "relay.lock"
_OF_THIS_MOMENT = {LOCK, "control.sock", LAST_BACKUP}
_DEEPEST = 4


def is_database(name: str, database: str = DATABASE) -> bool:
    """Whether it is the database, or what SQLite keeps beside it."""
    return name in {database, f"{database}-wal", f"{database}-shm", f"{database}-journal"}


def find_state(state_dir: Path, database: str = DATABASE) -> dict[str, Path]:
    """Every file to be backed up, by its path in the directory. Raises OSError; BackupUnsound for what is not a file.

    Of the database no file is opened, here or by whoever gets this.
    """
    found: dict[str, Path] = {}
    for path in own_entries(state_dir):
        if not is_database(path.name, database):
            _add(found, state_dir, path, 1)
    return dict(sorted(found.items()))


def own_entries(state_dir: Path) -> list[Path]:
    """What is directly in the directory and belongs to its state, the database included. Raises OSError."""
    return sorted(
        path
        for path in state_dir.iterdir()
        if path.name not in _OF_THIS_MOMENT and not path.name.startswith((".", REPLACED))
    )


def _add(found: dict[str, Path], state_dir: Path, path: Path, depth: int) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISDIR(mode) and depth < _DEEPEST:
        for entry in sorted(path.iterdir()):
            if not entry.name.startswith("."):
                _add(found, state_dir, entry, depth + 1)
    elif stat.S_ISREG(mode):
        found[path.relative_to(state_dir).as_posix()] = path
    else:
        raise BackupUnsound(path, "is not a regular file", "nothing but the relay's own files belongs in state_dir")


def holds_state(state_dir: Path) -> bool:
    """Whether a relay has its keys, its database or its notes there. Raises OSError."""
    return state_dir.is_dir() and bool(own_entries(state_dir))
