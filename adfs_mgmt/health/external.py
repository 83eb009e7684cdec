"""Checks of what anybody on the network sees. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from adfs_mgmt.farm import ExternalView, Farm, Served, ServedPart
from adfs_mgmt.health.rendering import end_text, host_label
from adfs_mgmt.health.servers import check_clock, check_ssl
from adfs_mgmt.health.settings import Thresholds
from findings import Finding, failed, passed, warned


def check_external(farm: Farm, external: ExternalView, thresholds: Thresholds, now: float) -> Iterator[Finding]:
    """The federation name, then every address that serves it."""
    yield _check_alias(external)
    read = {host.host for host in farm.hosts if not host.error}
    for served in external.served:
        yield from _check_served(farm, external, served, served.host in read, thresholds, now)


def _check_alias(external: ExternalView) -> Finding:
    if not external.canonical_name:
        return passed("name", external.federation_name, "not an alias")
    seen = f"an alias (CNAME) of {external.canonical_name}: browsers ask for a Kerberos ticket for that name"
    return warned("name", external.federation_name, seen, "Make it an A or AAAA record.")


def _check_served(
    farm: Farm, external: ExternalView, served: Served, is_read: bool, thresholds: Thresholds, now: float
) -> Iterator[Finding]:
    where = host_label(served.host)
    yield _check_tls(where, served)
    if served.tls is not None and not is_read:
        yield check_ssl("ssl-certificate", where, served.tls, (external.federation_name,), thresholds, now)
    if served.tls is not None and served.unnamed is not None:
        port = served.port if farm.error else farm.properties.https_port
        yield _check_unnamed(external, where, port, served.tls.thumbprint, served.unnamed, now)
    yield _check_metadata(where, served)
    yield _check_probe(where, served)
    if served.milliseconds:
        yield _check_speed(where, served, thresholds)
    if served.clock_skew is not None and not is_read:
        yield check_clock(where, served.clock_skew, thresholds)


def _check_tls(where: str, served: Served) -> Finding:
    if served.tls is None:
        return failed(
            "tls",
            where,
            _error(served, "TLS"),
            "Check that the service is running, the port is open and the certificate is bound.",
        )
    if not served.tls_problem:
        return passed("tls", where, "this machine accepts it")
    if "issuer" in served.tls_problem:
        remedy = (
            "If users' devices trust its CA, set `tls_ca_file` to it; otherwise make the server "
            "send the intermediate certificates, too."
        )
        return warned("tls", where, served.tls_problem, remedy)
    return failed("tls", where, served.tls_problem, "Renew it: isthmus adfs ssl plan.")


def _check_unnamed(external: ExternalView, where: str, port: int, named: str, unnamed: str, now: float) -> Finding:
    """Clients without SNI get the certificate of the row for an address, which no renewal by AD FS's cmdlets touches."""
    name = "tls-without-name"
    netsh = f"sslcert ipport=0.0.0.0:{port} certhash=… appid=… certstorename=MY (appid as in netsh http show sslcert)"
    if not unnamed:
        seen = "clients that send no server name (SNI), such as health probes of load balancers, get no certificate"
        remedy = f"If you have such clients: netsh http add {netsh}."
        return warned(name, where, seen, remedy)
    if unnamed == named:
        return passed(name, where, "clients that send no server name get the same certificate")
    other = external.certificates[unnamed]
    finding = failed if other.ended(now) else warned
    seen = f"clients that send no server name get another certificate, {end_text(other, now)}"
    return finding(name, where, seen, f"A renewal probably missed it: netsh http update {netsh}.")


def _check_metadata(where: str, served: Served) -> Finding:
    if not served.signing:
        return failed(
            "metadata",
            where,
            _error(served, "metadata"),
            "Check that the endpoint is enabled (and, on a proxy, offered through it) and the service is running.",
        )
    if not served.signed_by:
        remedy = "A device between here and AD FS changes it, or AD FS cannot use its private key."
        return failed("metadata", where, _error(served, "metadata"), remedy)
    return passed("metadata", where, f"{len(served.signing)} token-signing certificate(s), signed")


def _check_probe(where: str, served: Served) -> Finding:
    if served.probe_ok:
        return passed("probe", where, "/adfs/probe answers")
    return failed(
        "probe", where, _error(served, "probe"), "Load balancers stop using this host: start the service, open port 80."
    )


def _check_speed(where: str, served: Served, thresholds: Thresholds) -> Finding:
    seen = f"metadata took {served.milliseconds:.0f} ms"
    if served.milliseconds <= thresholds.slow_milliseconds:
        return passed("speed", where, seen)
    return warned("speed", where, seen, "Check the load, the connection between proxy and node, and the database.")


def _error(served: Served, part: ServedPart) -> str:
    return served.errors.get(part, "nothing was served")
