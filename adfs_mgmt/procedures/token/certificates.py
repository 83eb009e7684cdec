"""Which node has which token certificate, and the commands that change it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adfs_mgmt.farm import FarmCertificate, Node, SyncRole, Use
from adfs_mgmt.procedures import checks
from adfs_mgmt.procedures.token.state import TokenRolloverView
from adfs_mgmt.procedures.view import SERVICE, FarmView
from adfs_mgmt.remoting import make_command
from foundation.procedures import Act, Condition

# -- commands


def update(view: FarmView[Any], use: Use, *, urgent: bool = False, name: str = "") -> Act:
    """AD FS makes a certificate by itself. Urgent: it is the primary one immediately."""
    command = make_command("Update-AdfsCertificate", CertificateType=use.value, Urgent=urgent)
    return Act(place=view.primary, what=command, name=name)


def add(view: FarmView[Any], use: Use, thumbprint: str) -> Act:
    """A certificate that is in every node's store becomes a secondary one."""
    return _of_farm(view, "Add-AdfsCertificate", CertificateType=use.value, Thumbprint=thumbprint)


def make_primary(view: FarmView[Any], use: Use, thumbprint: str) -> Act:
    """It is to sign or to decrypt."""
    return _of_farm(view, "Set-AdfsCertificate", CertificateType=use.value, Thumbprint=thumbprint, IsPrimary=True)


def remove(view: FarmView[Any], use: Use, thumbprint: str) -> Act:
    """It is no longer the farm's."""
    return _of_farm(view, "Remove-AdfsCertificate", CertificateType=use.value, Thumbprint=thumbprint)


def _of_farm(view: FarmView[Any], name: str, **parameters: Any) -> Act:
    return Act(place=view.primary, what=make_command(name, **parameters))


def grant(node: Node, thumbprint: str, account: str = "") -> Act:
    """The service account may read the key."""
    account = account or node.service_account or f"NT SERVICE\\{SERVICE}"
    return Act(place=node.host, what=make_command("Grant-IsthmusKeyAccess", Thumbprint=thumbprint, Account=account))


def auto_is(view: FarmView[Any], wanted: bool) -> Condition:
    """AutoCertificateRollover."""
    act = _of_farm(view, "Set-AdfsProperties", AutoCertificateRollover=wanted)
    is_so = view.farm.properties.auto_rollover == wanted
    return Condition(view.primary, "" if is_so else f"AutoCertificateRollover is {'off' if wanted else 'on'}", act)


def by_hand(view: FarmView[Any], found: list[Condition]) -> list[Condition]:
    """AD FS lets nobody choose or remove a certificate while it looks after them itself, should somebody have turned that on
    again."""
    due = any(condition.problem and condition.act for condition in found)
    return [auto_is(view, False), *found] if due else found


# -- who has what


def rows(node: Node | None, use: Use) -> list[FarmCertificate]:
    """What a node's configuration says."""
    return [row for row in node.certificates if row.use is use] if node else []


def thumbprints(node: Node | None, use: Use) -> tuple[str, ...]:
    """Of all of them, sorted."""
    return tuple(sorted(row.certificate.thumbprint for row in rows(node, use)))


def primary_of(node: Node | None, use: Use) -> str:
    """Thumbprint of the one in use; empty where there is none."""
    return next((row.certificate.thumbprint for row in rows(node, use) if row.is_primary), "")


def has(node: Node | None, use: Use, thumbprint: str) -> bool:
    """Whether a node knows it."""
    return any(row.certificate.thumbprint == thumbprint for row in rows(node, use))


def arrived(view: TokenRolloverView[Any], use: Use) -> list[str]:
    """Thumbprints that were not there when the work started."""
    known = view.state.known.get(use, ())
    return [row.certificate.thumbprint for row in rows(view.farm.primary, use) if row.certificate.thumbprint not in known]


def is_primary(view: TokenRolloverView[Any], use: Use, thumbprint: str) -> Condition:
    """On the node that takes changes."""
    holds, problem = primary_of(view.farm.primary, use) == thumbprint, f"{thumbprint} is not primary for {use.value}"
    return Condition.of(holds, view.primary, problem, make_primary(view, use, thumbprint))


def is_known(view: TokenRolloverView[Any], use: Use, thumbprint: str) -> Condition:
    """To the node that takes changes."""
    problem = f"the farm does not have {thumbprint} for {use}"
    return Condition.of(has(view.farm.primary, use, thumbprint), view.primary, problem, add(view, use, thumbprint))


