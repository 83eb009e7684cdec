"""The password of a user whom a check signs in: from a file, or a prompt that shows nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from isthmus.cli.flow import someone_is_there
from isthmus.cli.output import Failure, reporting
from settings import UnusableFile, read_secret


def password_of(user: str | None, file: str | None) -> str:
    """Empty without a user. file: `-` for a line of standard input. Raises Failure, UsageError."""
    if file is not None and not user:
        raise click.UsageError("--password-file needs --user.")
    if not user:
        return ""
    if file is None:
        if not someone_is_there():
            raise Failure("there is no terminal to ask for the password; give --password-file FILE, or - for standard input")
        typed: str = click.prompt("Password", hide_input=True, err=True)
        return typed
    with reporting(UnusableFile):
        return sys.stdin.readline().rstrip("\r\n") if file == "-" else read_secret(Path(file))
