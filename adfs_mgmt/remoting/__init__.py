"""Commands on Windows hosts over WinRM, behind a port.

What belongs here: WSMan and PSRP, the session's recording, JEA files. What does not: what the commands are for.
"""

from adfs_mgmt.remoting.command import Command, Credential, Secret, Thing, Value
from adfs_mgmt.remoting.errors import AccessDenied, CommandFailed, HostUnreachable, Interrupted, RemotingError
from adfs_mgmt.remoting.shell import Shell

__all__ = [
    "AccessDenied",
    "Command",
    "CommandFailed",
    "Credential",
    "HostUnreachable",
    "Interrupted",
    "RemotingError",
    "Secret",
    "Shell",
    "Thing",
    "Value",
]
