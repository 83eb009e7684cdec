"""The pieces that a farm is put together from: a server, a node, a proxy, bindings, an empty database.

Both the builder of finished farms and the deployment cmdlets make servers with these.
"""

from __future__ import annotations

import datetime as dt

from tests.adfs.simulator.state import (
    LEVELS,
    POLL,
    SERVICE,
    TRUST_LIFE,
    TRUST_RENEWAL,
    Configuration,
    Endpoint,
    Farm,
    FarmNode,
    Host,
    Node,
    Proxy,
    Service,
    SslBinding,
    StoreEntry,
    World,
)
from tests.adfs.simulator.values import PsUri
from tests.adfs.simulator.x509 import DAY, build

WID_CONNECTION = (
    "Data Source=np:\\\\.\\pipe\\microsoft##wid\\tsql\\query;Initial Catalog=AdfsArtifactStore;Integrated Security=True"
)
SQL_CONNECTION = "Data Source=sql1.corp.example.com;Initial Catalog=AdfsArtifactStore;Integrated Security=True"
WID_SERVICE = "MSSQL$MICROSOFT##WID"
SERVICES = {
    "adfssrv": "Active Directory Federation Services",
    "appproxysvc": "Web Application Proxy Service",
    "appproxyctrl": "Web Application Proxy Controller Service",
}
NETWORK_SERVICE = "NT AUTHORITY\\NETWORK SERVICE"


def bindings(farm_name: str, thumbprint: str, *, alternate: bool, tls_client_port: int = 49443) -> list[SslBinding]:
    """The rows of one host."""
    client = SslBinding(f"certauth.{farm_name}", 443, thumbprint) if alternate else (
        SslBinding(farm_name, tls_client_port, thumbprint)
    )  # fmt: skip
    return [SslBinding(farm_name, 443, thumbprint), SslBinding("localhost", 443, thumbprint, ""), client]


def proxy_bindings(farm: Farm, thumbprint: str, tls_client_port: int, *, alternate: bool) -> list[SslBinding]:
    """A proxy has none for localhost."""
    rows = bindings(farm.name, thumbprint, alternate=alternate, tls_client_port=tls_client_port)
    return [row for row in rows if row.host_name != "localhost"]


def fallback(host: Host, thumbprint: str) -> None:
    """For clients without SNI: a row of the administrator's own, made with netsh."""
    host.bindings = [*host.bindings, SslBinding("0.0.0.0", 443, thumbprint, "")]  # noqa: S104 - a row of http.sys


def rebind(host: Host, rows: list[SslBinding]) -> None:
    """Set the rows of names; AD FS's cmdlets leave those of addresses alone (assumed: nothing is documented of them)."""
    host.bindings = [*rows, *(row for row in host.bindings if row.host_name[:1].isdigit())]


def connect(world: World, host: Host, farm: Farm, thumbprint: str, tls_client_port: int) -> None:
    """Make this host a proxy of the farm, with a fresh trust."""
    now = world.clock()
    trust = build(world.keys.take(), f"ADFS ProxyTrust - {host.short}", now, now + TRUST_LIFE)
    if host.proxy is not None:
        host.store.pop(host.proxy.trust.thumbprint, None)
    host.proxy = Proxy(
        farm=farm,
        trust_ends=now + TRUST_LIFE,
        next_renewal=now + TRUST_RENEWAL,
        trust=trust,
        tls_client_port=tls_client_port,
    )
    host.store[trust.thumbprint] = StoreEntry(certificate=trust)
    alternate = any(each.node is not None and each.node.alternate_tls for each in world.nodes(farm))
    host.bindings = proxy_bindings(farm, thumbprint, tls_client_port, alternate=alternate)
    for name, title in SERVICES.items():
        host.services[name] = Service(name=name, display_name=title, account=NETWORK_SERVICE)


def blank(world: World, fqdn: str, version: str, domain: str, *, jea: bool) -> Host:
    """A freshly installed server."""
    host = Host(fqdn=fqdn, version=version, domain=domain, jea=jea, booted=world.clock() - 7 * DAY)
    host.services["W32Time"] = Service(name="W32Time", display_name="Windows Time", account="NT AUTHORITY\\LocalService")
    host.services["WinRM"] = Service(
        name="WinRM", display_name="Windows Remote Management (WS-Management)", account="NT AUTHORITY\\NetworkService"
    )
    world.hosts[fqdn.lower()] = host
    return host


def join(
    host: Host, farm_: Farm, thumbprint: str, now: float, *, primary: Host, database: Configuration, alternate: bool
) -> None:
    """Make this host a node: the first one of a WID farm is the primary."""
    secondary = farm_.wid and host is not primary
    service = next((each for each in database.of(SERVICE) if each.is_primary), None)
    host.features.add("ADFS-Federation")
    host.node = Node(
        farm=farm_,
        secondary=secondary,
        primary_name=primary.fqdn if secondary else "",
        next_poll=now + POLL,
        last_sync=now if secondary else 0.0,
        alternate_tls=alternate,
        loaded_service_certificate=service.certificate.thumbprint if service else "",
    )
    database.nodes[host.fqdn] = FarmNode(fqdn=host.fqdn, level=LEVELS[host.version], heartbeat=now)
    host.node.copy = database.copy() if secondary else database if farm_.wid else None
    farm_.gmsa_hosts.add(host.fqdn.lower())
    port = database.properties["TlsClientPort"]
    client_port = port if isinstance(port, int) else 49443
    host.bindings = bindings(farm_.name, thumbprint, alternate=alternate, tls_client_port=client_port)
    host.services["adfssrv"] = Service(
        name="adfssrv", display_name="Active Directory Federation Services", account=farm_.account
    )
    if farm_.wid:
        host.features.add("Windows-Internal-Database")
        host.services[WID_SERVICE] = Service(
            name=WID_SERVICE, display_name="Windows Internal Database", account="NT SERVICE\\MSSQL$MICROSOFT##WID"
        )


