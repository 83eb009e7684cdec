"""Commands on Windows hosts over WinRM, behind a port.

What belongs here: WSMan and PSRP, the session's recording, JEA files. What does not: what the commands are for.

`WinRm` is in `remoting.winrm`, so that whoever only speaks of commands does not load pypsrp; commands are made by
`remoting.catalogue.make`.
"""

from adfs_mgmt.remoting.command import Command, Credential, Secret, Thing, Value
from adfs_mgmt.remoting.errors import (
    AccessDenied,
    CommandFailed,
    CredentialRefused,
    HostUnreachable,
    Interrupted,
    NoTicket,
    RemotingError,
)
from adfs_mgmt.remoting.recorder import Recorder, RecordingDamaged, Replay
from adfs_mgmt.remoting.shell import Shell

__all__ = [
    "AccessDenied",
    "Command",
    "CommandFailed",
    "Credential",
    "CredentialRefused",
    "HostUnreachable",
    "Interrupted",
    "NoTicket",
    "Recorder",
    "RecordingDamaged",
    "RemotingError",
    "Replay",
    "Secret",
    "Shell",
    "Thing",
    "Value",
]
