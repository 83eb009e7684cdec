"""Get- cmdlets of the module ADFS. Names of properties are those of the reference and of the module's own types."""

from __future__ import annotations

import fnmatch
import uuid

from tests.adfs.simulator.cmdlets.base import Call, Row, cmdlet, configuration, moment, nested, node
from tests.adfs.simulator.state import ClaimsProvider, Configuration, Endpoint, FarmCertificate, Host, RelyingParty
from tests.adfs.simulator.values import PsUri

_SINCE_2016 = (
    "AuditLevel", "BrowserSsoEnabled", "CurrentFarmBehavior", "DelegateServiceAdministration", "DeviceUsageWindowInDays",
    "EnableIdpInitiatedSignonPage", "EnableOauthDeviceFlow", "EnableOauthLogout", "ExtranetLockoutRequirePDC",
    "AllowLocalAdminsServiceAdministration", "AllowSystemServiceAdministration", "IdTokenIssuer", "IgnoreTokenBinding",
    "KmsiLifetimeMins", "LocalAuthenticationTypesEnabled", "RelayStateForIdpInitiatedSignOnEnabled", "WiaEvaluationMethod",
)  # fmt: skip


@cmdlet("Get-AdfsProperties")
def get_properties(call: Call) -> list[Row]:
    """The farm's settings."""
    now = configuration(call)
    row = {**now.properties, "CurrentFarmBehavior": now.level}
    if call.host.version == "2012 R2":
        row = {name: value for name, value in row.items() if name not in _SINCE_2016}
    return [row]


@cmdlet("Get-AdfsSyncProperties")
def get_sync_properties(call: Call) -> list[Row]:
    """A primary, and every node on SQL Server, has a role and nothing else."""
    here = node(call)
    if not here.secondary:
        return [{"Role": "PrimaryComputer"}]
    return [
        {
            "LastSyncFromPrimaryComputerName": here.primary_name,
            "LastSyncStatus": 0 if here.last_sync_ok else 1,
            "LastSyncTime": moment(here.last_sync),
            "PollDuration": int(here.configuration.poll),
            "PrimaryComputerName": here.primary_name,
            "PrimaryComputerPort": 80,
            "Role": "SecondaryComputer",
        }
    ]


@cmdlet("Get-AdfsFarmInformation")
def get_farm_information(call: Call) -> list[Row]:
    """Behaviour level and nodes; the nodes are objects, of which their text arrives."""
    now = configuration(call)
    return [{"CurrentFarmBehavior": now.level, "FarmNodes": list(now.nodes)}]


@cmdlet("Get-AdfsCertificate")
def get_certificate(call: Call) -> list[Row]:
    """Service-Communications, token-decrypting, token-signing."""
    wanted = {each.upper() for each in call.texts("Thumbprint")}
    types = call.texts("CertificateType")
    return [
        certificate_row(each, call.host)
        for each in configuration(call).certificates
        if (not wanted or each.certificate.thumbprint in wanted) and (not types or each.use in types)
    ]


def certificate_row(each: FarmCertificate, host: Host) -> Row:
    """A ServiceCertificate. AD FS's own lie in the service account's profile."""
    location = "CurrentUser" if each.managed else "LocalMachine"
    return {
        "Certificate": nested(each.certificate, host.utc_offset),
        "CertificateType": each.use,
        "IsPrimary": each.is_primary,
        "StoreLocation": location,
        "StoreName": "My",
        "Thumbprint": each.certificate.thumbprint,
    }


@cmdlet("Get-AdfsSslCertificate")
def get_ssl_certificate(call: Call) -> list[Row]:
    """This host's own bindings: a secondary answers, too."""
    node(call)
    return [
        {
            "AppId": uuid.UUID("5d89a20c-beab-4389-9447-324788eb944a"),
            "CertificateHash": each.thumbprint,
            "CtlStoreName": each.ctl_store,
            "HostName": each.host_name,
            "PortNumber": each.port,
        }
        for each in call.host.bindings
    ]


