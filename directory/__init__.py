"""Everything that is said to a directory over LDAP, and how Active Directory and others answer.

What belongs here: how a server is talked to (`ldap`), how a credential is checked or changed (`credentials`), who somebody
is (`people`), and `Directories`, which puts them together behind one interface. What does not: who asks (agent, sync).
"""

from directory.credentials import BeforeBind
from directory.directories import Directories, contradictions
from directory.errors import (
    Abandoned,
    Ambiguous,
    ConnectFailed,
    ConnectionBroken,
    ConnectionTimedOut,
    DirectoryError,
    LdapConnectionError,
    Malformed,
    NoDirectory,
    NotFound,
    ServerCertificateRefused,
    ServerRefused,
    ServiceAccountRefused,
    SettingsProblem,
)
from directory.model import (
    CheckOutcome,
    CheckResult,
    ControllerHealth,
    ControllerState,
    Credential,
    DirectoryCondition,
    DirectoryGroup,
    DirectoryIdentity,
    DirectoryObject,
    DirectoryReadiness,
    PasswordRule,
)
from directory.settings import DirectorySettings, TlsSettings

__all__ = [
    "Abandoned",
    "Ambiguous",
    "BeforeBind",
    "CheckOutcome",
    "CheckResult",
    "ConnectFailed",
    "ConnectionBroken",
    "ConnectionTimedOut",
    "ControllerHealth",
    "ControllerState",
    "Credential",
    "Directories",
    "DirectoryCondition",
    "DirectoryError",
    "DirectoryGroup",
    "DirectoryIdentity",
    "DirectoryObject",
    "DirectoryReadiness",
    "DirectorySettings",
    "LdapConnectionError",
    "Malformed",
    "NoDirectory",
    "NotFound",
    "PasswordRule",
    "ServerCertificateRefused",
    "ServerRefused",
    "ServiceAccountRefused",
    "SettingsProblem",
    "TlsSettings",
    "contradictions",
]
