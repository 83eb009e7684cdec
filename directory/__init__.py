"""Everything that is said to a directory over LDAP: connections, binds, searches, DC health."""

from directory.errors import Abandoned, DirectoryError
from directory.model import Check, ControllerHealth, Credential, Group, Identity, Outcome, Verdict
from directory.settings import DirectorySettings, TlsSettings

__all__ = [
    "Abandoned",
    "Check",
    "ControllerHealth",
    "Credential",
    "DirectoryError",
    "DirectorySettings",
    "Group",
    "Identity",
    "Outcome",
    "TlsSettings",
    "Verdict",
]
