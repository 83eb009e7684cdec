"""Everything that is said to a directory over LDAP: connections, binds, searches, DC health.

What belongs here: Active Directory's and other directories' words and quirks. What does not: who asks (agent, sync).
"""

from directory.directories import Directories
from directory.errors import Abandoned, DirectoryError
from directory.model import (
    Check,
    CheckOutcome,
    CheckResult,
    ControllerHealth,
    ControllerState,
    Credential,
    DirectoryGroup,
    DirectoryIdentity,
)
from directory.settings import DirectorySettings, TlsSettings

__all__ = [
    "Abandoned",
    "Check",
    "CheckOutcome",
    "CheckResult",
    "ControllerHealth",
    "ControllerState",
    "Credential",
    "Directories",
    "DirectoryError",
    "DirectoryGroup",
    "DirectoryIdentity",
    "DirectorySettings",
    "TlsSettings",
]
