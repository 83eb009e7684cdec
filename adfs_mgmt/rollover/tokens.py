"""What the stages of token-signing and token-decrypting rollovers have in common: who has what, partners, commands. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from adfs_mgmt.farm import FarmCertificate, Node, SyncRole, Use
from adfs_mgmt.remoting import make_command
from adfs_mgmt.rollover import checks
from adfs_mgmt.rollover.model import Act, Publish, Withdraw
from adfs_mgmt.rollover.stage import View
from certs import PartnerKind, policy
from certs.errors import RolloverRefused

NEW = "0" * 40
"""Stands for the thumbprint of a certificate that does not exist yet, in plans that are shown."""
ENTRA = "entra"
SERVICE = "adfssrv"


# -- commands


def update(view: View, use: Use, *, urgent: bool = False) -> Act:
    """AD FS makes a certificate by itself."""
    return Act(host=view.primary, what=make_command("Update-AdfsCertificate", CertificateType=use.value, Urgent=urgent))


def add(view: View, use: Use, thumbprint: str) -> Act:
    """A certificate that is in every node's store becomes a secondary one."""
    return Act(host=view.primary, what=make_command("Add-AdfsCertificate", CertificateType=use.value, Thumbprint=thumbprint))


def make_primary(view: View, use: Use, thumbprint: str) -> Act:
    """It signs or decrypts from now on."""
    command = make_command("Set-AdfsCertificate", CertificateType=use.value, Thumbprint=thumbprint, IsPrimary=True)
    return Act(host=view.primary, what=command)


def remove(view: View, use: Use, thumbprint: str) -> Act:
    """It is no longer the farm's."""
    return Act(
        host=view.primary, what=make_command("Remove-AdfsCertificate", CertificateType=use.value, Thumbprint=thumbprint)
    )


def set_auto(view: View, on: bool) -> Act:
    """AutoCertificateRollover."""
    return Act(host=view.primary, what=make_command("Set-AdfsProperties", AutoCertificateRollover=on))


def grant(node: Node, thumbprint: str, account: str = "") -> Act:
    """The service account may read the key."""
    account = account or node.service_account or f"NT SERVICE\\{SERVICE}"
    return Act(host=node.host, what=make_command("Grant-IsthmusKeyAccess", Thumbprint=thumbprint, Account=account))


def publish(domain: str, thumbprint: str, keep: str) -> Act:
    """Tell Entra ID of one more certificate."""
    return Act(host=ENTRA, what=Publish(domain=domain, thumbprint=thumbprint, keep=keep))


def withdraw(domain: str, thumbprint: str, keep: str) -> Act:
    """Tell Entra ID of one less."""
    return Act(host=ENTRA, what=Withdraw(domain=domain, thumbprint=thumbprint, keep=keep))


# -- who has what


def rows(node: Node | None, use: Use) -> list[FarmCertificate]:
    """What a node's configuration says."""
    return [row for row in node.certificates if row.use is use] if node else []


def primary_of(node: Node | None, use: Use) -> str:
    """Thumbprint of the one in use; empty where there is none."""
    return next((row.certificate.thumbprint for row in rows(node, use) if row.is_primary), "")


def has(node: Node | None, use: Use, thumbprint: str) -> bool:
    """Whether a node knows it."""
    return any(row.certificate.thumbprint == thumbprint for row in rows(node, use))


def arrived(view: View, use: Use) -> list[str]:
    """Thumbprints that were not there when the rollover began."""
    known = view.fact(f"known/{use.value}").split(",")
    return [row.certificate.thumbprint for row in rows(view.farm.primary, use) if row.certificate.thumbprint not in known]


def thumbprints(rows_: Sequence[FarmCertificate]) -> str:
    """For a fact."""
    return ",".join(sorted(row.certificate.thumbprint for row in rows_))


def intact(view: View, *, old_needed: bool = True) -> list[str]:
    """Nobody else has meddled: the farm has the two certificates, no third, and the promotion clock stands still."""
    node, wrong = view.farm.primary, []
    if node is None:
        return checks.primary(view)
    for use in view.uses:
        old, new = view.old(use), view.new(use)
        if not has(node, use, new):
            wrong.append(f"the new {use.value} certificate {new} has been taken out of the farm; roll back to the start")
        if old_needed and not has(node, use, old):
            wrong.append(f"the old {use.value} certificate {old} has been taken out of the farm; add it again, or roll back")
        wrong += [
            f"a third {use.value} certificate has come into the farm, {row.certificate.thumbprint}; remove it, then apply"
            for row in rows(node, use)
            if row.certificate.thumbprint not in {old, new}
        ]
    return wrong


