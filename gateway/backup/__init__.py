"""Backups of a relay: its keys and its database, encrypted, in one file; and the way back.

What belongs here: what is in a backup, the container, the order in which a restore does what it does. What does not: SQL
(gateway.store), and the words for people (isthmus.cli).

    age, bech32         the container, in age's format
    archive, tar        what is in it
    keys                files with public and private keys
    state_files         what of a state directory is its state
    creation, inspection, restoration
"""

from gateway.backup.age import Lock, Opener, Passphrase, PrivateKey, PublicKey
from gateway.backup.creation import make_backup, note_backup, pending_backup, write_backup
from gateway.backup.errors import (
    BackupError,
    BackupKeyUnusable,
    BackupLocked,
    BackupUnreadable,
    BackupUnsound,
    BackupUnwritable,
    RestoreRefused,
)
from gateway.backup.inspection import BackupView, verify_backup
from gateway.backup.keys import make_key, read_private_keys, read_public_keys
from gateway.backup.restoration import RestoreView, finish_restore, restore, unfinished

__all__ = [
    "BackupError",
    "BackupKeyUnusable",
    "BackupLocked",
    "BackupUnreadable",
    "BackupUnsound",
    "BackupUnwritable",
    "BackupView",
    "Lock",
    "Opener",
    "Passphrase",
    "PrivateKey",
    "PublicKey",
    "RestoreRefused",
    "RestoreView",
    "finish_restore",
    "make_backup",
    "make_key",
    "note_backup",
    "pending_backup",
    "read_private_keys",
    "read_public_keys",
    "restore",
    "unfinished",
    "verify_backup",
    "write_backup",
]
