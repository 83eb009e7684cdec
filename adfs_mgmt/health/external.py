"""Judgement on what anybody on the network sees. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from adfs_mgmt.farm.model import Farm, Outside, Served
from adfs_mgmt.health.check import Check, failed, passed, warned
from adfs_mgmt.health.rendering import name_of
from adfs_mgmt.health.servers import clock, ssl_check
from adfs_mgmt.health.settings import Thresholds


def judge_outside(farm: Farm, outside: Outside, thresholds: Thresholds, now: float) -> Iterator[Check]:
    """The federation name, then every address."""
    yield _alias(outside)
    read = {host.host for host in farm.hosts if not host.error}
    for served in outside.served:
        yield from _served(outside, served, served.host in read, thresholds, now)


def _alias(outside: Outside) -> Check:
    if not outside.canonical_name:
        return passed("name", outside.federation_name, "not an alias")
    seen = f"an alias (CNAME) of {outside.canonical_name}: browsers ask for a Kerberos ticket for that name"
    return warned("name", outside.federation_name, seen, "Make it an A or AAAA record.")


def _served(outside: Outside, served: Served, is_read: bool, thresholds: Thresholds, now: float) -> Iterator[Check]:
    where = name_of(served.host)
    yield _tls(where, served)
    if served.tls is not None and not is_read:
        yield ssl_check("ssl-certificate", where, served.tls, (outside.federation_name,), thresholds, now)
    yield _metadata(where, served)
    yield _probe(where, served)
    if served.milliseconds:
        yield _speed(where, served, thresholds)
    if served.clock_skew is not None and not is_read:
        yield clock(where, served.clock_skew, thresholds)


def _tls(where: str, served: Served) -> Check:
    if served.tls is None:
        return failed("tls", where, _error(served, "TLS"), "Is the service running, the port open, the certificate bound?")
    if not served.tls_problem:
        return passed("tls", where, "a client here accepts it")
    if "issuer" in served.tls_problem:
        remedy = (
            "Set `tls_ca_file` to its CA if people's devices know that one; else send the intermediate certificates, too."
        )
        return warned("tls", where, served.tls_problem, remedy)
    return failed("tls", where, served.tls_problem, "Renew it: isthmus adfs ssl plan.")


def _metadata(where: str, served: Served) -> Check:
    if not served.signing:
        return failed(
            "metadata", where, _error(served, "metadata"), "Is the endpoint enabled (and proxied), the service up?"
        )
    if not served.signed_by:
        remedy = "Something between here and AD FS changes it, or AD FS cannot use its key."
        return failed("metadata", where, _error(served, "metadata"), remedy)
    return passed("metadata", where, f"{len(served.signing)} token-signing certificate(s), signed")


def _probe(where: str, served: Served) -> Check:
    if served.probe_ok:
        return passed("probe", where, "/adfs/probe answers")
    return failed(
        "probe", where, _error(served, "probe"), "Load balancers take the host out: start the service, open port 80."
    )


def _speed(where: str, served: Served, thresholds: Thresholds) -> Check:
    seen = f"metadata took {served.milliseconds:.0f} ms"
    if served.milliseconds <= thresholds.slow_milliseconds:
        return passed("speed", where, seen)
    return warned("speed", where, seen, "Congestion: look at load, at the way between proxy and node, at the database.")


def _error(served: Served, part: str) -> str:
    """What went wrong with this part of the look."""
    found = [each.partition(": ")[2] for each in served.error.split("; ") if each.startswith(f"{part}: ")]
    return found[0] if found else "nothing was served"