@cmdlet("Get-AdfsRelyingPartyTrust")
def get_relying_party_trust(call: Call) -> list[Row]:
    """All, by name, by identifier or by an identifier's beginning."""
    names, identifiers = call.texts("Name"), call.texts("Identifier")
    prefix = call.text("PrefixIdentifier").lower()
    return [
        _relying_party(each, call.host)
        for each in configuration(call).relying_parties
        if (not names or any(fnmatch.fnmatch(each.name.lower(), name.lower()) for name in names))
        and (not identifiers or set(identifiers) & set(each.identifiers))
        and (not prefix or any(name.lower().startswith(prefix) for name in each.identifiers))
    ]


def _relying_party(each: RelyingParty, host: Host) -> Row:
    return {
        "Name": each.name,
        "Identifier": list(each.identifiers),
        "Enabled": each.enabled,
        "AutoUpdateEnabled": each.auto_update,
        "MonitoringEnabled": each.monitoring,
        "MetadataUrl": PsUri(each.metadata_url) if each.metadata_url else None,
        "EncryptClaims": each.encryption is not None,
        "EncryptionCertificate": nested(each.encryption, host.utc_offset) if each.encryption else None,
        "EncryptionCertificateRevocationCheck": "CheckChainExcludeRoot",
        "SigningCertificateRevocationCheck": "CheckChainExcludeRoot",
        "RequestSigningCertificate": [nested(certificate, host.utc_offset) for certificate in each.requests],
        "SignatureAlgorithm": "http://www.w3.org/"
        + ("2000/09/xmldsig#rsa-sha1" if each.sha1 else "2001/04/xmldsig-more#rsa-sha256"),
        "IssuanceTransformRules": each.rules,
        "ProtocolProfile": "WsFed-SAML",
        "PublishedThroughProxy": False,
        "TokenLifetime": 0,
        "NotBeforeSkew": 0,
        "Notes": "",
        "OrganizationInfo": "",
        "SamlEndpoints": [],
        "ConflictWithPublishedPolicy": False,
        "LastPublishedPolicyCheckSuccessful": True if each.monitoring else None,
        "LastMonitoredTime": moment(each.updated),
        "LastUpdateTime": moment(each.updated),
    }


@cmdlet("Get-AdfsClaimsProviderTrust")
def get_claims_provider_trust(call: Call) -> list[Row]:
    """All; the local directory's is one of them."""
    return [_claims_provider(each, call.host) for each in configuration(call).claims_providers]


def _claims_provider(each: ClaimsProvider, host: Host) -> Row:
    return {
        "Name": each.name,
        "Identifier": each.identifier,
        "Enabled": each.enabled,
        "IsLocal": each.local,
        "AutoUpdateEnabled": each.monitoring,
        "MonitoringEnabled": each.monitoring,
        "MetadataUrl": PsUri(each.metadata_url) if each.metadata_url else None,
        "EncryptionCertificate": nested(each.encryption, host.utc_offset) if each.encryption else None,
        "EncryptionCertificateRevocationCheck": "CheckChainExcludeRoot",
        "SigningCertificateRevocationCheck": "CheckChainExcludeRoot",
        "TokenSigningCertificates": [nested(certificate, host.utc_offset) for certificate in each.signing],
        "ProtocolProfile": "WsFed-SAML",
        "Notes": "",
    }


@cmdlet("Get-AdfsEndpoint")
def get_endpoint(call: Call) -> list[Row]:
    """All, or by path or full URL."""
    now = configuration(call)
    paths, urls = call.texts("AddressPath"), call.texts("FullUrl")
    rows = [_endpoint(each, now) for each in now.endpoints]
    found = [row for row in rows if (not paths or row["AddressPath"] in paths) and (not urls or row["FullUrl"] in urls)]
    if (paths or urls) and not found:
        raise call.fail("An endpoint with the specified address was not found.", "PS0137", "InvalidArgument")
    return found


def _endpoint(each: Endpoint, now: Configuration) -> Row:
    return {
        "AddressPath": each.path,
        "ClientCredentialType": each.credential,
        "Enabled": each.enabled,
        "FullUrl": PsUri(f"https://{now.properties['HostName']}{each.path}"),
        "Protocol": each.protocol,
        "Proxy": each.proxy,
        "SecurityMode": "Transport",
        "Version": each.version,
    }
