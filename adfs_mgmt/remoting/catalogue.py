"""Every command that we ever send, with the type of each parameter: commands are made here, and nowhere else.

The JEA role file (`jea`) is written from this list, so that what we may send and what a host lets us run are one thing.
Parameters of a cmdlet that we do not use are left out on purpose.

Sources: the reference of the modules ADFS, WebApplicationProxy, ServerManager, Microsoft.PowerShell.Management,
Microsoft.PowerShell.Utility and CimCmdlets, Windows Server 2012 R2 to 2025.

Functions of our own (their names begin with `Isthmus` after the verb) are defined in the role file, because Windows has
no cmdlet that does it without script text or a file on the host. They are there only through the JEA endpoint, which is
therefore required for whatever changes certificates in a host's store:

    Get-IsthmusKeyAccess [-Thumbprint T,…]        Thumbprint, HasPrivateKey, Cng, KeySpec, Provider, ServiceAccount,
                                                  Readable
    Import-IsthmusCertificate -Pfx BYTES -Password SECRET      Thumbprint, Cng, Existed
    Grant-IsthmusKeyAccess -Thumbprint T -Account A            (nothing)
    Remove-IsthmusCertificate -Thumbprint T                    (nothing)
    Get-IsthmusServicePrincipal -Name N                        Account, Names, IsService: of each account in the forest

Without the endpoint an administrator imports PFX files on the hosts by hand (`Import-PfxCertificate -FilePath … \
-CertStoreLocation Cert:\\LocalMachine\\My`, then *Manage Private Keys* in the certificates snap-in).
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from adfs_mgmt.remoting.command import Command, PSCredential, Secret, Value


class NotInCatalogue(ValueError):
    """A command, or a parameter of one, that we never send: a mistake of the program, not of its user."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(command, reason)
        self.command = command
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.command}: {self.reason}"


class HostKind(enum.StrEnum):
    """What a host is to a farm."""

    NODE = "node"
    PROXY = "proxy"


class ParameterKind(enum.Enum):
    """Type of a parameter: what Python value it takes, and what .NET type it is on the host."""

    TEXT = "String"
    TEXTS = "String[]"
    INTEGER = "Int32"
    SWITCH = "SwitchParameter"
    BOOLEAN = "Boolean"
    BYTES = "Byte[]"
    TIME = "DateTime"
    SECRET = "SecureString"  # noqa: S105 - a type's name
    CREDENTIAL = "PSCredential"


