"""What a simulated farm is made of: servers with their stores, and the configuration that they share.

    World ── Host (one Windows server: services, LocalMachine\\My, TLS bindings, features)
      │        ├── Node   a federation server: which farm, primary or secondary, its copy of the configuration
      │        └── Proxy  a Web Application Proxy: its trust with the farm
      └── Farm ── Configuration   properties, certificates, trusts, endpoints, table of nodes

In a farm on WID the primary's copy is the one that is written; a secondary's is as old as its last poll. Nodes of a farm on
SQL Server all look at `Farm.shared`.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

from tests.adfs.simulator.x509 import LEGACY_PROVIDER, Authority, Cert, Keys

SIGNING, DECRYPTING, SERVICE = "Token-Signing", "Token-Decrypting", "Service-Communications"
LEVELS = {"2012 R2": 1, "2016": 3, "2019": 4, "2022": 4, "2025": 4}
BUILDS = {
    "2012 R2": ("6.3.9600", "9600"),
    "2016": ("10.0.14393", "14393"),
    "2019": ("10.0.17763", "17763"),
    "2022": ("10.0.20348", "20348"),
    "2025": ("10.0.26100", "26100"),
}
SERVICE_SID = "NT SERVICE\\adfssrv"
POLL = 300.0
HEARTBEAT = 300.0
TRUST_LIFE = 14 * 86400.0
TRUST_RENEWAL = 8 * 3600.0


@dataclass(slots=True, kw_only=True)
class StoreEntry:
    """A certificate in LocalMachine\\My of one host."""

    certificate: Cert
    has_key: bool = True
    provider: str = LEGACY_PROVIDER
    cng: bool = False
    key_spec: int = 1
    """1 AT_KEYEXCHANGE, 2 AT_SIGNATURE; 0 for CNG keys."""
    readers: set[str] = field(default_factory=set)
    """Who may read the key besides administrators, in lower case."""


@dataclass(frozen=True, slots=True)
class SslBinding:
    """One binding in http.sys."""

    host_name: str
    port: int
    thumbprint: str
    ctl_store: str = "AdfsTrustedDevices"


@dataclass(slots=True, kw_only=True)
class Service:
    """A Windows service."""

    name: str
    display_name: str
    running: bool = True
    account: str = "LocalSystem"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmCertificate:
    """A certificate in a farm's configuration."""

    use: str
    certificate: Cert
    is_primary: bool
    managed: bool
    """Made by AD FS itself: the key travels in the configuration, protected by DKM. Others live in each node's store."""
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """A relying-party trust."""

    name: str
    identifiers: tuple[str, ...]
    enabled: bool = True
    metadata_url: str = ""
    monitoring: bool = False
    auto_update: bool = False
    updated: float = 0.0
    """When its metadata was last read; real ones say 0001-01-01 for never, which psrpcore cannot write."""
    encryption: Cert | None = None
    rules: str = ""
    """IssuanceTransformRules."""
    requests: tuple[Cert, ...] = ()
    sha1: bool = False
    """SignatureAlgorithm is rsa-sha1, as older trusts have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsProvider:
    """A claims-provider trust; that of the local Active Directory has no certificates."""

    name: str
    identifier: str
    local: bool = False
    enabled: bool = True
    metadata_url: str = ""
    monitoring: bool = False
    signing: tuple[Cert, ...] = ()
    encryption: Cert | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint of the service."""

    path: str
    enabled: bool = True
    proxy: bool = True
    protocol: str = ""
    version: str = ""
    credential: str = "Anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmNode:
    """A row of the farm's table of nodes."""

    fqdn: str
    level: int
    heartbeat: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A published application. Its settings lie in AD FS; every proxy of the farm reads them from there."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str
    external_url: str
    backend_url: str
    thumbprint: str
    preauthentication: str = "ADFS"


