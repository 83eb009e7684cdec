"""Whether this machine has what a settings file names: directories, files, certificates, the store, addresses to listen on.

The one place that asks the machine; whether values make sense by themselves is said beside their types. What is found out
here is found out by the functions that load the same things at the start. Nothing is made, changed or migrated.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from isthmus.prerequisites.machine import Unchecked
from settings import Unfit

__all__ = ["Unchecked", "unusable_addresses", "unusable_files"]


_MODULES = {"RelaySettings": "relay", "AgentSettings": "agent", "AdfsSettings": "adfs", "SyncSettings": "sync"}


def unusable_addresses(settings: Any) -> Iterator[Unfit]:
    """Addresses that cannot be listened on. settings: of any kind of file. To be asked before root becomes somebody else."""
    yield from _of(settings).unusable_addresses(settings)


def unusable_files(settings: Any) -> Iterator[Unfit]:
    """All else that this user could not use, an Unchecked for what cannot be known here. May connect to a database."""
    yield from _of(settings).unusable_files(settings)


def _of(settings: Any) -> ModuleType:
    """Imported when it is needed: an agent's machine has nothing of the relay's installed."""
    return import_module(f"{__name__}.{_MODULES[type(settings).__name__]}")