def configuration(name: str, *, level: int, wid: bool) -> Configuration:
    """An empty database with the settings of a new farm."""
    return Configuration(properties=_properties(name, wid=wid), level=level, endpoints=list(_ENDPOINTS))


_ENDPOINTS = (
    Endpoint(path="/adfs/ls/", protocol="SAML 2.0/WS-Federation"),
    Endpoint(path="/adfs/services/trust/2005/windowstransport", enabled=False, proxy=False, protocol="WS-Trust 2005"),
    Endpoint(path="/adfs/services/trust/2005/usernamemixed", protocol="WS-Trust 2005", credential="Password"),
    Endpoint(path="/adfs/services/trust/13/usernamemixed", protocol="WS-Trust 1.3", credential="Password"),
    Endpoint(path="/adfs/services/trust/13/windowsmixed", enabled=False, proxy=False, protocol="WS-Trust 1.3"),
    Endpoint(path="/adfs/services/trustproxytrust", proxy=False, protocol="WS-Trust Proxy"),
    Endpoint(path="/adfs/services/trust/mex", protocol="WS-MEX"),
    Endpoint(path="/FederationMetadata/2007-06/FederationMetadata.xml", protocol="Federation Metadata"),
    Endpoint(path="/adfs/oauth2/", protocol="OAuth"),
    Endpoint(path="/adfs/portal/updatepassword/", enabled=False, proxy=False, protocol="HTTPS"),
    Endpoint(path="/adfs/probe", proxy=False, protocol="HTTP"),
)


def _properties(name: str, *, wid: bool) -> dict[str, object]:
    """Defaults of the reference page of Get-AdfsProperties, and of its table of types."""
    container = "CN=e6ddcbbc-5dc9-4ef2-9354-5e9ba1cac82d,CN=ADFS,CN=Microsoft,CN=Program Data,DC=corp,DC=example,DC=com"
    return {
        "AcceptableIdentifiers": [],
        "AddProxyAuthorizationRules": "",
        "AllowLocalAdminsServiceAdministration": True,
        "AllowSystemServiceAdministration": False,
        "ArtifactDbConnection": WID_CONNECTION if wid else SQL_CONNECTION,
        "AuditLevel": ["Basic"],
        "AuthenticationContextOrder": [PsUri("urn:oasis:names:tc:SAML:2.0:ac:classes:Password")],
        "AutoCertificateRollover": True,
        "BrowserSsoEnabled": True,
        "BrowserSsoSupportedUserAgents": ["Windows NT 1*Edge/1*"],
        "CertificateCriticalThreshold": 2,
        "CertificateDuration": 365,
        "CertificateGenerationThreshold": 20,
        "CertificatePromotionThreshold": 5,
        "CertificateRolloverInterval": 720,
        "CertificateSharingContainer": container,
        "CertificateThresholdMultiplier": 1440,
        "ClientCertRevocationCheck": "None",
        "ContactPerson": None,
        "DelegateServiceAdministration": "",
        "DeviceUsageWindowInDays": 14,
        "DisplayName": "Example",
        "EnableIdpInitiatedSignonPage": False,
        "EnableOauthDeviceFlow": True,
        "EnableOauthLogout": True,
        "ExtendedProtectionTokenCheck": "Allow",
        "ExtranetLockoutEnabled": True,
        "ExtranetLockoutRequirePDC": True,
        "ExtranetLockoutThreshold": 15,
        "ExtranetObservationWindow": dt.timedelta(minutes=30),
        "FederationPassiveAddress": "/adfs/ls/",
        "HostName": name,
        "HttpPort": 80,
        "HttpsPort": 443,
        "Identifier": PsUri(f"http://{name}/adfs/services/trust"),
        "IdTokenIssuer": PsUri(f"https://{name}/adfs"),
        "IgnoreTokenBinding": False,
        "InstalledLanguage": "en-US",
        "IntranetUseLocalClaimsProvider": False,
        "KmsiEnabled": False,
        "KmsiLifetimeMins": 1440,
        "LocalAuthenticationTypesEnabled": True,
        "LogLevel": ["Errors", "FailureAudits", "Information", "SuccessAudits", "Verbose", "Warnings"],
        "LoopDetectionEnabled": True,
        "LoopDetectionMaximumTokensIssuedInInterval": 5,
        "LoopDetectionTimeIntervalInSeconds": 20,
        "MonitoringInterval": 1440,
        "NetTcpPort": 1501,
        "NtlmOnlySupportedClientAtProxy": False,
        "OrganizationInfo": None,
        "PersistentSsoEnabled": True,
        "PersistentSsoLifetimeMins": 129600,
        "PreventTokenReplays": True,
        "ProxyTrustTokenLifetime": 21600,
        "RelayStateForIdpInitiatedSignOnEnabled": False,
        "ReplayCacheExpirationInterval": 60,
        "SamlMessageDeliveryWindow": 5,
        "SendClientRequestIdAsQueryStringParameter": True,
        "SignSamlAuthnRequests": False,
        "SignedSamlRequestsRequired": False,
        "SsoLifetime": 480,
        "TlsClientPort": 49443,
        "WIASupportedUserAgents": ["MSIE 6.0", "MSIE 7.0", "MSIE 8.0"],
        "WiaEvaluationMethod": "WiaUserAgentDetection",
    }