def intact(view: TokenRolloverView[Any], *, old_needed: bool = True) -> list[str]:
    """Nobody else has meddled: the farm has the two certificates, no third, and the promotion clock stands still."""
    node, wrong = view.farm.primary, []
    if node is None:
        return checks.has_primary(view)
    for use in view.uses:
        old, new = view.old(use), view.new(use)
        if not has(node, use, new):
            wrong.append(f"the new {use.value} certificate {new} has been removed from the farm; roll back to the start")
        if old_needed and not has(node, use, old):
            wrong.append(f"the old {use.value} certificate {old} has been removed from the farm; add it again, or roll back")
        wrong += [
            f"the farm has a third {use.value} certificate, {row.certificate.thumbprint}; remove it, then apply"
            for row in rows(node, use)
            if row.certificate.thumbprint not in {old, new}
        ]
    return wrong


def frozen(view: FarmView[Any]) -> list[str]:
    """AutoCertificateRollover is still off."""
    if view.farm.properties.auto_rollover:
        return [
            "AutoCertificateRollover has been turned on, so AD FS may promote a certificate by itself; "
            "turn it off (Set-AdfsProperties -AutoCertificateRollover $false), then apply again"
        ]
    return []


def steady(view: TokenRolloverView[Any]) -> list[str]:
    """Preconditions of every stage between creating and retiring."""
    return [*checks.reachable(view), *checks.synchronised(view), *checks.clocks(view), *intact(view), *frozen(view)]


# -- nodes, after a change


def on_nodes(
    view: FarmView[Any], holds: Callable[[Node], bool], problem: str, changed_by: tuple[str, ...], act: Act | None = None
) -> list[Condition]:
    """Each node's configuration is as it should be, or was taken from the primary since these stages changed it (a secondary
    does not tell its configuration, PS0033, only when it last took it). `act`: of the primary, where it is not so there."""
    since, primary = view.record.changed_at(*changed_by), view.primary

    def wrong(node: Node) -> str:
        if node.error:
            return node.error
        if not node.certificates and not view.farm.properties.sql:
            followed = node.role is SyncRole.SECONDARY and node.last_sync_ok and (node.last_sync or 0.0) >= since
            return "" if followed else "has not polled the primary since the change"
        return "" if holds(node) else problem

    def condition(node: Node) -> Condition:
        text = wrong(node)
        return Condition(node.host, text, act if node.host == primary and text in {"", problem} else None)

    return [condition(node) for node in view.farm.nodes]


def primary_everywhere(view: TokenRolloverView[Any], use: Use, thumbprint: str, *changed_by: str) -> list[Condition]:
    """Every node has it as the one in use."""
    text = f"{thumbprint} is not primary for {use.value} yet"
    return on_nodes(view, lambda node: primary_of(node, use) == thumbprint, text, changed_by)


def gone_everywhere(view: TokenRolloverView[Any], use: Use, thumbprint: str, *changed_by: str) -> list[Condition]:
    """No node knows it any more; the act takes it out."""
    text = f"still has {thumbprint} for {use.value}"
    act = remove(view, use, thumbprint)
    return on_nodes(view, lambda node: not has(node, use, thumbprint), text, changed_by, act)


def shows_metadata(view: FarmView[Any], host: str, use: Use, thumbprint: str) -> bool:
    """Whether the node's metadata has the certificate. Only the primary one of those for encryption is in it."""
    row = view.served.get(host)
    return row is not None and thumbprint in (row.signing if use is Use.SIGNING else row.encryption)


def signed_by(view: FarmView[Any], thumbprint: str) -> list[Condition]:
    """Every node's metadata is signed with it."""
    signing = {host for host, row in view.served.items() if row.signed_by == thumbprint}
    text = f"its metadata is not signed by {thumbprint} yet"
    return [Condition.of(node.host in signing, node.host, text) for node in view.farm.nodes]


def needed_at_entra(view: TokenRolloverView[Any], thumbprint: str, instead: str) -> list[str]:
    """Why a token-signing certificate must not be taken out of Entra ID: another than `instead` signs, somewhere."""
    node = view.farm.primary
    if node is None:
        return checks.has_primary(view)
    now = primary_of(node, Use.SIGNING)
    wrong = []
    if now != instead:
        wrong.append(
            f"the farm signs with {now or 'an unknown certificate'}, not with {instead}: someone else "
            "is changing the farm. "
            "Find out who, then apply or roll back again"
        )
    hosts = {node.host for node in view.farm.nodes}
    return wrong + [
        f"node {host} still signs with {thumbprint}; make sure that it synchronises, restart its service, then apply again"
        for host, row in view.served.items()
        if host in hosts and row.signed_by == thumbprint
    ]
