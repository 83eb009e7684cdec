"""What can go wrong between us and a Windows host.

RemotingError
├── HostUnreachable   no connection: nothing was run
│   └── NoTicket      there is no Kerberos ticket to show to the host
├── AccessDenied      the host refused the credential, or the user there: one try, no more
│   └── CredentialRefused   the password itself, or the account: no other host is asked with it
├── CommandFailed     the command ran and wrote errors
└── Interrupted       the connection broke or the time was up while the command ran: its effect is unknown
"""

from __future__ import annotations


class RemotingError(Exception):
    """Base of everything that this package raises. `host` is as in the settings."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host = host
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.host}: {self.reason}"


class HostUnreachable(RemotingError):
    """No connection was made; nothing was run."""


class NoTicket(HostUnreachable):
    """Kerberos has no ticket for the host. It may have one later: what is missing is in the text."""


class AccessDenied(RemotingError):
    """The credential was refused. It is not tried again: each try counts against the account."""


class CredentialRefused(AccessDenied):
    """The password itself, or the account, is refused: no other host is asked with it."""


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


_CATEGORIES = """
NotSpecified OpenError CloseError DeviceError DeadlockDetected InvalidArgument InvalidData InvalidOperation
InvalidResult InvalidType MetadataError NotImplemented NotInstalled ObjectNotFound OperationStopped OperationTimeout
SyntaxError ParserError PermissionDenied ResourceBusy ResourceExists ResourceUnavailable ReadError WriteError
FromStdErr SecurityError ProtocolError ConnectionError AuthenticationError LimitsExceeded QuotaExceeded NotEnabled
"""
CATEGORIES = tuple(_CATEGORIES.split())
"""System.Management.Automation.ErrorCategory, by number."""
