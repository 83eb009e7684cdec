"""Preconditions: each gives sentences that say what is wrong, where, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adfs_mgmt.farm import Node, Proxy, SyncRole, Use
from adfs_mgmt.procedures.view import FarmView
from certs import Certificate, Purpose, unfit_for
from foundation.times import DAY


def reachable(view: FarmView[Any]) -> list[str]:
    """Every node can be asked, and one takes changes."""
    return [*_unread(view.farm.nodes, "the farm"), *has_primary(view)]


def has_primary(view: FarmView[Any]) -> list[str]:
    """One node takes changes."""
    if view.farm.error:
        return [f"the farm cannot be read ({view.farm.error}); fix that first"]
    primaries = [node.host for node in view.farm.nodes if node.role is SyncRole.PRIMARY and not node.error]
    if not primaries:
        away = (
            "; ".join(f"{node.host}: {node.error}" for node in view.farm.nodes if node.error)
            or "no node reports that it is the primary"
        )
        return [
            f"no primary server can be reached ({away}), and secondary servers do not accept changes; bring the primary back"
        ]
    if len(primaries) > 1 and not view.farm.properties.sql:
        return [
            f"{' and '.join(primaries)} both report that they are the primary server; make all but one a secondary server"
        ]
    return []


def proxies_reachable(view: FarmView[Any]) -> list[str]:
    """Every proxy can be asked."""
    return _unread(view.farm.proxies, "the settings")


def _unread(hosts: Sequence[Node | Proxy], place: str) -> list[str]:
    return [
        f"{_name(host)} cannot be read ({host.error}); bring it back, or remove it from {place}, then apply again"
        for host in hosts
        if host.error
    ]


def _name(host: Node | Proxy) -> str:
    return f"{'node' if isinstance(host, Node) else 'proxy'} {host.host}"


def synchronised(view: FarmView[Any]) -> list[str]:
    """Secondaries have polled lately, and say that it went well."""
    wrong = []
    for node in view.farm.nodes:
        if node.error or node.role is not SyncRole.SECONDARY or view.farm.properties.sql:
            continue
        if node.last_sync is None:
            wrong.append(f"node {node.host} has never synchronised as far as is known; check its AD FS event log")
        elif not node.last_sync_ok:
            wrong.append(f"node {node.host}: its last synchronisation failed; check its AD FS event log, then apply again")
        elif (age := view.farm.read_at - node.last_sync) > view.policy.sync_seconds:
            wrong.append(
                f"node {node.host} last synchronised {age / 60:.0f} minutes ago (at most "
                f"{view.policy.sync_seconds / 60:.0f}); make sure that it can reach the primary on port 80"
            )
    return wrong


def clocks(view: FarmView[Any]) -> list[str]:
    """Clocks agree."""
    most, wrong = view.policy.clock_seconds, []
    for host in view.farm.hosts:
        if not host.error and host.clock_skew is None:
            wrong.append(f"{_name(host)} did not return its time (Get-Date), so its clock cannot be checked")
        elif not host.error and host.clock_skew is not None and abs(host.clock_skew) > most:
            wrong.append(
                f"{_name(host)}: its clock differs by {host.clock_skew:+.0f} s (at most {most:.0f}); correct it first"
            )
    return wrong


def seen_from_outside(view: FarmView[Any]) -> list[str]:
    """Every node's metadata can be looked at."""
    if view.observed.outside is None:
        return ["the farm was not observed from outside, so what its nodes serve cannot be checked"]
    wrong = []
    for node in view.farm.nodes:
        row = view.served.get(node.host)
        if row is None or not (row.signing or row.encryption):
            why, port = (row.error if row else "") or "nothing could be read there", view.farm.properties.https_port
            wrong.append(
                f"node {node.host}: its federation metadata cannot be read ({why}); make sure that "
                f"port {port} can be reached"
            )
    return wrong


def trust_read(view: FarmView[Any]) -> list[str]:
    """Entra ID and whatever else was asked has answered."""
    return [f"{problem}; fix that, then apply again" for problem in view.observed.problems]


def makes_certificates(view: FarmView[Any]) -> list[str]:
    """AD FS makes token certificates by itself."""
    if view.farm.properties.auto_rollover:
        return []
    return [
        "AutoCertificateRollover is off, and AD FS creates certificates only while it is on; supply one (PFX, CA, ACME), or "
        "turn it on (Set-AdfsProperties -AutoCertificateRollover $true)"
    ]


def start(view: FarmView[Any]) -> list[str]:
    """Everything that must hold before anything is touched."""
    return [*reachable(view), *synchronised(view), *clocks(view), *trust_read(view)]


# -- certificates


_PURPOSES: Mapping[Use, Purpose] = {Use.SIGNING: "signatures", Use.DECRYPTING: "encryption", Use.SSL: "tls"}


def fit(certificate: Certificate, use: Use, now: float, least: float = DAY) -> list[str]:
    """Whether a certificate can be used for that at all; `least`: seconds that it must still be valid."""
    return unfit_for(certificate, _PURPOSES[use], now, least)


def usable_again(view: FarmView[Any], thumbprint: str, where: str) -> list[str]:
    """Whether a certificate that a rollback would bring back is still worth something. One that was not seen may be."""
    certificate = view.observed.certificate(thumbprint)
    if certificate is None or not certificate.ended(view.now):
        return []
    return [
        f"the old certificate {thumbprint} ({where}) has expired, so that going back would stop sign-in. Continue with the "
        "new one (rollback --cancel where it is going back already), or roll over to another"
    ]
