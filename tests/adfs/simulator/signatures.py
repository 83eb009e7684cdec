"""Which cmdlets there are on which Windows, and their parameters, as the cmdlet reference publishes them.

Written from the reference pages of the modules ADFS, WebApplicationProxy, ServerManager, Microsoft.PowerShell.Management,
Microsoft.PowerShell.Utility and CimCmdlets, never from what our program sends: a mistake there must show here.

Notation of a parameter set: `Name!:Type@since`; `!` for mandatory, no type for a switch, `@2016` for "from 2016 on". The
first set of a cmdlet is its default. Where the pages of 2016 and 2019 lag behind (`-Member`, `-RemoteCredential` of
Set-AdfsSslCertificate are on the page of 2022, but in the module of 2019 already, and its sibling
Set-AdfsAlternateTlsClientBinding has had `-Member` since 2016), the module counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

VERSIONS = ("2012 R2", "2016", "2019", "2022", "2025")
_TOKEN = ("Token-Decrypting", "Token-Signing")
_ANY = ("Service-Communications", *_TOKEN)
_REVOCATION = (
    "CheckChain",
    "CheckChainCacheOnly",
    "CheckChainExcludeRoot",
    "CheckChainExcludeRootCacheOnly",
    "CheckEndCert",
    "CheckEndCertCacheOnly",
    "None",
)
ADFS, WAP, SERVER, FUNCTION = "ADFS", "WebApplicationProxy", "ServerManager", ""
MANAGEMENT, UTILITY, CIM = "Microsoft.PowerShell.Management", "Microsoft.PowerShell.Utility", "CimCmdlets"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter in one set."""

    name: str
    type: str
    mandatory: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """One cmdlet on one Windows."""

    name: str
    module: str
    type_name: str
    """What stands behind the comma of a FullyQualifiedErrorId."""
    sets: Mapping[str, Mapping[str, Parameter]]
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    module: str
    sets: Mapping[str, str]
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    asks: bool = False
    since: str = "2012 R2"
    type_name: str = ""


_CERTIFICATE = "CertificateThumbprint:String Credential:PSCredential"
_NEW = f"{_CERTIFICATE} FederationServiceName!:String FederationServiceDisplayName:String OverwriteConfiguration"
_NEW += " SSLPort:Int32 TlsClientPort:Int32 AdminConfiguration:Hashtable@2016"
_USER, _GMSA = "ServiceAccountCredential!:PSCredential", "GroupServiceAccountIdentifier!:String"
_MANUAL = "SigningCertificateThumbprint!:String DecryptionCertificateThumbprint!:String"
_SQL = "SQLConnectionString!:String"
_JOIN_SQL = f"{_CERTIFICATE} {_SQL} FarmBehavior:Int32@2016"
_JOIN_WID = f"{_CERTIFICATE} PrimaryComputerName!:String PrimaryComputerPort:Int32"
_CIM_COMMON = "CimSession:CimSession[] ThrottleLimit:Int32 AsJob"


def _new_farm() -> dict[str, str]:
    """Account by database by who looks after the token certificates."""
    sets = {}
    for account_name, account in (("", _USER), ("Gmsa", _GMSA)):
        for database_name, database in (("Local", ""), ("Shared", _SQL)):
            for manual_name, manual in (("", ""), ("DisableAutoCertRollover", _MANUAL)):
                name = f"ADFSFarmCreate{database_name}Database{manual_name}{account_name}"
                sets[name] = f"{_NEW} {account} {database} {manual}"
    return sets


