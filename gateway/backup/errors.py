"""What can go wrong with a backup.

BackupError               base
├── BackupUnreadable      no backup, damaged, cut short, or of a newer version
├── BackupLocked          the passphrase or private key is not this backup's
├── BackupKeyUnusable     a file that holds no key of the kind that is needed
├── BackupUnwritable      where the backup was to be written
├── BackupUnsound         what was to be backed up, or was in the backup, does not hold
└── RestoreRefused        the state directory cannot take it: a relay runs there, or has its state there
"""

from __future__ import annotations

from pathlib import Path


class BackupError(Exception):
    """Base of this package's errors."""


class _AboutFile(BackupError):
    def __init__(self, path: Path | str, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path, self.problem, self.remedy = path, problem, remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.remedy}"


class BackupUnreadable(_AboutFile):
    """What was read is no whole backup that this version can read."""


class BackupLocked(_AboutFile):
    """It is encrypted to something else than what was given."""


class BackupKeyUnusable(_AboutFile):
    """A file that was to hold a key."""


class BackupUnwritable(_AboutFile):
    """The file could not be written; one that was there before is as it was."""


class BackupUnsound(_AboutFile):
    """The database, or the keys with it, are not what they should be."""


class RestoreRefused(_AboutFile):
    """Nothing was changed."""