def frozen(view: View) -> list[str]:
    """AutoCertificateRollover is still off."""
    if view.farm.properties.auto_rollover:
        return [
            "somebody has turned AutoCertificateRollover on, so that AD FS may promote by itself; "
            "turn it off (Set-AdfsProperties -AutoCertificateRollover $false), then apply again"
        ]
    return []


def steady(view: View) -> list[str]:
    """Preconditions of every stage between creating and retiring."""
    return [*checks.reachable(view), *checks.synchronised(view), *checks.clocks(view), *intact(view), *frozen(view)]


# -- nodes, after a change


def changed_at(view: View, *stages: str) -> float:
    """When these stages last changed the farm's configuration, as far as the journal knows."""
    times = [at for name, at in view.record.acted.items() if name.split(": ")[0] in stages]
    times += [at for name, at in view.record.held.items() if name in stages]
    if view.record.begun.split(": ")[0] in stages:
        times.append(view.record.begun_at)
    return max(times, default=view.record.started)


def follows(node: Node, since: float) -> bool:
    """Whether a secondary has polled since. It does not tell its configuration (PS0033), only when it last took it."""
    return node.role is SyncRole.SECONDARY and node.last_sync_ok and node.last_sync >= since


def nodes_without(view: View, holds: Callable[[Node], bool], what: str, *stages: str) -> list[str]:
    """Nodes whose configuration is not as it should be, or that have not taken it since these stages changed it."""
    since, wrong = changed_at(view, *stages), []
    for node in view.farm.nodes:
        if node.error:
            wrong.append(f"{node.host}: {node.error}")
        elif not node.certificates and not view.farm.properties.sql:
            wrong += [] if follows(node, since) else [f"{node.host}: has not polled the primary since the change"]
        elif not holds(node):
            wrong.append(f"{node.host}: {what}")
    return wrong


def not_primary_yet(view: View, use: Use, thumbprint: str, *stages: str) -> list[str]:
    """Nodes on which it is not the one in use."""
    text = f"{thumbprint} is not primary for {use.value} yet"
    return nodes_without(view, lambda node: primary_of(node, use) == thumbprint, text, *stages)


def still_there(view: View, use: Use, thumbprint: str, *stages: str) -> list[str]:
    """Nodes that still know it."""
    text = f"still has {thumbprint} for {use.value}"
    return nodes_without(view, lambda node: not has(node, use, thumbprint), text, *stages)


def shows_metadata(view: View, host: str, use: Use, thumbprint: str) -> bool:
    """Whether the node's metadata has the certificate. Only the primary one of those for encryption is in it."""
    row = view.served.get(host)
    return row is not None and thumbprint in (row.signing if use is Use.SIGNING else row.encryption)


def signs(view: View, host: str, thumbprint: str) -> bool:
    """Whether the node's metadata is signed with it."""
    row = view.served.get(host)
    return row is not None and row.signed_by == thumbprint


def needed_at_entra(view: View, thumbprint: str, instead: str) -> list[str]:
    """Why a token-signing certificate must not be taken out of Entra ID: another than `instead` signs, somewhere."""
    node = view.farm.primary
    if node is None:
        return checks.primary(view)
    now = primary_of(node, Use.SIGNING)
    wrong = []
    if now != instead:
        wrong.append(
            f"the farm signs with {now or 'a certificate that is not known'}, not with {instead}: somebody else is at work. "
            "Find out who; then apply again, or say again to roll back"
        )
    hosts = {each.host for each in view.farm.nodes}
    return wrong + [
        f"node {host} still signs with {thumbprint}; see that it synchronises, restart its service, then apply again"
        for host, row in view.served.items()
        if host in hosts and row.signed_by == thumbprint
    ]


# -- partners, and when what is due


def lagging(view: View) -> dict[str, str]:
    """Known partners that do not know the new certificate, and why we think so. Unknown ones hold nothing up."""
    if Use.SIGNING not in view.uses:
        return {}
    new = view.new(Use.SIGNING)
    late = {
        f"domain {each.name}": "Entra ID does not have it" for each in view.snapshot.domains if new not in each.certificates
    }
    for partner in view.snapshot.partners:
        told = new in partner.knows or partner.name in view.record.acknowledged
        if partner.kind is PartnerKind.MANUAL and not told:
            late[partner.name] = "nobody has said that it was told"
    return late


