"""The port to a Windows host: what `WinRm`, `Recorder` and `Replay` implement, and everybody else uses."""

from __future__ import annotations

from typing import Protocol

from adfs_mgmt.remoting.command import Command, PSObject


class Shell(Protocol):
    """Runs commands on hosts. Safe to use from several tasks at once."""

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        """What the command wrote, in order. Raises RemotingError; a non-terminating error is one as well.

        Cancelling stops waiting; whether the command took effect on the host is then unknown.
        """
        ...

    async def close(self) -> None:
        """Let go of every host."""
        ...