_JOIN = {
    "AdfsFarmJoinWidGmsa": f"{_JOIN_WID} {_GMSA}",
    "ADFSFarmJoinWidSvcAcct": f"{_JOIN_WID} {_USER}",
    "ADFSFarmJoinSqlSvcAcct": f"{_JOIN_SQL} {_USER}",
    "AdfsFarmJoinSqlGmsa": f"{_JOIN_SQL} {_GMSA}",
}
_PROPERTIES = """
AuthenticationContextOrder:Uri[] AcceptableIdentifiers:Uri[] AddProxyAuthorizationRules:String ArtifactDbConnection:String
AuditLevel:String[]@2016 AutoCertificateRollover:Boolean CertificateCriticalThreshold:Int32 CertificateDuration:Int32
CertificateGenerationThreshold:Int32 CertificatePromotionThreshold:Int32 CertificateRolloverInterval:Int32
CertificateThresholdMultiplier:Int32 ClientCertRevocationCheck:String DisplayName:String FederationPassiveAddress:String
HostName:String HttpPort:Int32 HttpsPort:Int32 IntranetUseLocalClaimsProvider:Boolean TlsClientPort:Int32 Identifier:Uri
LogLevel:String[] MonitoringInterval:Int32 NetTcpPort:Int32 NtlmOnlySupportedClientAtProxy:Boolean
PreventTokenReplays:Boolean ExtendedProtectionTokenCheck:String ProxyTrustTokenLifetime:Int32
ReplayCacheExpirationInterval:Int32 SignedSamlRequestsRequired:Boolean SamlMessageDeliveryWindow:Int32
SignSamlAuthnRequests:Boolean SsoLifetime:Int32 PersistentSsoLifetimeMins:Int32 KmsiLifetimeMins:Int32@2016
EnablePersistentSso:Boolean PersistentSsoCutoffTime:DateTime EnableKmsi:Boolean WIASupportedUserAgents:String[]
EnableLoopDetection:Boolean ExtranetLockoutThreshold:Int32 EnableExtranetLockout:Boolean
ExtranetObservationWindow:TimeSpan ExtranetLockoutRequirePDC:Boolean@2016 EnableIdPInitiatedSignonPage:Boolean@2016
DelegateServiceAdministration:String@2016 IgnoreTokenBinding:Boolean@2016 IdTokenIssuer:Uri@2016 Force PassThru
"""
_APPLICATION = f"""
ID!:Guid ExternalUrl:String ExternalCertificateThumbprint:String BackendServerUrl:String Name:String
ClientCertificateAuthenticationBindingMode:String BackendServerCertificateValidation:String
DisableTranslateUrlInRequestHeaders EnableHTTPRedirect@2016 ADFSUserCertificateStore:String@2016
DisableHttpOnlyCookieProtection@2016 PersistentAccessCookieExpirationTimeSec:UInt32@2016 EnableSignOut@2016
BackendServerAuthenticationMode:String@2016 DisableTranslateUrlInResponseHeaders BackendServerAuthenticationSPN:String
UseOAuthAuthentication InactiveTransactionsTimeoutSec:UInt32 ClientCertificatePreauthenticationThumbprint:String
{_CIM_COMMON}
"""
_FEATURE = "ComputerName:String Credential:PSCredential LogPath:String"
_BINDING = "ValidateCertificate", "None"

