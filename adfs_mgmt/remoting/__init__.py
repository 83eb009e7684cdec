"""Commands on Windows hosts over WinRM, behind a port.

What belongs here: WSMan and PSRP, the session's recording, JEA files. What does not: what the commands are for.

`WinRm` is loaded when it is first used, so that whoever only speaks of commands does not load pypsrp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adfs_mgmt.remoting.catalogue import (
    CATALOGUE,
    MACHINE_STORE,
    ROOT_STORE,
    TRUSTED_DEVICES,
    HostKind,
    NotInCatalogue,
    make_command,
    timeout_of,
)
from adfs_mgmt.remoting.command import Command, PSCredential, PSObject, Secret, Value
from adfs_mgmt.remoting.errors import AccessDenied, CommandFailed, HostUnreachable, Interrupted, RemotingError
from adfs_mgmt.remoting.properties import flag_of, integer_of, object_of, seconds_of, text_of, texts_of, time_of
from adfs_mgmt.remoting.recorder import Recorder, RecordingDamaged, Replay
from adfs_mgmt.remoting.settings import RemotingSettings, split_host
from adfs_mgmt.remoting.shell import Shell
from foundation.lazy import lazy_names

if TYPE_CHECKING:
    from adfs_mgmt.remoting.jea import JEA_MODULE, jea_role, write_endpoint_files
    from adfs_mgmt.remoting.winrm import WinRm

_MODULES = {
    "winrm": "WinRm",
    "jea": "JEA_MODULE jea_role write_endpoint_files",
}

__all__ = [
    "CATALOGUE",
    "JEA_MODULE",
    "MACHINE_STORE",
    "ROOT_STORE",
    "TRUSTED_DEVICES",
    "AccessDenied",
    "Command",
    "CommandFailed",
    "HostKind",
    "HostUnreachable",
    "Interrupted",
    "NotInCatalogue",
    "PSCredential",
    "PSObject",
    "Recorder",
    "RecordingDamaged",
    "RemotingError",
    "RemotingSettings",
    "Replay",
    "Secret",
    "Shell",
    "Value",
    "WinRm",
    "flag_of",
    "integer_of",
    "jea_role",
    "make_command",
    "object_of",
    "seconds_of",
    "split_host",
    "text_of",
    "texts_of",
    "time_of",
    "timeout_of",
    "write_endpoint_files",
]

if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
