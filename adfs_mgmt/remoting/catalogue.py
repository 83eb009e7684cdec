"""Every command that we ever send, with the type of each parameter: commands are made here, and nowhere else.

The JEA role file (`jea`) is written from this list, so that what we may send and what a host lets us run are one thing.
Parameters of a cmdlet that we do not use are left out on purpose.

Sources: the reference of the modules ADFS, WebApplicationProxy, ServerManager, Microsoft.PowerShell.Management,
Microsoft.PowerShell.Utility and CimCmdlets, Windows Server 2012 R2 to 2025.

Functions of our own (their names begin with `Isthmus` after the verb) are defined in the role file, because Windows has
no cmdlet that does it without script text or a file on the host. They are there only through the JEA endpoint, which is
therefore required for whatever changes certificates in a host's store:

    Get-IsthmusKeyAccess [-Thumbprint T,…]        Thumbprint, HasPrivateKey, Cng, Provider, ServiceAccount, Readable
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
from collections.abc import Mapping
from dataclasses import dataclass, field

from adfs_mgmt.remoting.command import Command, Credential, Secret, Value


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


class Kind(enum.Enum):
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


_PYTHON: dict[Kind, type | tuple[type, ...]] = {
    Kind.TEXT: str,
    Kind.TEXTS: tuple,
    Kind.INTEGER: int,
    Kind.SWITCH: bool,
    Kind.BOOLEAN: bool,
    Kind.BYTES: bytes,
    Kind.TIME: dt.datetime,
    Kind.SECRET: Secret,
    Kind.CREDENTIAL: Credential,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. `choices` and `pattern` (a regular expression for the whole) hold for each text of several."""

    kind: Kind
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


NODE = frozenset({HostKind.NODE})
PROXY = frozenset({HostKind.PROXY})
BOTH = NODE | PROXY

_TYPES = ("Token-Signing", "Token-Decrypting")
_FEATURES = ("ADFS-Federation", "Web-Application-Proxy", "Windows-Internal-Database")
_SERVICES = ("adfssrv", "appproxysvc", "appproxyctrl")
_WID = "MSSQL$MICROSOFT##WID"
_HOST = r"[A-Za-z0-9._-]{1,255}"

THUMBPRINT = r"[0-9A-Fa-f]{40}"
STORE = "Cert:\\LocalMachine\\My"

_text = Parameter(kind=Kind.TEXT)
_texts = Parameter(kind=Kind.TEXTS)
_integer = Parameter(kind=Kind.INTEGER)
_switch = Parameter(kind=Kind.SWITCH)
_boolean = Parameter(kind=Kind.BOOLEAN)
_credential = Parameter(kind=Kind.CREDENTIAL)
_thumbprint = Parameter(kind=Kind.TEXT, pattern=THUMBPRINT)
_the_thumbprint = Parameter(kind=Kind.TEXT, required=True, pattern=THUMBPRINT)
_thumbprints = Parameter(kind=Kind.TEXTS, pattern=THUMBPRINT)
_host = Parameter(kind=Kind.TEXT, pattern=_HOST)
_hosts = Parameter(kind=Kind.TEXTS, pattern=_HOST)


def _chosen(kind: Kind, *choices: str, required: bool = False) -> Parameter:
    return Parameter(kind=kind, choices=choices, required=required)


_token_type = _chosen(Kind.TEXT, *_TYPES, required=True)
_farm_join = {
    "CertificateThumbprint": _thumbprint,
    "GroupServiceAccountIdentifier": _text,
    "ServiceAccountCredential": _credential,
    "Credential": _credential,
    "PrimaryComputerName": _host,
    "PrimaryComputerPort": _integer,
    "SQLConnectionString": _text,
    "FarmBehavior": _integer,
}
_farm_new = {
    "CertificateThumbprint": _the_thumbprint,
    "FederationServiceName": Parameter(kind=Kind.TEXT, required=True, pattern=_HOST),
    "FederationServiceDisplayName": _text,
    "GroupServiceAccountIdentifier": _text,
    "ServiceAccountCredential": _credential,
    "Credential": _credential,
    "SQLConnectionString": _text,
    "SigningCertificateThumbprint": _thumbprint,
    "DecryptionCertificateThumbprint": _thumbprint,
    "OverwriteConfiguration": _switch,
    "SSLPort": _integer,
    "TlsClientPort": _integer,
}
_ACCOUNT = ("GroupServiceAccountIdentifier", "ServiceAccountCredential")
_DATABASE = ("PrimaryComputerName", "SQLConnectionString")


def _reads(name: str, module: str, hosts: frozenset[HostKind], **parameters: Parameter) -> Cmdlet:
    return Cmdlet(name=name, module=module, hosts=hosts, changes=False, parameters=parameters)


