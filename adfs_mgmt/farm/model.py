"""A farm as it was read: plain facts with their source, before anybody judges them. Times are Unix seconds.

Two views of the same farm meet here: `Farm`, what the servers say about themselves over WinRM, and `ExternalView`, what
anybody on the network sees. Where they contradict each other is for `inconsistencies` to say.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from certs import Certificate


class Use(enum.StrEnum):
    """What a certificate is for, in AD FS's own words."""

    SIGNING = "Token-Signing"
    DECRYPTING = "Token-Decrypting"
    SERVICE = "Service-Communications"
    SSL = "SSL"


class KeyAccess(enum.StrEnum):
    """Of a certificate in LocalMachine\\My of one host."""

    READABLE = "readable"
    """The service account may read the private key."""
    NOT_GRANTED = "not granted"
    NO_KEY = "no private key"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmCertificate:
    """A row of `Get-AdfsCertificate`: what the farm's configuration says."""

    use: Use
    certificate: Certificate
    is_primary: bool
    store: str = "My"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificate:
    """In LocalMachine\\My of one host."""

    certificate: Certificate
    key: KeyAccess
    cng: bool = False
    """The key is in a CNG provider; token certificates need a CSP."""
    key_spec: int = 0
    """1 AT_KEYEXCHANGE, 2 AT_SIGNATURE: good for signing tokens alone; 0 of a CNG key, or where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A row of `Get-AdfsSslCertificate` or `Get-WebApplicationProxySslCertificate`."""

    host_name: str
    """Or an address (0.0.0.0): of a row for clients that send no server name, which no cmdlet of AD FS sets."""
    port: int
    thumbprint: str
    ctl_store: str | None = None
    """Store of whom client certificates are accepted from; empty for none, None where the host did not say."""

    @property
    def by_address(self) -> bool:
        """Whether it is for an address instead of a name."""
        with suppress(ValueError):
            return bool(ip_address(self.host_name.strip("[]")))
        return False


