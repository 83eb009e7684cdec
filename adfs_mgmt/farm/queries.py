"""Asks one host, and notes what it does not answer. What a refused credential means for others is the Shell's."""

from __future__ import annotations

from dataclasses import dataclass, field

from adfs_mgmt.remoting import CommandFailed, PSObject, Shell, Value, make_command
from foundation.times import ElapsedClock

COMMAND_TIMEOUT = 30.0
"""Seconds for each command."""
_SECONDARY = "PS0033"
"""A secondary of a WID farm does not tell the configuration: that is no fault of it."""


@dataclass(slots=True, kw_only=True)
class HostQuery:
    """One host while it is asked. A command that fails is noted in `errors`; what ends the conversation is raised:
    HostUnreachable, AccessDenied, Interrupted."""

    shell: Shell
    host: str
    clock: ElapsedClock
    errors: list[str] = field(default_factory=list)

    async def ask(self, command: str, **parameters: Value) -> list[PSObject]:
        """What it answers; nothing where the command fails."""
        try:
            return await self.run(command, **parameters)
        except CommandFailed as error:
            if not error.reason.startswith(_SECONDARY) and not error.error_id.startswith(_SECONDARY):
                self.errors.append(f"{error.command}: {error.reason}")
            return []

    async def ask_for(self, command: str, **parameters: Value) -> PSObject:
        """The first thing that it answers; an empty one for none."""
        return next(iter(await self.ask(command, **parameters)), {})

    async def try_for(self, command: str, **parameters: Value) -> list[PSObject] | None:
        """None where the command fails, without a note: not every host has it."""
        try:
            return await self.run(command, **parameters)
        except CommandFailed:
            return None

    async def run(self, command: str, **parameters: Value) -> list[PSObject]:
        """What it answers. Raises RemotingError, CommandFailed too."""
        return await self.shell.run(self.host, make_command(command, **parameters), timeout=COMMAND_TIMEOUT)
