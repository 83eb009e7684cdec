"""Commands as acts of a procedure: what came of one, with the effect that a failure left behind."""

from __future__ import annotations

from adfs_mgmt.remoting import (
    AccessDenied,
    Command,
    CommandFailed,
    HostUnreachable,
    Interrupted,
    PSObject,
    RemotingError,
    Shell,
    text_of,
    timeout_of,
)
from foundation.procedures import ActFailed, Effect


async def run_command(shell: Shell, host: str, command: Command) -> list[PSObject]:
    """Run one at a host. Raises ActFailed, also for what a cmdlet reports as its output instead of an error."""
    try:
        answer = await shell.run(host, command, timeout=timeout_of(command.name))
        if found := problems(answer):
            raise CommandFailed(host, command.name, "; ".join(found))
    except RemotingError as error:
        raise ActFailed(host, str(error), _effect(error)) from error
    return answer


def problems(answer: list[PSObject]) -> tuple[str, ...]:
    """What deployment cmdlets report as their output: rows with a Status of `Error`."""
    found = (text_of(row, "Message") for row in answer if text_of(row, "Status").lower() == "error")
    return tuple(dict.fromkeys(found))


def _effect(error: RemotingError) -> Effect:
    """A command that the host refused to take has never run: that is no try."""
    if isinstance(error, HostUnreachable | AccessDenied):
        return "none"
    return "unknown" if isinstance(error, Interrupted) else "refused"