_PYTHON: dict[ParameterKind, type | tuple[type, ...]] = {
    ParameterKind.TEXT: str,
    ParameterKind.TEXTS: tuple,
    ParameterKind.INTEGER: int,
    ParameterKind.SWITCH: bool,
    ParameterKind.BOOLEAN: bool,
    ParameterKind.BYTES: bytes,
    ParameterKind.TIME: dt.datetime,
    ParameterKind.SECRET: Secret,
    ParameterKind.CREDENTIAL: PSCredential,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. `choices` and `pattern` (a regular expression for the whole) hold for each text of several."""

    kind: ParameterKind
    required: bool = False
    choices: tuple[str, ...] = ()
    pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmdlet:
    """One cmdlet, or function of our own."""

    name: str
    module: str
    """Empty for a function of our own."""
    hosts: frozenset[HostKind]
    changes: bool
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    one_of: tuple[tuple[str, ...], ...] = ()
    """Of each of these groups exactly one parameter is given."""
    confirms: bool = False
    """It takes -Confirm, and might ask: it is told not to."""


THUMBPRINT = r"[0-9A-Fa-f]{40}"
MACHINE_STORE = "Cert:\\LocalMachine\\My"
TRUSTED_DEVICES, ROOT_STORE = "Cert:\\LocalMachine\\AdfsTrustedDevices", "Cert:\\LocalMachine\\Root"
"""Where a node keeps the certificates of its proxies, and Windows the roots that it trusts."""

_TOKEN_USES = ("Token-Signing", "Token-Decrypting")
_SERVICES = ("adfssrv", "appproxysvc", "appproxyctrl")
_TYPES = {
    "text": Parameter(kind=ParameterKind.TEXT),
    "int": Parameter(kind=ParameterKind.INTEGER),
    "bool": Parameter(kind=ParameterKind.BOOLEAN),
    "bytes": Parameter(kind=ParameterKind.BYTES),
    "secret": Parameter(kind=ParameterKind.SECRET),
    "credential": Parameter(kind=ParameterKind.CREDENTIAL),
    "switch": Parameter(kind=ParameterKind.SWITCH),
    "thumbprint": Parameter(kind=ParameterKind.TEXT, pattern=THUMBPRINT),
    "host": Parameter(kind=ParameterKind.TEXT, pattern=r"[A-Za-z0-9._-]{1,255}"),
    "guid": Parameter(kind=ParameterKind.TEXT, pattern=r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
    "token-use": Parameter(kind=ParameterKind.TEXT, choices=_TOKEN_USES),
    "use": Parameter(kind=ParameterKind.TEXT, choices=(*_TOKEN_USES, "Service-Communications")),
    "feature": Parameter(
        kind=ParameterKind.TEXT, choices=("ADFS-Federation", "Web-Application-Proxy", "Windows-Internal-Database")
    ),
    "service": Parameter(kind=ParameterKind.TEXT, choices=_SERVICES),
    "any-service": Parameter(kind=ParameterKind.TEXT, choices=(*_SERVICES, "MSSQL$MICROSOFT##WID")),
    "store": Parameter(kind=ParameterKind.TEXT, choices=(MACHINE_STORE, TRUSTED_DEVICES, ROOT_STORE)),
    "class": Parameter(kind=ParameterKind.TEXT, choices=("Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_Service")),
    "filter": Parameter(kind=ParameterKind.TEXT, choices=("Name='adfssrv'",)),
}
"""What a parameter is, besides its .NET type: `[]` behind it makes it several."""

_SIGNATURES = """
ADFS on node
reads    Get-AdfsProperties
reads    Get-AdfsSyncProperties
reads    Get-AdfsFarmInformation
reads    Get-AdfsCertificate [-CertificateType <use[]>] [-Thumbprint <thumbprint[]>]
reads    Get-AdfsSslCertificate
reads    Get-AdfsRelyingPartyTrust [-Name <text[]>]
reads    Get-AdfsClaimsProviderTrust
reads    Get-AdfsEndpoint
reads    Test-AdfsFarmJoin [-CertificateThumbprint <thumbprint>]
         (-GroupServiceAccountIdentifier <text> | -ServiceAccountCredential <credential>) [-Credential <credential>]
         (-PrimaryComputerName <host> [-PrimaryComputerPort <int>] | -SQLConnectionString <text>) [-FarmBehavior <int>]
reads    Test-AdfsFarmInstallation -CertificateThumbprint <thumbprint> -FederationServiceName <host>
         [-FederationServiceDisplayName <text>]
         (-GroupServiceAccountIdentifier <text> | -ServiceAccountCredential <credential>) [-Credential <credential>]
         [-SQLConnectionString <text>] [-SigningCertificateThumbprint <thumbprint>]
         [-DecryptionCertificateThumbprint <thumbprint>] [-OverwriteConfiguration] [-SSLPort <int>] [-TlsClientPort <int>]
confirms Set-AdfsProperties [-AutoCertificateRollover <bool>] [-CertificateGenerationThreshold <int>]
         [-CertificatePromotionThreshold <int>] [-CertificateDuration <int>]
confirms Add-AdfsCertificate -CertificateType <token-use> -Thumbprint <thumbprint> [-IsPrimary]
confirms Set-AdfsCertificate -CertificateType <use> -Thumbprint <thumbprint> [-IsPrimary]
confirms Remove-AdfsCertificate -CertificateType <token-use> -Thumbprint <thumbprint>
confirms Update-AdfsCertificate -CertificateType <token-use> [-Urgent]
confirms Set-AdfsSslCertificate -Thumbprint <thumbprint> [-Member <host[]>] [-RemoteCredential <credential>]
confirms Set-AdfsAlternateTlsClientBinding -Thumbprint <thumbprint> [-Member <host[]>] [-Force <bool>]
confirms Set-AdfsFarmInformation -RemoveNode <host[]>
confirms Add-AdfsFarmNode -CertificateThumbprint <thumbprint>
         (-GroupServiceAccountIdentifier <text> | -ServiceAccountCredential <credential>) [-Credential <credential>]
         (-PrimaryComputerName <host> [-PrimaryComputerPort <int>] | -SQLConnectionString <text>) [-FarmBehavior <int>]
         [-OverwriteConfiguration]
changes  Remove-AdfsFarmNode
         (-GroupServiceAccountIdentifier <text> | -ServiceAccountCredential <credential>) [-Credential <credential>]
confirms Install-AdfsFarm -CertificateThumbprint <thumbprint> -FederationServiceName <host>
         [-FederationServiceDisplayName <text>]
         (-GroupServiceAccountIdentifier <text> | -ServiceAccountCredential <credential>) [-Credential <credential>]
         [-SQLConnectionString <text>] [-SigningCertificateThumbprint <thumbprint>]
         [-DecryptionCertificateThumbprint <thumbprint>] [-OverwriteConfiguration] [-SSLPort <int>] [-TlsClientPort <int>]

WebApplicationProxy on proxy
reads    Get-WebApplicationProxySslCertificate
reads    Get-WebApplicationProxyApplication
reads    Get-WebApplicationProxyConfiguration
reads    Get-WebApplicationProxyHealth
confirms Set-WebApplicationProxySslCertificate -Thumbprint <thumbprint>
changes  Set-WebApplicationProxyApplication -ID <guid> -ExternalCertificateThumbprint <thumbprint>
changes  Install-WebApplicationProxy -FederationServiceName <host> -FederationServiceTrustCredential <credential>
         -CertificateThumbprint <thumbprint> [-HttpsPort <int>] [-TlsClientPort <int>]

ServerManager on node proxy
reads    Get-WindowsFeature -Name <feature[]>
confirms Install-WindowsFeature -Name <feature[]> [-IncludeManagementTools]
confirms Uninstall-WindowsFeature -Name <feature[]> [-IncludeManagementTools]

Microsoft.PowerShell.Management on node proxy
reads    Get-Service -Name <any-service[]>
confirms Restart-Service -Name <service[]> [-Force]
reads    Get-ChildItem -Path <store[]>

Microsoft.PowerShell.Utility on node proxy
reads    Get-Date

CimCmdlets on node proxy
reads    Get-CimInstance -ClassName <class> [-Filter <filter>]

(ours) on node proxy
reads    Get-IsthmusKeyAccess [-Thumbprint <thumbprint[]>]
changes  Import-IsthmusCertificate -Pfx <bytes> -Password <secret>
changes  Grant-IsthmusKeyAccess -Thumbprint <thumbprint> -Account <text>
changes  Remove-IsthmusCertificate -Thumbprint <thumbprint>

(ours) on node
reads    Get-IsthmusServicePrincipal -Name <host>
"""
"""As in Microsoft's reference: [optional], (one | or the other), types of `_TYPES`; without a type it is a switch.
`changes`: it changes something; `confirms`: and takes -Confirm."""

_SIGNATURE = re.compile(r"(?P<effect>reads|changes|confirms) +(?P<name>[\w-]+)(?P<parameters>.*)")
_PARAMETER = re.compile(r"[(|)]|(?P<optional>\[)?-(?P<name>\w+)(?: <(?P<type>[\w-]+)(?P<several>\[\])?>)?\]?")


def _parsed(signatures: str) -> Iterator[Cmdlet]:
    for section in signatures.strip().split("\n\n"):
        head, _, body = section.partition("\n")
        module, _, hosts = head.partition(" on ")
        for line in body.replace("\n ", " ").splitlines():
            found = _SIGNATURE.fullmatch(line)
            assert found is not None, line  # noqa: S101 - the text above
            parameters, groups = _parsed_parameters(found["parameters"])
            yield Cmdlet(
                name=found["name"],
                module="" if module == "(ours)" else module,
                hosts=frozenset(map(HostKind, hosts.split())),
                changes=found["effect"] != "reads",
                parameters=parameters,
                one_of=groups,
                confirms=found["effect"] == "confirms",
            )


def _parsed_parameters(text: str) -> tuple[dict[str, Parameter], tuple[tuple[str, ...], ...]]:
    """Parameters by name, and the groups of which one is given."""
    parameters: dict[str, Parameter] = {}
    groups: list[list[str]] = []
    inside = False
    for token in _PARAMETER.finditer(text):
        name = token["name"]
        if name is None:
            inside = token[0] != ")"
            groups += [[]] if token[0] == "(" else []
            continue
        parameter = _TYPES[token["type"] or "switch"]
        optional = inside or token["optional"] is not None
        kind = ParameterKind.TEXTS if token["several"] else parameter.kind
        parameters[name] = replace(parameter, kind=kind, required=not optional)
        if inside and token["optional"] is None:
            groups[-1].append(name)
    return parameters, tuple(map(tuple, groups))


CATALOGUE: Mapping[str, Cmdlet] = {cmdlet.name: cmdlet for cmdlet in _parsed(_SIGNATURES)}
"""By name."""
_TIMEOUT = 60.0
_SLOW = {
    "Install-WindowsFeature": 1800.0,
    "Uninstall-WindowsFeature": 1800.0,
    "Add-AdfsFarmNode": 900.0,
    "Install-AdfsFarm": 900.0,
    "Install-WebApplicationProxy": 600.0,
    "Restart-Service": 300.0,
    "Test-AdfsFarmJoin": 300.0,
    "Test-AdfsFarmInstallation": 300.0,
    "Update-AdfsCertificate": 180.0,
    "Set-AdfsSslCertificate": 180.0,
    "Set-AdfsFarmInformation": 120.0,
}


def timeout_of(name: str) -> float:
    """Seconds within which a command of this name has come back, or has not worked."""
    return _SLOW.get(name, _TIMEOUT)


def make_command(name: str, **parameters: Value) -> Command:
    """A command that can be sent. A switch that is False is left out. Raises NotInCatalogue."""
    cmdlet = CATALOGUE.get(name)
    if cmdlet is None:
        raise NotInCatalogue(name, "is not in the catalogue; add it there, with the type of each parameter")
    given: dict[str, Value] = {}
    for key, value in parameters.items():
        parameter = cmdlet.parameters.get(key)
        if parameter is None:
            raise NotInCatalogue(name, f"-{key} is not in the catalogue; available: {_names(cmdlet)}")
        check_value(name, key, parameter, value)
        if not (parameter.kind is ParameterKind.SWITCH and value is False):
            given[key] = value
    _check_presence(cmdlet, given)
    if cmdlet.confirms:
        given["Confirm"] = False
    return Command(name, given)


def check_value(command: str, name: str, parameter: Parameter, value: object) -> None:
    """Raise NotInCatalogue where the value is not of the parameter's kind, choices and pattern."""
    right = isinstance(value, _PYTHON[parameter.kind])
    if parameter.kind is ParameterKind.INTEGER:
        right = right and not isinstance(value, bool)
    if not right:
        raise NotInCatalogue(command, f"-{name} is a {parameter.kind.value}, not a {type(value).__name__}")
    if isinstance(value, str | tuple):
        for text in (value,) if isinstance(value, str) else value:
            _check_text(command, name, parameter, text)


def _check_text(command: str, name: str, parameter: Parameter, text: object) -> None:
    if not isinstance(text, str) or not text:
        raise NotInCatalogue(command, f"-{name} must not be empty")
    if parameter.choices and text not in parameter.choices:
        raise NotInCatalogue(command, f"-{name} is {' or '.join(parameter.choices)}, not {text!r}")
    if parameter.pattern and not re.fullmatch(parameter.pattern, text):
        raise NotInCatalogue(command, f"-{name} {text!r} does not match {parameter.pattern}")


def _check_presence(cmdlet: Cmdlet, given: Mapping[str, Value]) -> None:
    missing = [name for name, parameter in cmdlet.parameters.items() if parameter.required and name not in given]
    if missing:
        raise NotInCatalogue(cmdlet.name, "needs -" + ", -".join(missing))
    for group in cmdlet.one_of:
        if sum(name in given for name in group) != 1:
            raise NotInCatalogue(cmdlet.name, "needs exactly one of -" + ", -".join(group))


def _names(cmdlet: Cmdlet) -> str:
    return ", ".join("-" + name for name in cmdlet.parameters) or "none"