@dataclass(slots=True, kw_only=True)
class Configuration:
    """The configuration database."""

    properties: dict[str, object]
    level: int
    certificates: list[FarmCertificate] = field(default_factory=list)
    relying_parties: list[RelyingParty] = field(default_factory=list)
    claims_providers: list[ClaimsProvider] = field(
        default_factory=lambda: [ClaimsProvider(name="Active Directory", identifier="AD AUTHORITY", local=True)]
    )
    endpoints: list[Endpoint] = field(default_factory=list)
    nodes: dict[str, FarmNode] = field(default_factory=dict)
    applications: list[Application] = field(default_factory=list)
    poll: float = POLL

    def copy(self) -> Configuration:
        """As it is now; the rows themselves never change."""
        made = copy.copy(self)
        for each in fields(self):
            setattr(made, each.name, copy.copy(getattr(self, each.name)))
        return made

    def of(self, use: str) -> list[FarmCertificate]:
        return [each for each in self.certificates if each.use == use]

    def primary(self, use: str) -> FarmCertificate | None:
        return next((each for each in self.of(use) if each.is_primary), None)

    def promote(self, use: str, thumbprint: str) -> None:
        """Make one primary and the others not."""
        self.certificates = [
            replace(each, is_primary=each.certificate.thumbprint == thumbprint) if each.use == use else each
            for each in self.certificates
        ]

    def drop(self, use: str, thumbprint: str) -> None:
        self.certificates = [
            each for each in self.certificates if (each.use, each.certificate.thumbprint) != (use, thumbprint)
        ]


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """The federation server on a host."""

    farm: Farm
    secondary: bool = False
    primary_name: str = ""
    """Of a secondary: whom it polls."""
    copy: Configuration | None = None
    """Its own database; None in a farm on SQL Server."""
    next_poll: float = 0.0
    last_sync: float = 0.0
    last_sync_ok: bool = True
    alternate_tls: bool = False
    loaded_service_certificate: str = ""
    """Thumbprint of the Service-Communications certificate that the running service read when it started."""

    @property
    def configuration(self) -> Configuration:
        return self.copy if self.copy is not None else self.farm.shared


@dataclass(slots=True, kw_only=True, eq=False)
class Proxy:
    """The Web Application Proxy on a host."""

    farm: Farm
    trust_ends: float
    next_renewal: float
    trust: Cert
    tls_client_port: int = 49443


@dataclass(slots=True, kw_only=True, eq=False)
class Host:
    """One Windows server."""

    fqdn: str
    version: str = "2019"
    domain: str = ""
    """Empty in a workgroup."""
    online: bool = True
    jea: bool = True
    """Whether the JEA endpoint with our functions is registered."""
    features: set[str] = field(default_factory=set)
    services: dict[str, Service] = field(default_factory=dict)
    store: dict[str, StoreEntry] = field(default_factory=dict)
    bindings: list[SslBinding] = field(default_factory=list)
    roots: list[Cert] = field(default_factory=list)
    """LocalMachine\\Root."""
    strangers: set[str] = field(default_factory=set)
    """FQDNs of proxies whose certificates have not come into its AdfsTrustedDevices."""
    skew: float = 0.0
    """Seconds that its clock is ahead."""
    utc_offset: float = 0.0
    """Seconds of its time zone."""
    resolves: dict[str, str] = field(default_factory=dict)
    """Names in its hosts file: name to FQDN of a host."""
    booted: float = 0.0
    node: Node | None = None
    proxy: Proxy | None = None

    @property
    def short(self) -> str:
        return self.fqdn.partition(".")[0].upper()

    def running(self, service: str) -> bool:
        found = self.services.get(service)
        return self.online and found is not None and found.running

    def names(self) -> set[str]:
        """What a node may call itself."""
        return {self.fqdn.lower(), self.short.lower(), "localhost", "."}


@dataclass(slots=True, kw_only=True, eq=False)
class Farm:
    """Nodes with one configuration."""

    name: str
    """Federation service name."""
    wid: bool
    account: str
    """Service account; a gMSA ends with `$`."""
    shared: Configuration
    """Of a farm on SQL Server; with WID unused."""
    gmsa_hosts: set[str] = field(default_factory=set)
    """Hosts that may read the gMSA's password (PrincipalsAllowedToRetrieveManagedPassword), lower-case FQDNs."""
    next_check: float = 0.0
    """When AutoCertificateRollover looks next."""