class SyncRole(enum.StrEnum):
    """Of `Get-AdfsSyncProperties`. Farms on SQL Server have no primary: every node answers `PrimaryComputer`."""

    PRIMARY = "PrimaryComputer"
    SECONDARY = "SecondaryComputer"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmServer:
    """A server of the farm, as it says."""

    host: str
    """As in the settings: what we connect to."""
    service_running: bool = False
    """adfssrv, or appproxysvc on a proxy."""
    clock_skew: float | None = None
    """Seconds that its clock is ahead of ours, less half the round trip; None where it does not tell."""
    stored: tuple[StoredCertificate, ...] = ()
    bindings: tuple[Binding, ...] = ()
    misplaced: tuple[str, ...] = ()
    """Subjects of certificates in LocalMachine\\Root that are no roots."""
    error: str = ""
    """Why nothing (more) is known of it. What was read before it failed stays."""

    def held(self, thumbprint: str) -> StoredCertificate | None:
        """The row of its LocalMachine\\My."""
        return next((row for row in self.stored if row.certificate.thumbprint == thumbprint), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(FarmServer):
    """A federation server."""

    fqdn: str = ""
    windows: str = ""
    """`2012 R2`, `2016`, `2019`, `2022`, `2025`."""
    role: SyncRole | None = None
    primary: str = ""
    """Of a secondary: the primary that it polls."""
    last_sync: float | None = None
    """None where it has never polled its primary, or does not tell."""
    last_sync_ok: bool = True
    poll_seconds: float = 300.0
    service_account: str = ""
    wid_running: bool | None = None
    """Whether the Windows Internal Database runs; None where there is none: the configuration is in SQL Server."""
    certificates: tuple[FarmCertificate, ...] = ()
    trusted_devices: frozenset[str] | None = None
    """Thumbprints in LocalMachine\\AdfsTrustedDevices, its proxies' among them; None where that was not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedApplication:
    """A row of `Get-WebApplicationProxyApplication`."""

    name: str
    external_url: str
    thumbprint: str
    id: str = ""
    """A GUID: what `Set-WebApplicationProxyApplication` wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy(FarmServer):
    """A Web Application Proxy."""

    applications: tuple[PublishedApplication, ...] = ()
    trust_ok: bool = True
    trust_ends: float | None = None
    """End of the newest proxy trust certificate; None where none was found."""
    unhealthy: tuple[str, ...] = ()
    """Rows of `Get-WebApplicationProxyHealth` that are not OK: component, state and what it says of it."""


class TrustUse(enum.StrEnum):
    """What a partner's certificate is for, which its trust in AD FS holds."""

    ENCRYPTION = "Partners: encryption"
    """`EncryptionCertificate` of a relying party: tokens are encrypted for it."""
    REQUESTS = "Partners: requests"
    """`RequestSigningCertificate` of a relying party: its requests are signed with one of them."""
    PROVIDER_SIGNING = "Providers: signing"
    """`TokenSigningCertificates` of a claims provider."""
    PROVIDER_ENCRYPTION = "Providers: encryption"
    """`EncryptionCertificate` of a claims provider: sign-out requests are encrypted for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerTrust:
    """A trust of the farm's, on either side of it."""

    name: str
    identifiers: tuple[str, ...]
    enabled: bool = True
    metadata_url: str = ""
    monitoring: bool = False
    """AD FS watches its metadata. Says nothing about whether it watches ours."""
    auto_update: bool = False
    """… and takes over what is new there."""
    certificates: Mapping[TrustUse, tuple[Certificate, ...]] = field(default_factory=dict)
    """The partner's own, as the trust has them: none for a use that it has none for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty(PartnerTrust):
    """A relying-party trust: one of the partners that must learn of a new certificate."""

    rules: str = ""
    """IssuanceTransformRules: its claim rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsProvider(PartnerTrust):
    """A claims-provider trust: one whose tokens the farm takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """What of `Get-AdfsProperties` and `Get-AdfsFarmInformation` matters here."""

    federation_name: str = ""
    """HostName: fs.example.com."""
    identifier: str = ""
    """Such as `http://fs.example.com/adfs/services/trust`."""
    auto_rollover: bool = True
    generation_threshold_days: int = 20
    promotion_threshold_days: int = 5
    critical_threshold_days: int = 2
    duration_days: int = 365
    https_port: int = 443
    tls_client_port: int = 49443
    alternate_tls_binding: bool = False
    """Client TLS on port 443 under certauth.<name> (2016 and later) instead of on `tls_client_port`."""
    behaviour_level: int = 0
    """0 where it is not known; 1 for 2012 R2, 3 for 2016, 4 for 2019 and later."""
    sql: bool = False
    """The configuration is in SQL Server, not in WID."""
    audit_level: tuple[str, ...] = ()
    extranet_lockout: bool = False
    extranet_lockout_mode: str = ""
    """`ADPasswordCounter`, `ADFSSmartLockoutLogOnly` or `ADFSSmartLockoutEnforce`; empty before 2016, which has one mode."""

    @property
    def extranet_lockout_logs_only(self) -> bool:
        """Whether it is on, but refuses nobody."""
        return self.extranet_lockout and self.extranet_lockout_mode.lower() == "adfssmartlockoutlogonly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A row of `Get-AdfsEndpoint`."""

    path: str
    enabled: bool
    proxied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalHolder:
    """An account in the forest that has a service principal name of the farm's."""

    account: str
    """`CORP\\adfs$`; its SID where it has no name that can be told."""
    names: tuple[str, ...]
    """Those of `host/<name>` and `http/<name>` that it has, as they are written there."""
    is_service: bool
    """It is the account that AD FS runs as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePrincipal:
    """Who has `host/<name>` or `http/<name>`: for whose key a domain controller encrypts Kerberos tickets of that name."""

    name: str
    """The federation name that was looked for."""
    service_account: str
    holders: tuple[PrincipalHolder, ...] = ()
    error: str = ""
    """Why it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Farm:
    """What the servers of one farm say about themselves."""

    name: str
    """As in the settings."""
    read_at: float
    properties: Properties
    nodes: tuple[Node, ...]
    proxies: tuple[Proxy, ...] = ()
    relying_parties: tuple[RelyingParty, ...] = ()
    claims_providers: tuple[ClaimsProvider, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    principal: ServicePrincipal | None = None
    """None where nobody could be asked: that takes our JEA endpoint."""
    error: str = ""
    """Why `properties` and what else belongs to the whole farm are not known: then they hold defaults, not facts."""

    @property
    def hosts(self) -> list[Node | Proxy]:
        """Nodes, then proxies."""
        return [*self.nodes, *self.proxies]

    @property
    def trusts(self) -> list[PartnerTrust]:
        """Of relying parties, then of claims providers."""
        return [*self.relying_parties, *self.claims_providers]

    @property
    def primary(self) -> Node | None:
        """The node that takes changes: the primary of a WID farm, any healthy node of a SQL farm."""
        return next((node for node in self.nodes if node.role is SyncRole.PRIMARY and not node.error), None)

    @property
    def reference(self) -> Node | None:
        """Whose word on the farm's certificates counts: the primary, else the first node that has any."""
        first = [self.primary] if self.primary is not None else []
        return next((node for node in (*first, *self.nodes) if node.certificates), None)


ServedPart = Literal["TLS", "metadata", "probe"]
"""What is read at one address, each with a result of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one address really serves under the federation name."""

    host: str
    """The node or proxy, or the federation name itself."""
    port: int
    tls: Certificate | None = None
    tls_problem: str = ""
    """Why a client would refuse that certificate; empty where it would not."""
    unnamed: str | None = None
    """Thumbprint of what a client gets that sends no server name (SNI); empty where it gets nothing, None where that was not
    looked at."""
    signing: tuple[str, ...] = ()
    """Thumbprints of the token-signing certificates in its metadata, in document order."""
    encryption: tuple[str, ...] = ()
    entity_id: str = ""
    """Of its metadata."""
    signed_by: str = ""
    """Thumbprint of the certificate that signed the metadata document; empty where the signature does not hold."""
    probe_ok: bool = False
    """`/adfs/probe` on port 80 answered 200."""
    milliseconds: float = 0.0
    """How long the metadata took, TLS handshake included."""
    clock_skew: float | None = None
    """Seconds that its clock is ahead of ours by its HTTP `Date`, to the second; None where it sent none."""
    errors: Mapping[ServedPart, str] = field(default_factory=dict)
    """What did not work, and why."""

    @property
    def error(self) -> str:
        """All of it, each part named; empty where everything worked."""
        return "; ".join(f"{part}: {why}" for part, why in self.errors.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalView:
    """What anybody on the network sees of a farm, without a credential."""

    federation_name: str
    read_at: float
    served: tuple[Served, ...]
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """By thumbprint: those in the metadata and those of TLS."""
    canonical_name: str = ""
    """What the federation name is an alias (CNAME) of; empty where it is none."""
