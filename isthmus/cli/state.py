"""Settings of a process that has a state directory, and whom a command turns into before it touches that directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from isthmus.cli.output import Failure, reporting
from isthmus.ownership import OwnershipError, OwnerUnknown, become_owner
from settings import SettingsFileError, load_settings

M = TypeVar("M")


def load_as_owner(
    path: Path,
    model: type[M],
    state_dir_of: Callable[[M], Path],
    *,
    kind: str,
    makes: bool = False,
    now: bool = True,
) -> M:
    """The settings of a file, read as whoever runs the command; from then on root is the owner of `state_dir`.

    What only root may read (a token's file, a backup) is opened before. kind: `relay` or `agent`. makes: the command would
    make the state directory where there is none, which root may not. now: False where `own` is called later. Raises Failure.
    """
    with reporting(SettingsFileError):
        settings = load_settings(path, model)
    state_dir = state_dir_of(settings)
    if makes and os.name == "posix" and os.geteuid() == 0 and not state_dir.exists():
        raise Failure(str(OwnerUnknown(state_dir, kind)))
    if now:
        own(state_dir)
    return settings


def own(state_dir: Path, *, low_ports: bool = False) -> None:
    """Root becomes the owner of the state directory. low_ports: see `become_owner`. Raises Failure."""
    with reporting(OwnershipError, OSError):
        become_owner(state_dir, low_ports=low_ports)
