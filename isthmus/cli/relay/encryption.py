"""How a command is told what a backup is encrypted to, and what opens it: by files, or a prompt that shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.backup import BackupError, Lock, Opener, Passphrase, read_private_keys, read_public_keys
from isthmus.cli.flow import someone_is_there
from isthmus.cli.output import FILE, Failure, reporting
from settings import UnusableFile, read_secret

F = TypeVar("F", bound=Callable[..., Any])

SHORTEST = 12
"""Characters of a passphrase: whoever finds the backup can try as many as they like."""

passphrase_option = click.option("--passphrase-file", type=FILE, help="File with the passphrase, mode 0600.")
public_key_option = click.option(
    "--public-key-file", type=FILE, help="File with the public keys (age1…) to encrypt to, one per line."
)
private_key_option = click.option(
    "--private-key-file", type=FILE, help="File with the private key, for a backup encrypted to a public key; mode 0600."
)


def read_lock(passphrase_file: Path | None, public_key_file: Path | None) -> Lock:
    """What a backup is to be encrypted to; asks for a passphrase where there is no file. Raises Failure, UsageError."""
    if passphrase_file is not None and public_key_file is not None:
        raise click.UsageError("Give --passphrase-file or --public-key-file, not both.")
    if public_key_file is not None:
        with reporting(BackupError):
            return read_public_keys(public_key_file)
    text = _passphrase(passphrase_file, "--public-key-file", confirm=True)
    if len(text) < SHORTEST:
        raise Failure(f"the passphrase has fewer than {SHORTEST} characters; all keys of the relay depend on it")
    return Passphrase(text)


def read_opener(passphrase_file: Path | None, private_key_file: Path | None) -> Opener:
    """What opens a backup; asks for a passphrase where there is no file. Raises Failure, UsageError."""
    if passphrase_file is not None and private_key_file is not None:
        raise click.UsageError("Give --passphrase-file or --private-key-file, not both.")
    if private_key_file is not None:
        with reporting(BackupError):
            return read_private_keys(private_key_file)
    return Passphrase(_passphrase(passphrase_file, "--private-key-file", confirm=False))


def _passphrase(file: Path | None, other: str, *, confirm: bool) -> str:
    if file is not None:
        with reporting(UnusableFile):
            return read_secret(file)
    if not someone_is_there():
        raise Failure(f"there is no terminal to ask for the passphrase; give --passphrase-file or {other}")
    text: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return text
