"""Checks of nodes and proxies: reached, running, in step, and with an SSL certificate that people accept. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adfs_mgmt.farm import (
    Binding,
    Farm,
    Node,
    Proxy,
    SyncRole,
    Use,
    proxy_trust,
    short_name,
)
from adfs_mgmt.health.rendering import end_text, host_label
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.health.tokens import check_key, unusable_key
from certs import Certificate, covers
from findings import Finding, failed, passed, warned
from foundation.times import DAY

_RENEW = "Renew it: isthmus adfs ssl plan."
_CTL_STORE = "AdfsTrustedDevices"
"""Where a node keeps whom it accepts client certificates from, its proxies among them: store of the row for the federation
name (Microsoft's *Manage SSL certificates in AD FS and WAP*, and TestProxySslBindings of its adfsToolbox)."""
_WINRM = "Check the name, port, firewall, WinRM listener and the account's permissions."

_PROPAGATION = 15 * 60.0
"""Seconds within which every node has a proxy's new certificate: some polls of a secondary."""


def check_node(farm: Farm, node: Node, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """Of one federation server: only what was read of it."""
    where = host_label(node.host)
    yield _check_reached(where, node.error)
    if not node.windows and not node.certificates:
        return
    yield from _check_service(where, node)
    yield from _check_database(where, farm, node)
    yield check_clock(where, node.clock_skew, thresholds)
    if node.role is SyncRole.SECONDARY:
        yield _check_sync(where, node, thresholds, now)
    yield from _check_node_bindings(farm, node)
    yield from _check_certificates(node, thresholds, now)
    yield from _check_service_communications(where, farm, node, thresholds, now)
    yield from _check_trusted_devices(where, farm, node, now)
    yield from _check_roots(where, node)


def check_proxy(farm: Farm, proxy: Proxy, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """Of one Web Application Proxy."""
    where = host_label(proxy.host)
    yield _check_reached(where, proxy.error)
    if not proxy.stored and not proxy.bindings and not proxy.service_running:
        return
    if proxy.service_running:
        yield passed("service", where, "appproxysvc is running")
    else:
        yield failed("service", where, "appproxysvc is not running", "Start it; its event log is WebApplicationProxy/Admin.")
    yield check_clock(where, proxy.clock_skew, thresholds)
    yield _check_proxy_trust(where, proxy, now)
    yield from _check_proxy_health(where, proxy)
    yield from _check_roots(where, proxy)
    yield from _check_proxy_bindings(farm, proxy)
    yield from _check_certificates(proxy, thresholds, now)
    yield from _check_applications(where, proxy, thresholds, now)


def check_clock(where: str, skew: float | None, thresholds: Thresholds) -> Finding:
    """Tokens are refused for a difference of some minutes."""
    if skew is None:
        return warned(
            "clock", where, "it did not return its time", "Run Get-Date on it, and compare the result with another clock."
        )
    seen = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this workstation"
    if abs(skew) <= thresholds.clock_seconds:
        return passed("clock", where, seen)
    return warned("clock", where, seen, "Compare both with a third clock: w32tm /query /status there, or this workstation.")


def _check_reached(where: str, error: str) -> Finding:
    if error:
        return failed("reading", where, error, _WINRM)
    return passed("reading", where, "everything was read")


def _check_service(where: str, node: Node) -> Iterator[Finding]:
    if node.service_running:
        yield passed("service", where, f"adfssrv is running as {node.service_account}")
    elif node.service_account or not node.error:
        remedy = (
            "Start it; its event log is AD FS/Admin." if node.service_account else "Add the node: isthmus adfs node add."
        )
        seen = "adfssrv is not running" if node.service_account else "there is no service adfssrv: AD FS is not installed"
        yield failed("service", where, seen, remedy)


def _check_database(where: str, farm: Farm, node: Node) -> Iterator[Finding]:
    """WID is a service of the node's own; that SQL Server is reached shows where the service tells its configuration."""
    if node.wid_running is False:
        yield failed(
            "database", where, "the Windows Internal Database is not running", "Start the service MSSQL$MICROSOFT##WID."
        )
    elif node.wid_running:
        yield passed("database", where, "the Windows Internal Database is running")
    elif farm.properties.sql and node.certificates:
        yield passed("database", where, "the configuration in SQL Server can be read")
    elif farm.properties.sql and node.service_running:
        remedy = (
            "Check that SQL Server is up, reachable from this server, and accessible to the "
            "service account. See event 352 in its AD FS/Admin event log."
        )
        yield failed("database", where, "the service is running, but its configuration in SQL Server cannot be read", remedy)


def _check_sync(where: str, node: Node, thresholds: Thresholds, now: float) -> Finding:
    remedy = (
        "Check its AD FS/Admin event log (344, 345), whether it can reach the primary on port "
        "80, and whether its service account has read access there."
    )
    if not node.last_sync:
        return warned("sync", where, f"as far as is known, it has never polled {node.primary or 'its primary'}", remedy)
    seen = f"last poll of {node.primary or 'its primary'} {max(now - node.last_sync, 0):.0f} s ago"
    if not node.last_sync_ok:
        return failed("sync", where, f"{seen} failed", remedy)
    if now - node.last_sync > max(thresholds.sync_seconds, 3 * node.poll_seconds):
        return warned("sync", where, f"{seen}: it is behind", remedy)
    return passed("sync", where, seen)


# -- SSL


def _check_node_bindings(farm: Farm, node: Node) -> Iterator[Finding]:
    name = farm.properties.federation_name
    if farm.error or not name or _unread(node):
        return
    main, alternate = (name, farm.properties.https_port), farm.properties.alternate_tls_binding
    wanted = [main, (f"certauth.{name}", main[1]) if alternate else (name, farm.properties.tls_client_port)]
    have = {(row.host_name.lower(), row.port) for row in node.bindings if row.thumbprint}
    missing = [f"{host}:{port}" for host, port in wanted if (host.lower(), port) not in have]
    where, cmdlet = host_label(node.host), "Set-AdfsAlternateTlsClientBinding" if alternate else "Set-AdfsSslCertificate"
    if missing:
        finding = failed if f"{name}:{main[1]}" in missing else warned
        remedy = f"Run {cmdlet} -Thumbprint … on that node."
        yield finding("ssl-binding", where, f"no certificate is bound to {', '.join(missing)}", remedy)
    elif _lacks_ctl_store(farm, node):
        finding = failed if farm.proxies else warned
        seen = f"{name}:{main[1]} has no CTL store {_CTL_STORE} in its binding: the node does not recognise its proxies"
        yield finding("ssl-binding", where, seen, f"Run {cmdlet} -Thumbprint … on that node with the same certificate.")
    else:
        yield passed("ssl-binding", where, ", ".join(f"{host}:{port}" for host, port in wanted))


def _lacks_ctl_store(farm: Farm, host: Node | Proxy) -> bool:
    """Of the row for the federation name. Other rows may have another, for the certificates of people."""
    stores = {row.ctl_store for row in host.bindings if _is_main(farm, row)}
    return any(store is not None and store.lower() != _CTL_STORE.lower() for store in stores)


def _is_main(farm: Farm, row: Binding) -> bool:
    main = (farm.properties.federation_name.lower(), farm.properties.https_port)
    return bool(row.thumbprint) and (row.host_name.lower(), row.port) == main


def _unread(host: Node | Proxy) -> bool:
    """Without bindings because something went wrong, not because there are none."""
    return not host.bindings and bool(host.error)


def _check_proxy_bindings(farm: Farm, proxy: Proxy) -> Iterator[Finding]:
    name, where = farm.properties.federation_name, host_label(proxy.host)
    if farm.error or not name or _unread(proxy):
        return
    remedy, bound = (
        "Run Set-WebApplicationProxySslCertificate -Thumbprint … on that proxy.",
        f"{name}:{farm.properties.https_port}",
    )
    if not any(_is_main(farm, row) for row in proxy.bindings):
        yield failed("ssl-binding", where, f"no certificate is bound to {bound}", remedy)
    elif _lacks_ctl_store(farm, proxy):
        seen = f"{bound} has no CTL store {_CTL_STORE} in its binding: devices cannot authenticate there"
        yield warned("ssl-binding", where, seen, remedy)
    else:
        yield passed("ssl-binding", where, bound)


def _check_certificates(server: Node | Proxy, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """Each bound certificate once, with every name that it is bound to."""
    where, bindings = host_label(server.host), server.bindings
    for thumbprint in sorted({row.thumbprint for row in bindings if row.thumbprint}):
        named = [row.host_name for row in bindings if row.thumbprint == thumbprint and not row.by_address]
        names = [name for name in named if name.lower() != "localhost"]
        row = server.held(thumbprint)
        seen, remedy = unusable_key(row, thumbprint)
        if row is None or seen:
            yield failed("ssl-certificate", where, f"bound, but {seen}", remedy)
        else:
            yield check_ssl("ssl-certificate", where, row.certificate, tuple(names), thresholds, now)


def check_ssl(
    name: str, where: str, certificate: Certificate, names: tuple[str, ...], thresholds: Thresholds, now: float
) -> Finding:
    """One certificate that browsers and proxies have to accept under these names."""
    seen, left = end_text(certificate, now), certificate.left(now) / DAY
    if certificate.not_after is None:
        return warned(
            name, where, seen, "It cannot be read here: check it on the server (certlm.msc), and renew it if in doubt."
        )
    foreign = sorted({name for name in names if name and not covers(certificate, name)})
    if left <= 0 or not certificate.begun(now):
        return failed(name, where, seen if left <= 0 else f"{seen}; not valid yet", _RENEW)
    if foreign:
        return failed(name, where, f"{seen}; does not cover {', '.join(foreign)}", f"Get one that covers them. {_RENEW}")
    if not certificate.server_auth:
        return failed(
            name,
            where,
            f"{seen}; is not valid for server authentication",
            f"Get one with the Server Authentication enhanced key usage. {_RENEW}",
        )
    if certificate.self_signed:
        return failed(name, where, f"{seen}; is self-signed", f"Get one from a CA that all clients trust. {_RENEW}")
    if left < thresholds.ssl_failure_days:
        return failed(name, where, seen, _RENEW)
    if left < thresholds.ssl_warning_days:
        return warned(name, where, seen, _RENEW)
    return passed(name, where, seen)


def _check_service_communications(
    where: str, farm: Farm, node: Node, thresholds: Thresholds, now: float
) -> Iterator[Finding]:
    """A setting of its own, which a renewal of SSL does not touch. WID secondaries do not tell it, but share it."""
    main = farm.reference
    for row in node.certificates or (main.certificates if main is not None else ()):
        if row.use is Use.SERVICE:
            yield check_ssl("service-communications", where, row.certificate, (), thresholds, now)
            if node.stored:
                yield check_key("service-communications-key", node, row.certificate.thumbprint)


# -- proxies


def _check_proxy_trust(where: str, proxy: Proxy, now: float) -> Finding:
    remedy = "Re-establish the proxy trust: isthmus adfs proxy remove and proxy add, or Install-WebApplicationProxy."
    if not proxy.trust_ok:
        return failed("proxy-trust", where, "the proxy cannot read its configuration from the federation service", remedy)
    if proxy.trust_ends is not None and proxy.trust_ends <= now:
        return failed("proxy-trust", where, "its proxy trust certificate has expired", remedy)
    if proxy.trust_ends is not None and proxy.trust_ends < now + 7 * DAY:
        seen = f"its proxy trust certificate expires in {(proxy.trust_ends - now) / DAY:.0f} days and has not been renewed"
        return warned(
            "proxy-trust",
            where,
            seen,
            "The proxy renews it every 8 hours if it can reach the federation service: find out why it does not.",
        )
    return passed("proxy-trust", where, "the federation service accepts the proxy")


def _check_trusted_devices(where: str, farm: Farm, node: Node, now: float) -> Iterator[Finding]:
    """AD FS writes its proxies' certificates into a store of every node, from its configuration, within minutes (Microsoft's
    TestProxyTrustPropagation, adfsToolbox, compares the stores of the nodes)."""
    trusts = {host_label(proxy.host): proxy_trust(proxy.stored) for proxy in farm.proxies}
    settled = {name: row for name, row in trusts.items() if row is not None and row.begun(now - _PROPAGATION)}
    if node.trusted_devices is None or not settled:
        return
    absent = {name: row.thumbprint for name, row in settled.items() if row.thumbprint not in node.trusted_devices}
    lacking = [f"{name} ({short_name(thumbprint)})" for name, thumbprint in absent.items()]
    if not lacking:
        yield passed("proxy-trust", where, f"{_CTL_STORE} has the certificate of every proxy that was read")
        return
    seen = f"{_CTL_STORE} lacks the certificate of {', '.join(lacking)}: the node refuses requests that come through there"
    remedy = (
        "Check that its configuration is up to date (sync) and its service is running. Restart "
        "adfssrv on it; if that does not help, re-establish the proxy trust."
    )
    yield failed("proxy-trust", where, seen, remedy)


def _check_roots(where: str, host: Node | Proxy) -> Iterator[Finding]:
    """A root store with intermediate certificates breaks client certificates, a proxy's among them (Microsoft's
    TestNoNonSelfSignedCertificatesInRootStore, adfsToolbox)."""
    if host.misplaced:
        shown = "; ".join(host.misplaced[:3]) + (f" and {len(host.misplaced) - 3} more" if len(host.misplaced) > 3 else "")
        seen = (
            f"in LocalMachine\\Root, but not root certificates: {shown}; client certificates, "
            "including those of proxies, may be refused because of that"
        )
        yield warned("root-store", where, seen, "Move them to LocalMachine\\CA (Intermediate Certification Authorities).")


def _check_proxy_health(where: str, proxy: Proxy) -> Iterator[Finding]:
    if proxy.unhealthy:
        remedy = "Run Get-WebApplicationProxyHealth on it, and check its event log WebApplicationProxy/Admin."
        yield failed("proxy-health", where, "; ".join(proxy.unhealthy), remedy)
    elif proxy.trust_ok:
        yield passed("proxy-health", where, "every component is OK")


def _check_applications(where: str, proxy: Proxy, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    for application in proxy.applications:
        if not application.thumbprint:
            continue
        name, row = "application-certificate", proxy.held(application.thumbprint)
        host = application.external_url.partition("://")[2].partition("/")[0].partition(":")[0]
        seen, remedy = unusable_key(row, application.thumbprint)
        if row is None or seen:
            yield failed(name, where, f"{application.name}: {seen}", remedy)
        else:
            found = check_ssl(name, where, row.certificate, (host,), thresholds, now)
            yield replace(found, seen=f"{application.name}: {found.seen}")