def key_policy(view: View, use: Use) -> policy.Policy:
    """The policy, with a waiting time that is at least the slowest partner's refresh.

    Nobody needs a new token-decrypting certificate in advance: the old one goes on decrypting.
    """
    if use is not Use.SIGNING:
        return replace(view.policy.keys, publish_for=0.0)
    slowest = max((each.refresh for each in view.snapshot.partners if each.kind is PartnerKind.AUTOMATIC), default=0.0)
    return replace(view.policy.keys, publish_for=max(view.policy.keys.publish_for, slowest))


def published_at(view: View) -> float:
    """When the last partner that we can tell had been told."""
    return max(view.record.held.get("appear", math.inf), view.record.held.get("publish", 0.0))


def keys(view: View, use: Use) -> list[policy.KeyRecord]:
    """Old and new, in the words of the state machine that every key has."""
    promoted = view.record.held.get("serve", 0.0)
    in_use = primary_of(view.farm.primary, use) == view.new(use)
    published = published_at(view)
    waiting = frozenset(lagging(view)) if use is Use.SIGNING else frozenset()
    states = policy.KeyState
    old = policy.KeyRecord(
        id=view.old(use),
        state=states.RETIRING if in_use else states.ACTIVE,
        not_after=_end(view, view.old(use)),
        since=promoted or view.now,
    )
    new = policy.KeyRecord(
        id=view.new(use),
        state=states.ACTIVE if in_use else states.PUBLISHED if published < math.inf else states.NEXT,
        not_after=_end(view, view.new(use)),
        since=promoted if in_use else published,
        waiting_for=frozenset() if in_use else waiting,
    )
    return [old, new]


def not_due(view: View, action: policy.Action) -> list[str]:
    """Why promotion or retirement must not be done now, for each certificate that it has not been done to yet."""
    wrong = []
    for use in view.uses:
        key = view.new(use) if action is policy.Action.PROMOTE else view.old(use)
        records, rules = keys(view, use), key_policy(view, use)
        if any(step.action is action and step.key == key for step in policy.due(records, rules, view.now)):
            continue
        try:
            policy.apply(records, policy.Step(action=action, key=key, why=""), rules, view.now)
        except RolloverRefused as refused:
            if action is policy.Action.PROMOTE and records[1].state is policy.KeyState.ACTIVE:
                continue
            wrong.append(f"{use.value}: {refused.problem}")
        else:
            wrong.append(f"{use.value}: the time until it may be done has not passed yet")
    return wrong


def promotion_at(view: View) -> float:
    """When partners will have had their time."""
    return max((published_at(view) + key_policy(view, use).publish_for for use in view.uses), default=0.0)


def retirement_at(view: View) -> float:
    """When nothing that the old certificate signed is accepted any more."""
    return view.record.held.get("serve", view.now) + view.policy.keys.retire_after


def critical(view: View) -> bool:
    """Whether an old certificate is about to end, so that waiting for partners no longer helps them."""
    return any(view.now >= _end(view, view.old(use)) - view.policy.keys.critical for use in view.uses)


def _end(view: View, thumbprint: str) -> float:
    """Infinity where it is not known: never a reason to hurry."""
    certificate = view.snapshot.certificate(thumbprint)
    return (certificate.not_after if certificate else 0.0) or math.inf


def waiting_note(view: View) -> list[str]:
    """How long partners get."""
    longest = max(key_policy(view, use).publish_for for use in view.uses)
    return [f"at least {longest / checks.DAY:g} days from publication"]


def partner_notes(view: View) -> list[str]:
    """What a plan says about partners."""
    if Use.SIGNING not in view.uses:
        return []
    unknown = [each.name for each in view.snapshot.partners if each.kind is PartnerKind.UNKNOWN]
    late = lagging(view)
    manual = [each.name for each in view.snapshot.partners if each.kind is PartnerKind.MANUAL and each.name in late]
    notes = []
    if manual:
        notes.append(f"to be told by a person: {', '.join(manual)}")
    if unknown:
        notes.append(
            f"nobody has said how these learn of a new certificate, and nothing waits for them: {', '.join(unknown)}"
        )
    return notes
