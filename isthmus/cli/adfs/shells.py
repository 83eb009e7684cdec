"""The way to the servers, for every command: WinRM, and what is said written down where `--record` names a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isthmus.cli.output import Failure

if TYPE_CHECKING:
    from adfs_mgmt.remoting import RemotingSettings, Shell

_RECORDING = "isthmus.adfs.recording"


def record_to(context: click.Context, path: Path) -> None:
    """Whatever is opened in this run of the program is recorded there. Raises Failure for a file that is there already."""
    if path.exists():
        raise Failure(f"{path} is there already; name a new file for the recording")
    context.find_root().meta[_RECORDING] = path


def open_shell(settings: RemotingSettings) -> Shell:
    """Raises RemotingError for settings that cannot work, Failure for a recording that cannot be written."""
    from adfs_mgmt.remoting import WinRm

    shell = WinRm(settings)
    path = _recording()
    if path is None:
        return shell
    from adfs_mgmt.remoting import Recorder

    try:
        return Recorder(shell, path)
    except OSError as error:
        raise Failure(f"--record {path}: cannot be written ({error.strerror})") from error


def _recording() -> Path | None:
    context = click.get_current_context(silent=True)
    return context.find_root().meta.get(_RECORDING) if context is not None else None
