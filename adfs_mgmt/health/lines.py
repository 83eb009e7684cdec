"""Every certificate of a farm once for each use, with the hosts that have it there: what the timeline shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adfs_mgmt.farm.model import Farm, Outside, Use
from adfs_mgmt.farm.windows import is_proxy_trust
from adfs_mgmt.health.forecast import Event, events, successor_of
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.health.tokens import reference
from adfs_mgmt.health.wording import name_of
from certs import Certificate

SSL_NODES, SSL_PROXIES, APPLICATIONS = "SSL of nodes", "SSL of proxies", "Published applications"
PROXY_TRUST, SEEN = "Proxy trust", "Seen from outside"
GROUPS = (
    Use.SIGNING.value,
    Use.DECRYPTING.value,
    Use.SERVICE.value,
    SSL_NODES,
    SSL_PROXIES,
    APPLICATIONS,
    PROXY_TRUST,
    SEEN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
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


def certificate_lines(farm: Farm, outside: Outside | None) -> list[Line]:
    """By group; in a group by end, then by thumbprint."""
    lines = [*_configured(farm), *_bound(farm)]
    if outside is not None:
        lines += _seen(outside, {line.certificate.thumbprint for line in lines})
    return sorted(
        _merged(lines), key=lambda line: (GROUPS.index(line.group), line.certificate.not_after, line.certificate.thumbprint)
    )


def limits(line: Line, thresholds: Thresholds) -> tuple[float, float]:
    """Days before its end from which it is a warning, and a failure; 0 and 0 where it renews itself."""
    if line.managed or line.group == PROXY_TRUST:
        return 0.0, 0.0
    if line.group in {Use.SIGNING, Use.DECRYPTING}:
        return thresholds.token_warning_days, thresholds.token_failure_days
    return thresholds.ssl_warning_days, thresholds.ssl_failure_days


def _configured(farm: Farm) -> list[Line]:
    """Of each node's `Get-AdfsCertificate`; roles and forecast are the primary node's."""
    main = reference(farm)
    lines = []
    for node in farm.nodes:
        for row in node.certificates:
            rows = [each for each in main.certificates if each.use is row.use] if main is not None else []
            token = row.use in {Use.SIGNING, Use.DECRYPTING}
            following = successor_of(rows)
            is_next = following is not None and following.thumbprint == row.certificate.thumbprint
            forecast = tuple(events(rows, farm.properties)) if token and row.is_primary and not farm.error else ()
            line = Line(
                group=row.use.value,
                certificate=row.certificate,
                role=("primary" if row.is_primary else "next" if is_next else "secondary") if token else "",
                hosts=(name_of(node.host),),
                events=forecast,
                managed=token and farm.properties.auto_rollover and not farm.error,
            )
            lines.append(line)
    return lines


def _bound(farm: Farm) -> list[Line]:
    """Bindings, published applications and the proxies' trust, where the certificate itself was read."""
    lines = []
    for group, hosts in ((SSL_NODES, farm.nodes), (SSL_PROXIES, farm.proxies)):
        for host in hosts:
            held = {row.certificate.thumbprint: row.certificate for row in host.stored}
            found = {
                held[row.thumbprint].thumbprint: held[row.thumbprint] for row in host.bindings if row.thumbprint in held
            }
            lines += [_line(group, each, name_of(host.host)) for each in found.values()]
    for proxy in farm.proxies:
        held = {row.certificate.thumbprint: row.certificate for row in proxy.stored}
        where = name_of(proxy.host)
        lines += [
            _line(APPLICATIONS, held[each.thumbprint], f"{each.name} on {where}")
            for each in proxy.applications
            if each.thumbprint in held
        ]
        trusts = [each for each in held.values() if is_proxy_trust(each)]
        if trusts:
            lines.append(_line(PROXY_TRUST, max(trusts, key=lambda each: each.not_after), where))
    return lines


def _line(group: str, certificate: Certificate, host: str) -> Line:
    return Line(group=group, certificate=certificate, role="", hosts=(host,), managed=group == PROXY_TRUST)


def _seen(outside: Outside, known: set[str]) -> list[Line]:
    """Certificates that no server named."""
    lines = []
    for served in outside.served:
        named = dict.fromkeys((*served.signing, *served.encryption), "metadata")
        if served.tls is not None:
            named[served.tls.thumbprint] = "TLS"
        lines += [
            _line(SEEN, outside.certificates[name], f"{what} of {name_of(served.host)}")
            for name, what in named.items()
            if name not in known and name in outside.certificates
        ]
    return lines


def _merged(lines: list[Line]) -> list[Line]:
    """One line for a certificate in a use, whatever number of hosts has it."""
    found: dict[tuple[str, str, str], Line] = {}
    for line in lines:
        key = (line.group, line.certificate.thumbprint, line.role)
        before = found.get(key)
        found[key] = line if before is None else replace(before, hosts=(*before.hosts, *line.hosts))
    return list(found.values())