def _changes(
    name: str,
    module: str,
    hosts: frozenset[HostKind],
    parameters: Mapping[str, Parameter],
    *,
    one_of: tuple[tuple[str, ...], ...] = (),
    confirms: bool = True,
) -> Cmdlet:
    return Cmdlet(
        name=name, module=module, hosts=hosts, changes=True, parameters=parameters, one_of=one_of, confirms=confirms
    )


_ADFS, _WAP, _SERVERS = "ADFS", "WebApplicationProxy", "ServerManager"
_MANAGEMENT, _UTILITY = "Microsoft.PowerShell.Management", "Microsoft.PowerShell.Utility"

_CMDLETS = (
    _reads("Get-AdfsProperties", _ADFS, NODE),
    _reads("Get-AdfsSyncProperties", _ADFS, NODE),
    _reads("Get-AdfsFarmInformation", _ADFS, NODE),
    _reads(
        "Get-AdfsCertificate",
        _ADFS,
        NODE,
        CertificateType=_chosen(Kind.TEXTS, *_TYPES, "Service-Communications"),
        Thumbprint=_thumbprints,
    ),
    _reads("Get-AdfsSslCertificate", _ADFS, NODE),
    _reads("Get-AdfsRelyingPartyTrust", _ADFS, NODE, Name=_texts),
    _reads("Get-AdfsEndpoint", _ADFS, NODE),
    Cmdlet(
        name="Test-AdfsFarmJoin",
        module=_ADFS,
        hosts=NODE,
        changes=False,
        parameters=_farm_join,
        one_of=(_ACCOUNT, _DATABASE),
    ),
    Cmdlet(
        name="Test-AdfsFarmInstallation",
        module=_ADFS,
        hosts=NODE,
        changes=False,
        parameters=_farm_new,
        one_of=(_ACCOUNT,),
    ),
    _changes(
        "Set-AdfsProperties",
        _ADFS,
        NODE,
        {
            "AutoCertificateRollover": _boolean,
            "CertificateGenerationThreshold": _integer,
            "CertificatePromotionThreshold": _integer,
            "CertificateDuration": _integer,
        },
    ),
    _changes(
        "Add-AdfsCertificate",
        _ADFS,
        NODE,
        {"CertificateType": _token_type, "Thumbprint": _the_thumbprint, "IsPrimary": _switch},
    ),
    _changes(
        "Set-AdfsCertificate",
        _ADFS,
        NODE,
        {
            "CertificateType": _chosen(Kind.TEXT, *_TYPES, "Service-Communications", required=True),
            "Thumbprint": _the_thumbprint,
            "IsPrimary": _switch,
        },
    ),
    _changes("Remove-AdfsCertificate", _ADFS, NODE, {"CertificateType": _token_type, "Thumbprint": _the_thumbprint}),
    _changes("Update-AdfsCertificate", _ADFS, NODE, {"CertificateType": _token_type, "Urgent": _switch}),
    _changes(
        "Set-AdfsSslCertificate",
        _ADFS,
        NODE,
        {"Thumbprint": _the_thumbprint, "Member": _hosts, "RemoteCredential": _credential},
    ),
    _changes(
        "Set-AdfsAlternateTlsClientBinding",
        _ADFS,
        NODE,
        {"Thumbprint": _the_thumbprint, "Member": _hosts, "Force": _boolean},
    ),
    _changes(
        "Set-AdfsFarmInformation",
        _ADFS,
        NODE,
        {"RemoveNode": Parameter(kind=Kind.TEXTS, required=True, pattern=_HOST)},
    ),
    _changes(
        "Add-AdfsFarmNode",
        _ADFS,
        NODE,
        {**_farm_join, "CertificateThumbprint": _the_thumbprint, "OverwriteConfiguration": _switch},
        one_of=(_ACCOUNT, _DATABASE),
    ),
    _changes(
        "Remove-AdfsFarmNode",
        _ADFS,
        NODE,
        {name: _farm_join[name] for name in (*_ACCOUNT, "Credential")},
        one_of=(_ACCOUNT,),
        confirms=False,
    ),
    _changes("Install-AdfsFarm", _ADFS, NODE, _farm_new, one_of=(_ACCOUNT,)),
    _reads("Get-WebApplicationProxySslCertificate", _WAP, PROXY),
    _reads("Get-WebApplicationProxyApplication", _WAP, PROXY),
    _reads("Get-WebApplicationProxyConfiguration", _WAP, PROXY),
    _reads("Get-WebApplicationProxyHealth", _WAP, PROXY),
    _changes("Set-WebApplicationProxySslCertificate", _WAP, PROXY, {"Thumbprint": _the_thumbprint}),
    _changes(
        "Set-WebApplicationProxyApplication",
        _WAP,
        PROXY,
        {
            "ID": Parameter(kind=Kind.TEXT, required=True, pattern=r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
            "ExternalCertificateThumbprint": _the_thumbprint,
        },
        confirms=False,
    ),
    _changes(
        "Install-WebApplicationProxy",
        _WAP,
        PROXY,
        {
            "FederationServiceName": Parameter(kind=Kind.TEXT, required=True, pattern=_HOST),
            "FederationServiceTrustCredential": Parameter(kind=Kind.CREDENTIAL, required=True),
            "CertificateThumbprint": _the_thumbprint,
            "HttpsPort": _integer,
            "TlsClientPort": _integer,
        },
        confirms=False,
    ),
    _reads("Get-WindowsFeature", _SERVERS, BOTH, Name=_chosen(Kind.TEXTS, *_FEATURES, required=True)),
    _changes(
        "Install-WindowsFeature",
        _SERVERS,
        BOTH,
        {"Name": _chosen(Kind.TEXTS, *_FEATURES, required=True), "IncludeManagementTools": _switch},
    ),
    _changes(
        "Uninstall-WindowsFeature",
        _SERVERS,
        BOTH,
        {"Name": _chosen(Kind.TEXTS, *_FEATURES, required=True), "IncludeManagementTools": _switch},
    ),
    _reads("Get-Service", _MANAGEMENT, BOTH, Name=_chosen(Kind.TEXTS, *_SERVICES, _WID, required=True)),
    _changes(
        "Restart-Service",
        _MANAGEMENT,
        BOTH,
        {"Name": _chosen(Kind.TEXTS, *_SERVICES, required=True), "Force": _switch},
    ),
    _reads("Get-ChildItem", _MANAGEMENT, BOTH, Path=_chosen(Kind.TEXTS, STORE, required=True)),
    _reads("Get-Date", _UTILITY, BOTH),
    _reads(
        "Get-CimInstance",
        "CimCmdlets",
        BOTH,
        ClassName=_chosen(Kind.TEXT, "Win32_OperatingSystem", "Win32_ComputerSystem", "Win32_Service", required=True),
        Filter=_chosen(Kind.TEXT, "Name='adfssrv'"),
    ),
    _reads("Get-IsthmusKeyAccess", "", BOTH, Thumbprint=_thumbprints),
    _changes(
        "Import-IsthmusCertificate",
        "",
        BOTH,
        {
            "Pfx": Parameter(kind=Kind.BYTES, required=True),
            "Password": Parameter(kind=Kind.SECRET, required=True),
        },
        confirms=False,
    ),
    _changes(
        "Grant-IsthmusKeyAccess",
        "",
        BOTH,
        {"Thumbprint": _the_thumbprint, "Account": Parameter(kind=Kind.TEXT, required=True)},
        confirms=False,
    ),
    _changes("Remove-IsthmusCertificate", "", BOTH, {"Thumbprint": _the_thumbprint}, confirms=False),
    _reads("Get-IsthmusServicePrincipal", "", NODE, Name=Parameter(kind=Kind.TEXT, required=True, pattern=_HOST)),
)

CATALOGUE: Mapping[str, Cmdlet] = {cmdlet.name: cmdlet for cmdlet in _CMDLETS}
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


def make(name: str, **parameters: Value) -> Command:
    """A command that can be sent. A switch that is False is left out. Raises NotInCatalogue."""
    cmdlet = CATALOGUE.get(name)
    if cmdlet is None:
        raise NotInCatalogue(name, "is not in the catalogue; add it there, with the type of each parameter")
    given: dict[str, Value] = {}
    for each, value in parameters.items():
        parameter = cmdlet.parameters.get(each)
        if parameter is None:
            raise NotInCatalogue(name, f"-{each} is not in the catalogue; there is {_names(cmdlet)}")
        check_value(name, each, parameter, value)
        if not (parameter.kind is Kind.SWITCH and value is False):
            given[each] = value
    _check_presence(cmdlet, given)
    if cmdlet.confirms:
        given["Confirm"] = False
    return Command(name, given)


def check_value(command: str, name: str, parameter: Parameter, value: object) -> None:
    """Raise NotInCatalogue where the value is not of the parameter's kind, choices and pattern."""
    right = isinstance(value, _PYTHON[parameter.kind])
    if parameter.kind is Kind.INTEGER:
        right = right and not isinstance(value, bool)
    if not right:
        raise NotInCatalogue(command, f"-{name} is a {parameter.kind.value}, not a {type(value).__name__}")
    if isinstance(value, str | tuple):
        for text in (value,) if isinstance(value, str) else value:
            _check_text(command, name, parameter, text)


def _check_text(command: str, name: str, parameter: Parameter, text: object) -> None:
    if not isinstance(text, str) or not text:
        raise NotInCatalogue(command, f"-{name} is a text that is not empty")
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