_ENTRIES = (
    _Entry("Get-AdfsProperties", ADFS, {"": ""}),
    _Entry("Set-AdfsProperties", ADFS, {"": _PROPERTIES}, {
        "AuditLevel": ("None", "Basic", "Verbose"),
        "ClientCertRevocationCheck": _REVOCATION,
        "ExtendedProtectionTokenCheck": ("Allow", "None", "Require"),
        "LogLevel": ("Errors", "FailureAudits", "Information", "None", "SuccessAudits", "Verbose", "Warnings"),
    }, asks=True),
    _Entry("Get-AdfsSyncProperties", ADFS, {"": ""}),
    _Entry("Set-AdfsSyncProperties", ADFS, {
        "": "PrimaryComputerName:String PrimaryComputerPort:Int32 PollDuration:Int32 Role:String",
    }),
    _Entry("Get-AdfsFarmInformation", ADFS, {"": ""}, asks=True, since="2016"),
    _Entry("Set-AdfsFarmInformation", ADFS, {"": "RemoveNode:String[]"}, asks=True, since="2016"),
    _Entry("Get-AdfsCertificate", ADFS, {
        "ByType": "CertificateType:String[]", "ByReference": "Thumbprint!:String[]",
    }, {"CertificateType": _ANY}),
    _Entry("Add-AdfsCertificate", ADFS, {
        "": "CertificateType!:String Thumbprint!:String IsPrimary PassThru",
    }, {"CertificateType": _TOKEN}, asks=True),
    _Entry("Set-AdfsCertificate", ADFS, {
        "": "CertificateType!:String Thumbprint!:String IsPrimary PassThru",
    }, {"CertificateType": _ANY}, asks=True),
    _Entry("Remove-AdfsCertificate", ADFS, {
        "TargetCertificate": "TargetCertificate!:ServiceCertificate",
        "ByProperties": "CertificateType!:String Thumbprint!:String",
    }, {"CertificateType": _TOKEN}, asks=True),
    _Entry("Update-AdfsCertificate", ADFS, {
        "": "CertificateType:String Urgent PassThru",
    }, {"CertificateType": _TOKEN}, asks=True),
    _Entry("Get-AdfsSslCertificate", ADFS, {"": ""}),
    _Entry("Set-AdfsSslCertificate", ADFS, {
        "": "Thumbprint!:String Force:Boolean@2016 Member:String[]@2016 RemoteCredential:PSCredential@2019",
    }, asks=True),
    _Entry("Set-AdfsAlternateTlsClientBinding", ADFS, {
        "": "Thumbprint:String Member:String[] Force:Boolean",
    }, asks=True, since="2016", type_name="Microsoft.IdentityServer.Management.Commands.SetAlternateTlsClientBinding"),
    _Entry("Get-AdfsRelyingPartyTrust", ADFS, {
        "RelyingPartyName": "Name:String[]",
        "Identifier": "Identifier!:String[]",
        "PrefixIdentifier": "PrefixIdentifier!:String",
    }),
    _Entry("Get-AdfsClaimsProviderTrust", ADFS, {
        "ClaimsProviderName": "Name:String[]",
        "TokenSigningCertificates": "Certificate!:X509Certificate2[]",
        "Identifier": "Identifier!:String[]",
    }),
    _Entry("Get-AdfsEndpoint", ADFS, {"Address": "AddressPath:String[]", "FullUrl": "FullUrl!:Uri[]"}),
    _Entry("Install-AdfsFarm", ADFS, _new_farm(), asks=True),
    _Entry("Test-AdfsFarmInstallation", ADFS, _new_farm()),
    _Entry("Add-AdfsFarmNode", ADFS, {
        name: text + (" OverwriteConfiguration" if "Wid" in name else "") for name, text in _JOIN.items()
    }, asks=True),
    _Entry("Test-AdfsFarmJoin", ADFS, _JOIN),
    _Entry("Remove-AdfsFarmNode", ADFS, {
        "ADFSRemoveFarmNodeDefault": _USER, "AdfsRemoveFarmNodeGmsa": f"{_GMSA} Credential:PSCredential",
    }),
    _Entry("Get-WebApplicationProxySslCertificate", WAP, {"": ""}),
    _Entry("Set-WebApplicationProxySslCertificate", WAP, {"": "Thumbprint!:String"}, asks=True),
    _Entry("Get-WebApplicationProxyApplication", WAP, {
        "Name": f"Name:String {_CIM_COMMON}", "ID": f"ID!:Guid {_CIM_COMMON}",
    }, aliases={"FriendlyName": "Name"}),
    _Entry("Set-WebApplicationProxyApplication", WAP, {"": _APPLICATION}, {
        "BackendServerCertificateValidation": _BINDING, "ClientCertificateAuthenticationBindingMode": _BINDING,
    }, {"ApplicationID": "ID", "ExternalCert": "ExternalCertificateThumbprint", "FriendlyName": "Name"}),
    _Entry("Get-WebApplicationProxyConfiguration", WAP, {"": _CIM_COMMON}),
    _Entry("Get-WebApplicationProxyHealth", WAP, {"": ""}),
    _Entry("Install-WebApplicationProxy", WAP, {
        "": "FederationServiceTrustCredential!:PSCredential CertificateThumbprint!:String FederationServiceName!:String"
            " HttpsPort:Int32 TlsClientPort:Int32 ForwardProxy:String",
    }),
    _Entry("Get-WindowsFeature", SERVER, {
        "": "Name:String[] Vhd:String ComputerName:String Credential:PSCredential LogPath:String",
    }),
    _Entry("Install-WindowsFeature", SERVER, {
        "": f"Name!:String[] Restart IncludeAllSubFeature IncludeManagementTools Source:String[] {_FEATURE}",
    }, asks=True),
    _Entry("Uninstall-WindowsFeature", SERVER, {
        "": f"Name!:String[] Restart IncludeManagementTools Remove {_FEATURE}",
    }, asks=True),
    _Entry("Get-Service", MANAGEMENT, {
        "Default": "Name:String[] ComputerName:String[] DependentServices RequiredServices Include:String[]"
                   " Exclude:String[]",
        "DisplayName": "DisplayName!:String[] ComputerName:String[] DependentServices RequiredServices Include:String[]"
                       " Exclude:String[]",
    }, aliases={"ServiceName": "Name", "Cn": "ComputerName"}),
    _Entry("Restart-Service", MANAGEMENT, {
        "Default": "Name!:String[] Force PassThru Include:String[] Exclude:String[]",
        "DisplayName": "DisplayName!:String[] Force PassThru Include:String[] Exclude:String[]",
    }, aliases={"ServiceName": "Name"}, asks=True),
    _Entry("Get-ChildItem", MANAGEMENT, {
        "Items": "Path:String[] Filter:String Include:String[] Exclude:String[] Recurse Depth:UInt32@2016 Force Name"
                 " CodeSigningCert DocumentEncryptionCert SSLServerAuthentication DnsName:String Eku:String[]"
                 " ExpiringInDays:Int32",
        "LiteralItems": "LiteralPath!:String[] Filter:String Include:String[] Exclude:String[] Recurse Force Name",
    }),
    _Entry("Get-Date", UTILITY, {
        "net": "Date:DateTime Year:Int32 Month:Int32 Day:Int32 Hour:Int32 Minute:Int32 Second:Int32 Millisecond:Int32"
               " DisplayHint:String Format:String",
    }),
    _Entry("Get-CimInstance", CIM, {
        "ClassNameComputerSet": "ClassName!:String ComputerName:String[] Namespace:String KeyOnly OperationTimeoutSec:UInt32"
                                " QueryDialect:String Filter:String Property:String[] Shallow",
        "QueryComputerSet": "Query!:String ComputerName:String[] Namespace:String OperationTimeoutSec:UInt32"
                            " QueryDialect:String Shallow",
    }, type_name="Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"),
    _Entry("Get-IsthmusKeyAccess", FUNCTION, {"": "Thumbprint:String[]"}, type_name="Get-IsthmusKeyAccess"),
    _Entry("Import-IsthmusCertificate", FUNCTION, {
        "": "Pfx!:Byte[] Password!:SecureString",
    }, type_name="Import-IsthmusCertificate"),
    _Entry("Grant-IsthmusKeyAccess", FUNCTION, {
        "": "Thumbprint!:String Account!:String",
    }, type_name="Grant-IsthmusKeyAccess"),
    _Entry("Remove-IsthmusCertificate", FUNCTION, {"": "Thumbprint!:String"}, type_name="Remove-IsthmusCertificate"),
    _Entry("Get-IsthmusServicePrincipal", FUNCTION, {"": "Name!:String"}, type_name="Get-IsthmusServicePrincipal"),
)  # fmt: skip

