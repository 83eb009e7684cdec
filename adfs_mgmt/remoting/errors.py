"""What can go wrong between us and a Windows host.

RemotingError
├── HostUnreachable   no connection: nothing was run
├── AccessDenied      the host refused the credential, or the user there: one try, no more
├── CommandFailed     the command ran and wrote errors
└── Interrupted       the connection broke or the time was up while the command ran: its effect is unknown
"""

from __future__ import annotations


class RemotingError(Exception):
    """Base of everything that this room raises. `host` is as in the settings."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host = host
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.host}: {self.reason}"


class HostUnreachable(RemotingError):
    """No connection was made; nothing was run."""


class AccessDenied(RemotingError):
    """The credential was refused. It is not tried again: each try counts against the account."""


class CommandFailed(RemotingError):
    """The command wrote errors, terminating or not."""

    def __init__(self, host: str, command: str, reason: str, *, error_id: str = "", category: str = "") -> None:
        super().__init__(host, reason)
        self.command = command
        self.error_id = error_id
        """FullyQualifiedErrorId, such as `PS0159,Microsoft.IdentityServer…`."""
        self.category = category

    def __str__(self) -> str:
        return f"{self.host}: {self.command}: {self.reason}" + (f" ({self.error_id})" if self.error_id else "")


class Interrupted(RemotingError):
    """It is not known whether the command took effect: look before doing it again."""
