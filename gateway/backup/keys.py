"""Files with the keys that backups are encrypted to, as age writes them: a key a line, `#` begins a remark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from certs import KeyStoreError, read_private, write_new
from gateway.backup.age import PrivateKey, PublicKey
from gateway.backup.errors import BackupKeyUnusable

K = TypeVar("K")

_LARGEST = 64 * 1024
"""Bytes."""


def make_key(path: Path, now: float) -> PublicKey:
    """A new private key in a new file, mode 0600; returns its public one. Raises BackupKeyUnusable."""
    key = PrivateKey.generate()
    made = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    text = f"# created: {made}\n# public key: {key.public}\n{key.text}\n"
    try:
        write_new(path, text.encode())
    except FileExistsError as error:
        raise BackupKeyUnusable(path, "exists already", "choose another name: existing backups need this key") from error
    except KeyStoreError as error:
        raise BackupKeyUnusable(path, error.problem, error.remedy) from error
    return key.public


def read_public_keys(path: Path) -> list[PublicKey]:
    """Whom backups are to be encrypted to. Raises BackupKeyUnusable."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        raise BackupKeyUnusable(path, f"cannot be read ({error.strerror})", "check the path of the public key") from error
    if b"AGE-SECRET-KEY-" in content:
        problem = "contains a private key, which must not be on a relay"
        raise BackupKeyUnusable(
            path, problem, "give a file with the public key instead, which is the line `# public key: age1…` in it"
        )
    return _parsed(path, content, PublicKey.parse, "public keys (age1…)")


def read_private_keys(path: Path) -> list[PrivateKey]:
    """What opens backups. Raises BackupKeyUnusable."""
    try:
        content = read_private(path, most=_LARGEST)
    except FileNotFoundError as error:
        raise BackupKeyUnusable(path, "is not there", "check the path of the private key") from error
    except KeyStoreError as error:
        raise BackupKeyUnusable(path, error.problem, error.remedy) from error
    return _parsed(path, content, PrivateKey.parse, "private keys (AGE-SECRET-KEY-1…)")


def _parsed(path: Path, content: bytes, parse: Callable[[str], K], kind: str) -> list[K]:
    keys = []
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            keys.append(parse(text))
        except ValueError as error:  # its text quotes nothing of the key
            raise BackupKeyUnusable(path, f"line {number}: {error}", f"it must contain {kind}, one per line") from None
    if not keys:
        raise BackupKeyUnusable(path, "holds no key", f"it must contain {kind}, one per line")
    return keys
