"""Everything that is said to a directory over LDAP, and how Active Directory and others answer.

What belongs here: how a server is talked to (`ldap`), how a credential is checked or changed (`credentials`), who somebody
is (`people`), what a directory says of itself (`inspection`, `discovery`), and `Directories`, which puts them together
behind one interface. What does not: who asks (agent, sync).
"""

from directory.authority import ShownCertificate, certificates_in, root_of
from directory.credentials import BeforeBind
from directory.directories import Directories, check_service_password, check_trust, contradictions
from directory.discovery import (
    DomainReading,
    ShownChain,
    find_controllers,
    published_authorities,
    read_chain,
    read_domain,
    verify_trust,
)
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
    DomainNames,
    PasswordRequirements,
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
    "DomainNames",
    "DomainReading",
    "LdapConnectionError",
    "Malformed",
    "NoDirectory",
    "NotFound",
    "PasswordRequirements",
    "PasswordRule",
    "ServerCertificateRefused",
    "ServerRefused",
    "ServiceAccountRefused",
    "SettingsProblem",
    "ShownCertificate",
    "ShownChain",
    "TlsSettings",
    "certificates_in",
    "check_service_password",
    "check_trust",
    "contradictions",
    "find_controllers",
    "published_authorities",
    "read_chain",
    "read_domain",
    "root_of",
    "verify_trust",
]
