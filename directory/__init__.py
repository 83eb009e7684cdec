"""Everything that is said to a directory over LDAP: connections, binds, searches, DC health.

What belongs here: Active Directory's and other directories' words and quirks. What does not: who asks (agent, sync).
"""

from directory.directories import Directories
from directory.errors import Abandoned, DirectoryError
from directory.model import Check, ControllerHealth, Credential, Group, Identity, Outcome, Verdict
from directory.settings import DirectorySettings, TlsSettings

__all__ = [
    "Abandoned",
    "Check",
    "ControllerHealth",
    "Credential",
    "Directories",
    "DirectoryError",
    "DirectorySettings",
    "Group",
    "Identity",
    "Outcome",
    "TlsSettings",
    "Verdict",
]
