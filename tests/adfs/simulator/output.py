"""What the objects are that cmdlets write, as PSRP carries them. What nobody has published is marked ASSUMED.

kind of value                          element        source
text, whole number, Boolean, bytes     S, I32, B, BA  MS-PSRP section 2.2.5.1
Uri, Guid, TimeSpan, DateTime          URI, G, TS, DT MS-PSRP section 2.2.5.1: known types, at every depth
numbers of CIM classes                 I16, U16, U32  the CIM type in the class's reference page
enumeration, as a property             S              pypsrp's recording psrp_multiple_commands: Status of a service
array                                  LST            the same: ServicesDependedOn; its items lie at the same depth
X509Certificate2, wherever it lies     Props: RawData PowerShell's type table: SerializationMethod SpecificProperties,
                                                      SerializationDepth 1; serialization.cs, GetDepthOfSerialization
notes of a provider                    MS             pypsrp's recording psrp_with_jea_configuration; Export-Clixml of
                                                      a certificate from Cert:
any other object, as a property        S, its ToString serialization.cs, WriteOneObject: depth 0
pscustomobject                         MS             serialization.cs: its properties are its own, not its type's
"""

from __future__ import annotations

from dataclasses import dataclass

ASSUMED = ""
_REFERENCE = "reference page of the cmdlet, Outputs"
_CIM = "Microsoft.Management.Infrastructure.CimInstance"
_OBJECT = "System.Object"
_ADFS = "Microsoft.IdentityServer.Management.Resources"
_OLD_ADFS = "Microsoft.IdentityServer.PowerShell.Resources"
_STORES = "Microsoft.IdentityServer.Deployment"
NOTES = ("PSPath", "PSParentPath", "PSChildName", "PSDrive", "PSProvider", "PSIsContainer")
"""What a provider writes on what it gives."""


@dataclass(frozen=True, slots=True)
class Output:
    """What one cmdlet writes."""

    types: tuple[str, ...]
    source: str
    """Of the type; ASSUMED where its name is not published."""
    notes: tuple[str, ...] = ()
    """Properties of the object itself, not of its type."""


def _adfs(name: str, source: str = _REFERENCE, space: str = _ADFS) -> Output:
    return Output((f"{space}.{name}", _OBJECT), source)


def _cim(name: str, source: str = _REFERENCE) -> Output:
    return Output((f"{_CIM}#{name}", _CIM, _OBJECT), source)


CERTIFICATE = (
    "System.Security.Cryptography.X509Certificates.X509Certificate2",
    "System.Security.Cryptography.X509Certificates.X509Certificate",
    _OBJECT,
)
CUSTOM = Output(("System.Management.Automation.PSCustomObject", _OBJECT), "functions/*.ps1: [pscustomobject]", ("*",))
OUTPUTS = {
    "Get-AdfsProperties": _adfs("ServiceProperties"),
    "Get-AdfsCertificate": _adfs("ServiceCertificate", space=_OLD_ADFS),
    "Add-AdfsCertificate": _adfs("ServiceCertificate", space=_OLD_ADFS),
    "Set-AdfsCertificate": _adfs("ServiceCertificate", space=_OLD_ADFS),
    "Update-AdfsCertificate": _adfs("ServiceCertificate", space=_OLD_ADFS),
    "Get-AdfsRelyingPartyTrust": _adfs("RelyingPartyTrust", space=_OLD_ADFS),
    "Get-AdfsClaimsProviderTrust": _adfs("ClaimsProviderTrust", "learn.microsoft.com, ee877133 (AD FS 2.0)", _OLD_ADFS),
    "Get-AdfsEndpoint": _adfs("Endpoint"),
    "Get-AdfsSslCertificate": _adfs("SslCertificate", ASSUMED),
    "Get-AdfsSyncProperties": _adfs("SyncProperties", ASSUMED),
    "Get-AdfsFarmInformation": _adfs("FarmInformation", ASSUMED),
    "Test-AdfsFarmJoin": _adfs("DeploymentResult", ASSUMED, _STORES),
    "Test-AdfsFarmInstallation": _adfs("DeploymentResult", ASSUMED, _STORES),
    "Add-AdfsFarmNode": _adfs("DeploymentResult", ASSUMED, _STORES),
    "Remove-AdfsFarmNode": _adfs("DeploymentResult", ASSUMED, _STORES),
    "Install-AdfsFarm": _adfs("DeploymentResult", ASSUMED, _STORES),
    "Get-WebApplicationProxyApplication": _cim("PublishedWebApp"),
    "Get-WebApplicationProxyConfiguration": _cim("ProxyGlobalConfiguration", ASSUMED),
    "Get-WebApplicationProxySslCertificate": _cim("ProxySslCertificate", ASSUMED),
    "Get-WebApplicationProxyHealth": _cim("RemoteAccessHealth", ASSUMED),
    "Install-WebApplicationProxy": _cim("DeploymentResult", ASSUMED),
    "Get-WindowsFeature": Output(("Microsoft.Windows.ServerManager.Commands.Feature", _OBJECT), _REFERENCE),
    "Install-WindowsFeature": Output(
        ("Microsoft.Windows.ServerManager.Commands.FeatureOperationResult", _OBJECT), _REFERENCE
    ),
    "Uninstall-WindowsFeature": Output(
        ("Microsoft.Windows.ServerManager.Commands.FeatureOperationResult", _OBJECT), _REFERENCE
    ),
    "Get-Service": Output(
        (
            "System.ServiceProcess.ServiceController",
            "System.ComponentModel.Component",
            "System.MarshalByRefObject",
            _OBJECT,
        ),
        "pypsrp's recording psrp_multiple_commands",
        ("Name", "RequiredServices"),
    ),
    "Get-ChildItem": Output(CERTIFICATE, "PowerShell's type table; Export-Clixml of a certificate from Cert:", NOTES),
    "Get-CimInstance": _cim("root/cimv2/Win32_*"),
    "Get-Date": Output(("System.DateTime",), "known type; the note: Export-Clixml of a date", ("DisplayHint",)),
}
"""By cmdlet. Functions of our own write CUSTOM."""

ASSUMED_PROPERTIES = {
    "Get-AdfsFarmInformation": "FarmNodes: objects whose text is the node's FQDN",
    "Get-AdfsSslCertificate": "AppId is a Guid, CtlStoreName text",
    "Get-AdfsSyncProperties": "PollDuration is a number of seconds, LastSyncStatus a number",
    "Get-AdfsCertificate": "StoreLocation and StoreName are enumerations",
    "Get-AdfsRelyingPartyTrust": "MetadataUrl is a Uri; the rest as the module's parameters have it",
    "Get-AdfsClaimsProviderTrust": "MetadataUrl is a Uri; properties as a Format-List of one was published",
    "Test-AdfsFarmJoin": "Message, Context and Status are texts",
    "Get-WebApplicationProxyHealth": "HealthState and the Heuristics are texts",
}
"""Of which neither the type nor what arrives is published."""


def output_of(command: str) -> Output:
    """What this cmdlet writes."""
    return _BY_NAME.get(command.casefold(), CUSTOM)


_BY_NAME = {name.casefold(): output for name, output in OUTPUTS.items()}


def assumed() -> list[str]:
    """What nobody has published, as docs/developers/adfs.md has it."""
    types = [name for name, output in OUTPUTS.items() if output.source is ASSUMED]
    return [f"the type's name: {', '.join(types)}", *(f"{name}: {text}" for name, text in ASSUMED_PROPERTIES.items())]