_COMMON = """
Debug Verbose ErrorAction:ActionPreference WarningAction:ActionPreference InformationAction:ActionPreference@2016
ErrorVariable:String WarningVariable:String OutVariable:String OutBuffer:Int32 PipelineVariable:String
"""
_TYPE_PREFIX = {
    ADFS: "Microsoft.IdentityServer.Management.Commands",
    WAP: "Microsoft.IdentityServer.Management.Proxy.Commands",
    SERVER: "Microsoft.Windows.ServerManager.Commands",
    MANAGEMENT: "Microsoft.PowerShell.Commands",
    UTILITY: "Microsoft.PowerShell.Commands",
}


@cache
def signatures(version: str) -> Mapping[str, Signature]:
    """Of one Windows, by lower-case name."""
    there = VERSIONS.index(version)
    return {entry.name.lower(): _signature(entry, there) for entry in _ENTRIES if VERSIONS.index(entry.since) <= there}


def _signature(entry: _Entry, there: int) -> Signature:
    more = _COMMON + (" WhatIf Confirm" if entry.asks else "")
    sets = {name: _parsed(f"{text} {more}", entry.choices, there) for name, text in entry.sets.items()}
    return Signature(entry.name, entry.module, entry.type_name or _type_name(entry), sets, entry.aliases)


def _type_name(entry: _Entry) -> str:
    verb, _, noun = entry.name.partition("-")
    if entry.sets and any("CimSession" in text for text in entry.sets.values()):
        return entry.name  # cmdlets made from CDXML have no class
    return f"{_TYPE_PREFIX[entry.module]}.{verb}{noun.removeprefix('Adfs')}Command"


def _parsed(text: str, choices: Mapping[str, tuple[str, ...]], there: int) -> dict[str, Parameter]:
    found = {}
    for item in text.split():
        item, _, since = item.replace("@2012R2", "").partition("@")
        if since and VERSIONS.index(since) > there:
            continue
        name, _, kind = item.partition(":")
        bare = name.removesuffix("!")
        found[bare.lower()] = Parameter(bare, kind or "SwitchParameter", name != bare, choices.get(bare, ()))
    return found
