"""Every certificate of a farm once for each use, with the hosts that have it there: what status and timeline show. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adfs_mgmt.farm import ExternalView, Farm, TrustUse, Use, proxy_trust
from adfs_mgmt.health.forecast import Event, events, successor_of
from adfs_mgmt.health.rendering import host_label
from adfs_mgmt.health.settings import Thresholds
from certs import Certificate

SSL_NODES, SSL_PROXIES, APPLICATIONS = "SSL of nodes", "SSL of proxies", "Published applications"
PROXY_TRUST, EXTERNAL = "Proxy trust", "Seen from outside"
GROUPS = (
    Use.SIGNING.value,
    Use.DECRYPTING.value,
    Use.SERVICE.value,
    SSL_NODES,
    SSL_PROXIES,
    APPLICATIONS,
    PROXY_TRUST,
    *(use.value for use in TrustUse),
    EXTERNAL,
)
TRUSTS = frozenset(use.value for use in TrustUse)
"""Groups of partners' certificates, whose `hosts` are names of trusts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateEntry:
    """One certificate in one use."""

    group: str
    certificate: Certificate
    role: str
    """`primary`, `secondary`, `next`, or empty where there are no roles."""
    hosts: tuple[str, ...]
    events: tuple[Event, ...] = ()
    """What AD FS does about it by itself."""
    managed: bool = False
    """AD FS renews it by itself."""


def certificate_inventory(farm: Farm, external: ExternalView | None) -> list[CertificateEntry]:
    """In the order of GROUPS; in a group by end, then by thumbprint."""
    entries = [*_configured(farm), *_bound(farm), *_held(farm)]
    if external is not None:
        entries += _external(external, {entry.certificate.thumbprint for entry in entries})
    return sorted(_merged(entries), key=_order)


def _order(entry: CertificateEntry) -> tuple[int, float, str]:
    return GROUPS.index(entry.group), entry.certificate.left(0.0), entry.certificate.thumbprint


def end_limits(entry: CertificateEntry, thresholds: Thresholds) -> tuple[float, float]:
    """Days before its end from which it is a warning, and a failure; 0 and 0 where it renews itself."""
    if entry.managed or entry.group == PROXY_TRUST:
        return 0.0, 0.0
    if entry.group in {Use.SIGNING, Use.DECRYPTING, *TRUSTS}:
        return thresholds.token_warning_days, thresholds.token_failure_days
    return thresholds.ssl_warning_days, thresholds.ssl_failure_days


def _configured(farm: Farm) -> list[CertificateEntry]:
    """Of each node's `Get-AdfsCertificate`; roles and forecast are the primary node's."""
    main = farm.reference
    entries = []
    for node in farm.nodes:
        for row in node.certificates:
            rows = [other for other in main.certificates if other.use is row.use] if main is not None else []
            token = row.use in {Use.SIGNING, Use.DECRYPTING}
            following = successor_of(rows)
            is_next = following is not None and following.thumbprint == row.certificate.thumbprint
            forecast = tuple(events(rows, farm.properties)) if token and row.is_primary and not farm.error else ()
            entry = CertificateEntry(
                group=row.use.value,
                certificate=row.certificate,
                role=("primary" if row.is_primary else "next" if is_next else "secondary") if token else "",
                hosts=(host_label(node.host),),
                events=forecast,
                managed=token and farm.properties.auto_rollover and not farm.error,
            )
            entries.append(entry)
    return entries


def _bound(farm: Farm) -> list[CertificateEntry]:
    """Bindings, published applications and the proxies' trust, where the certificate itself was read."""
    entries = []
    for group, hosts in ((SSL_NODES, farm.nodes), (SSL_PROXIES, farm.proxies)):
        for host in hosts:
            found = (host.held(thumbprint) for thumbprint in dict.fromkeys(row.thumbprint for row in host.bindings))
            entries += [_entry(group, row.certificate, host_label(host.host)) for row in found if row is not None]
    for proxy in farm.proxies:
        where = host_label(proxy.host)
        entries += [
            _entry(APPLICATIONS, row.certificate, f"{application.name} on {where}")
            for application in proxy.applications
            if (row := proxy.held(application.thumbprint)) is not None
        ]
        if (trust := proxy_trust(proxy.stored)) is not None:
            entries.append(_entry(PROXY_TRUST, trust, where))
    return entries


def _held(farm: Farm) -> list[CertificateEntry]:
    """Partners' own, in trusts that are enabled."""
    return [
        _entry(use.value, certificate, trust.name)
        for trust in farm.trusts
        if trust.enabled
        for use, certificates in trust.certificates.items()
        for certificate in certificates
    ]


def _entry(group: str, certificate: Certificate, host: str) -> CertificateEntry:
    return CertificateEntry(group=group, certificate=certificate, role="", hosts=(host,), managed=group == PROXY_TRUST)


def _external(external: ExternalView, known: set[str]) -> list[CertificateEntry]:
    """Certificates that no server named."""
    entries = []
    for served in external.served:
        named = dict.fromkeys((*served.signing, *served.encryption), "metadata")
        if served.tls is not None:
            named[served.tls.thumbprint] = "TLS"
        if served.unnamed:
            named.setdefault(served.unnamed, "TLS without SNI")
        entries += [
            _entry(EXTERNAL, external.certificates[name], f"{what} of {host_label(served.host)}")
            for name, what in named.items()
            if name not in known and name in external.certificates
        ]
    return entries


def _merged(entries: list[CertificateEntry]) -> list[CertificateEntry]:
    """One entry for a certificate in a use, whatever number of hosts has it."""
    found: dict[tuple[str, str, str], CertificateEntry] = {}
    for entry in entries:
        key = (entry.group, entry.certificate.thumbprint, entry.role)
        before = found.get(key)
        found[key] = entry if before is None else replace(before, hosts=(*before.hosts, *entry.hosts))
    return list(found.values())