@dataclass(slots=True, kw_only=True)
class Person:
    """An account that signs in. A domain controller counts wrong passwords, and locks it at the fifth."""

    password: str
    bad_passwords: int = 0
    threshold: int = 5
    disabled: bool = False
    expired: bool = False
    denied: set[str] = field(default_factory=set)
    """Identifiers of relying parties whose rules do not let it in."""

    @property
    def locked(self) -> bool:
        return self.bad_passwords >= self.threshold

    def accepts(self, password: str) -> bool:
        """Ask the domain controller. A locked account counts no more."""
        if self.locked:
            return False
        if password != self.password:
            self.bad_passwords += 1
            return False
        if self.disabled or self.expired:
            return False
        self.bad_passwords = 0
        return True


@dataclass(slots=True, kw_only=True, eq=False)
class World:
    """Everything simulated."""

    clock: Callable[[], float]
    keys: Keys
    authority: Authority
    hosts: dict[str, Host] = field(default_factory=dict)
    farms: list[Farm] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=lambda: {"CORP\\admin": "Adm1n-Passw0rd"})
    """Accounts that may administer everything, with their passwords."""
    people: dict[str, Person] = field(default_factory=dict)
    """Who signs in to farms, by userPrincipalName or DOMAIN\\name in lower case."""
    token_requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Each name and password that reached a node: its FQDN, the endpoint's path, the name."""
    principals: dict[str, list[str]] = field(default_factory=dict)
    """Service principal names by account, of the whole forest."""
    global_catalog: bool = True
    """Whether a global catalog is reached."""
    gmsa_hosts: set[str] = field(default_factory=set)
    """Hosts (lower-case FQDNs) that may read the password of gMSAs that no farm uses yet."""
    delegated: set[str] = field(default_factory=set)
    """Users whose sessions may go on to another server: CredSSP, or Kerberos delegation."""
    secondaries_answer: bool = False
    """Whether a WID secondary answers Get- cmdlets. Real ones are reported to refuse all but the sync properties and the TLS
    bindings with PS0033."""
    secondaries_bind: bool = True
    """Whether `Set-AdfsSslCertificate -Member <itself>` is taken on a WID secondary. Without -Member it is known to be
    refused with PS0033; what happens with it is not documented."""
    pfx_provider: str = LEGACY_PROVIDER
    """Where a key from a PFX goes that names no provider."""

    def host(self, name: str) -> Host | None:
        return self.hosts.get(name.lower())

    def nodes(self, farm: Farm) -> list[Host]:
        return [host for host in self.hosts.values() if host.node is not None and host.node.farm is farm]

    def proxies(self, farm: Farm) -> list[Host]:
        return [host for host in self.hosts.values() if host.proxy is not None and host.proxy.farm is farm]

    def writer(self, farm: Farm) -> Host | None:
        """The node that looks after the certificates: the primary, or with SQL Server any that runs."""
        able = [host for host in self.nodes(farm) if host.running("adfssrv") and host.node and not host.node.secondary]
        return able[0] if able else None

    def serving(self, farm: Farm) -> list[Host]:
        return [host for host in self.nodes(farm) if host.running("adfssrv")]


def may_read(host: Host, entry: StoreEntry) -> bool:
    """Whether the federation service on this host can use the key."""
    allowed = {SERVICE_SID.lower()} | ({host.node.farm.account.lower()} if host.node else set())
    return entry.has_key and bool(entry.readers & allowed)


def usable_key(host: Host, certificate: FarmCertificate) -> bool:
    """Whether this node can sign or decrypt with it: by DKM, or by its own store."""
    if certificate.managed:
        return True
    entry = host.store.get(certificate.certificate.thumbprint)
    return entry is not None and may_read(host, entry)
