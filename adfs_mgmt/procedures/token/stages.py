"""Rolling token-signing and token-decrypting certificates, stage by stage, there and back. Pure.

    AD FS makes it:   create ─► freeze ─────────────────────┐
    it was supplied:  freeze ─► import ─► grant ─► add ─────┴─► appear ─► publish ─► verify ─► approve ─► promote ─► spread
                                                                                                    │
          withdraw ◄─ restore ◄─ remove ◄─ retire (a person says so) ◄─ soak ◄─ serve ◄─ restart ◄──┘

    back to published:  demote ─► spread back ─► restart back ─► serve previous   the old one is in use, the new one is known
    back to the start:  … ─► grace period ─► withdraw new ─► remove new ─► unfreeze                                as it was

Until `remove` there is a way back. `restore` comes before `withdraw`: should Entra ID refuse for long, AD FS looks after its
certificates again all the same. On the way back every row looks at the farm, so that rows whose work was never done are over
immediately; and the old certificate comes back into use with nothing but the primary within reach. Numbers are those of the
procedure in the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adfs_mgmt.farm import Node, Use
from adfs_mgmt.procedures import acts, checks
from adfs_mgmt.procedures.restart import restarted
from adfs_mgmt.procedures.token import arrival, certificates, schedule
from adfs_mgmt.procedures.token.arrival import to_start
from adfs_mgmt.procedures.token.state import NEW, TokenRolloverView, TokenState, agreed, with_placeholders
from adfs_mgmt.procedures.view import RolloverPolicy, converging, of_running
from certs import KeyAction
from foundation.procedures import Condition, Procedure, Record, Rollback, Stage, gate, label
from foundation.times import DAY

View = TokenRolloverView[TokenState]
_PROMOTE = "Approve the promotion of the new certificate: isthmus adfs rollover promote"
_RETIRE = "Approve the removal of the old certificate (no rollback after that): isthmus adfs rollover retire"
_UNSAID = "an administrator must approve this"


# -- appear


def _appeared(view: View) -> list[Condition]:
    found = []
    for use in view.uses:
        wanted = {view.old(use): True, view.new(use): False}
        text = f"does not show exactly {view.old(use)} (primary) and {view.new(use)} for {use.value}"
        found += certificates.on_nodes(view, _shows(use, wanted), text, ("create", "add"))
        if use is Use.SIGNING:
            found += _in_metadata(view, set(wanted))
    return found


def _shows(use: Use, wanted: Mapping[str, bool]) -> Callable[[Node], bool]:
    return lambda node: {row.certificate.thumbprint: row.is_primary for row in certificates.rows(node, use)} == wanted


def _in_metadata(view: View, wanted: set[str]) -> list[Condition]:
    text = f"its metadata does not have both {Use.SIGNING} certificates"
    shown = {host: set(row.signing) for host, row in view.served.items()}
    return [Condition.of(shown.get(node.host, set()) >= wanted, node.host, text) for node in view.farm.nodes]


def _fit(view: View) -> list[str]:
    """Looked at again before promotion: a plan may be old, and partners may take months."""
    return [
        problem
        for use in view.uses
        if (certificate := view.observed.certificate(view.new(use)))
        for problem in checks.fit(certificate, use, view.now)
    ]


# -- 3 publish, 4 verify


def tells_entra(view: TokenRolloverView[Any]) -> bool:
    """Whether there are federated domains to be told (or there may be, but they could not be read)."""
    return view.signing and bool(view.observed.domains or view.observed.problems)


def _domains_have(view: View, thumbprint: str, keep: str = "") -> list[Condition]:
    """Every federated domain has it. With `keep`, it can be published beside that."""
    found = []
    for domain in view.observed.domains:
        act = acts.publish(domain.name, thumbprint, keep) if keep else None
        has = thumbprint in domain.certificates
        found.append(Condition.of(has, f"domain {domain.name}", f"does not have {thumbprint}", act))
    return found


def _domains_without(view: View, thumbprint: str, keep: str) -> list[Condition]:
    found = []
    for domain in view.observed.domains:
        act, gone = acts.withdraw(domain.name, thumbprint, keep), thumbprint not in domain.certificates
        found.append(Condition.of(gone, f"domain {domain.name}", f"still has {thumbprint}", act))
    return found


def _published(view: View) -> list[Condition]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING)
    return [*_domains_have(view, old), *_domains_have(view, new, keep=old)]


def _publish_refuses(view: View) -> list[str]:
    if not view.signing:
        return _steady_and_read(view)
    consequence = ", so no user of that domain can sign in; rebuild that trust first"
    return [*_steady_and_read(view), *_domains_lack(view, view.old(Use.SIGNING), consequence)]


def _domains_lack(view: View, thumbprint: str, consequence: str = "; rebuild that trust") -> list[str]:
    """Each domain that could not do without another certificate now."""
    return [
        f"domain {domain.name} does not have {thumbprint}, which signs now{consequence} (`isthmus adfs trust update`)"
        for domain in view.observed.domains
        if thumbprint not in domain.certificates
    ]


def _withdraw_again_refuses(view: View) -> list[str]:
    old = view.old(Use.SIGNING)
    needed = certificates.needed_at_entra(view, view.new(Use.SIGNING), old)
    return [*checks.trust_read(view), *needed, *_domains_lack(view, old)]


def _not_due(view: View, action: KeyAction) -> list[Condition]:
    return [Condition("", problem) for problem in schedule.not_due(view, action)]


def _verified(view: View) -> list[Condition]:
    """A domain that has lost the new certificate meanwhile gets it again."""
    wait = _not_due(view, KeyAction.PROMOTE)
    return [*_lost_again(view), *wait] if wait else []


def _lost_again(view: View) -> list[Condition]:
    return _domains_have(view, view.new(Use.SIGNING), keep=view.old(Use.SIGNING)) if tells_entra(view) else []


def _steady_and_read(view: View) -> list[str]:
    return [*certificates.steady(view), *checks.trust_read(view)]


# -- 5 promote, 6 converge


def _promoted(view: View) -> list[Condition]:
    """A domain that has lost the new certificate meanwhile gets it again first, unless there is no time for that."""
    primary = _in_use(view, view.new)
    if lost := _to_publish_first(view):
        return [*lost, *(Condition(condition.where, condition.problem) for condition in primary)]
    return primary


def _to_publish_first(view: View) -> list[Condition]:
    if schedule.critical(view):
        return []
    return [condition for condition in _lost_again(view) if condition.problem]


def _promote_refuses(view: View) -> list[str]:
    wrong = [*_publish_refuses(view), *_fit(view)]
    return [*wrong, *([] if _to_publish_first(view) else schedule.not_due(view, KeyAction.PROMOTE))]


def _in_use(view: View, wanted: Callable[[Use], str]) -> list[Condition]:
    """On the primary. `wanted`: the thumbprint of each use."""
    return [certificates.is_primary(view, use, wanted(use)) for use in view.uses]


def _was_promoted(view: View) -> bool:
    """Whether the new certificate is or may have been in use, whoever promoted it (AD FS itself, or another administrator):
    nodes and tokens in flight know it."""
    now = (bool(view.new(use)) and _primary(view, use) == view.new(use) for use in view.uses)
    return view.record.touched("promote", "demote") or any(now)


def _primary(view: View, use: Use) -> str:
    return certificates.primary_of(view.farm.primary, use)


def harm(view: View) -> list[str]:
    """Why going back would stop sign-in."""
    return [problem for use in view.uses for problem in checks.usable_again(view, view.old(use), use.value)]


def _demote_refuses(view: View) -> list[str]:
    if view.farm.primary is None:
        return checks.has_primary(view)
    return harm(view) + [
        f"the old {use.value} certificate {view.old(use)} has been removed from the farm, so a rollback is not possible"
        for use in view.uses
        if not certificates.has(view.farm.primary, use, view.old(use))
    ]


def _in_use_everywhere(view: View, wanted: Callable[[Use], str], since: str) -> list[Condition]:
    """On every node, since the stage `since`."""
    found = (certificates.primary_everywhere(view, use, wanted(use), since) for use in view.uses)
    return [condition for conditions in found for condition in conditions]


def _served(view: View) -> list[Condition]:
    found = certificates.signed_by(view, view.new(Use.SIGNING)) if view.signing else []
    signs = {condition.where for condition in found if not condition.problem}
    if Use.DECRYPTING not in view.uses:
        return found
    new = view.new(Use.DECRYPTING)
    return [
        *found,
        *(
            Condition(node.host, f"its metadata does not offer {new} for encryption yet")
            for node in view.farm.nodes
            if (node.host in signs or not found) and not certificates.shows_metadata(view, node.host, Use.DECRYPTING, new)
        ),
    ]


# -- 7 soak, 8 retire


def _grace_ends(view: View) -> float:
    return view.record.completed.get("serve previous", view.now) + view.policy.keys.retire_after


def _grace_over(view: View) -> list[Condition]:
    text = "tokens signed with the new certificate may still be accepted"
    return [Condition("", text if view.now < _grace_ends(view) else "")]


def _intact_or_removed(view: View) -> list[str]:
    intact = certificates.intact(view, old_needed=False)
    return [*checks.reachable(view), *checks.clocks(view), *intact, *certificates.frozen(view)]


def _removed(view: View) -> list[Condition]:
    return [condition for use in view.uses for condition in certificates.gone_everywhere(view, use, view.old(use), "remove")]


def _remove_refuses(view: View) -> list[str]:
    left = any(certificates.has(view.farm.primary, use, view.old(use)) for use in view.uses)
    wrong = [*_intact_or_removed(view), *(_ready_at_entra(view) if left else [])]
    return wrong + [
        f"{view.new(use)} is no longer primary for {use.value}; roll back or promote it again first"
        for use in view.uses
        if _primary(view, use) != view.new(use)
    ]


def _ready_at_entra(view: View) -> list[str]:
    """Before the last step from which there is a way back: every domain can do without the old certificate."""
    return [*checks.trust_read(view), *_domains_lack(view, view.new(Use.SIGNING))] if tells_entra(view) else []


def _withdraw_refuses(view: View) -> list[str]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING)
    return [*certificates.needed_at_entra(view, old, new), *_ready_at_entra(view)]


def _restore_notes(view: View) -> list[str]:
    if view.state.auto and not view.state.auto_after:
        return [
            "AutoCertificateRollover was on and stays off: AD FS would replace the supplied certificate with one of its own"
        ]
    return []


STAGES: tuple[Stage[View], ...] = (
    *arrival.STAGES,
    Stage(
        **label(
            "appear",
            "check that every node has it",
            "every node has exactly two certificates for each use, the new one is secondary, and "
            "both are in the node's metadata",
            1,
        ),
        conditions=_appeared,
        refuses=lambda view: [*certificates.steady(view), *_fit(view), *checks.seen_from_outside(view)],
        patience=converging,
    ),
    Stage(
        **label("publish", "publish it to Entra ID", "every federated domain has both certificates (read back)", 3),
        conditions=_published,
        refuses=_publish_refuses,
        applies=tells_entra,
        notes=schedule.partner_notes,
        back=Stage(
            **label(
                "withdraw new",
                "remove it from Entra ID",
                "no federated domain has the new certificate, and all have the old one",
            ),
            conditions=lambda view: _domains_without(view, view.new(Use.SIGNING) or NEW, view.old(Use.SIGNING)),
            refuses=_withdraw_again_refuses,
            applies=lambda view: to_start(view) and view.signing and bool(view.new(Use.SIGNING)),
        ),
    ),
    Stage(
        **label(
            "verify",
            "give partners time to update",
            "the waiting period is over, and every automatic or manual partner has the new certificate",
            4,
        ),
        conditions=_verified,
        foresees=lambda view: [],
        refuses=_publish_refuses,
        asks=schedule.questions,
        until=schedule.promotion_at,
        notes=lambda view: [*schedule.waiting_note(view), *schedule.partner_notes(view), *schedule.hurry_note(view)],
    ),
    Stage(
        **label("approve", "approve the promotion", "an administrator has approved it", 4),
        refuses=_steady_and_read,
        **gate(lambda view: {"promote": _PROMOTE}, _UNSAID),
    ),
    Stage(
        **label("promote", "promote the new certificate", "the new certificate is primary on the primary server", 5),
        conditions=_promoted,
        foresees=lambda view: _in_use(view, view.new),
        refuses=_promote_refuses,
        notes=schedule.hurry_note,
        back=Stage(
            **label(
                "demote", "make the old certificate primary again", "the old certificate is primary on the primary server"
            ),
            conditions=lambda view: certificates.by_hand(view, _in_use(view, view.old)),
            foresees=lambda view: _in_use(view, view.old),
            refuses=_demote_refuses,
            applies=_was_promoted,
        ),
    ),
    Stage(
        **label("spread", "wait for secondary servers to synchronise", "the new certificate is primary on every node", 6),
        conditions=lambda view: _in_use_everywhere(view, view.new, "promote"),
        refuses=checks.has_primary,
        patience=converging,
        back=Stage(
            **label(
                "spread back", "wait for secondary servers to synchronise", "the old certificate is primary on every node"
            ),
            conditions=lambda view: of_running(view, _in_use_everywhere(view, view.old, "demote")),
            refuses=checks.has_primary,
            patience=converging,
            applies=_was_promoted,
        ),
    ),
    restarted("restart", back=restarted("restart back", applies=_was_promoted)),
    Stage(
        **label("serve", "check that every node uses it", "every node's metadata is signed by the new certificate", 6),
        conditions=_served,
        applies=lambda view: view.signing,
        patience=converging,
        back=Stage(
            **label(
                "serve previous", "check that every node uses it", "every node's metadata is signed by the old certificate"
            ),
            conditions=lambda view: certificates.signed_by(view, view.old(Use.SIGNING)) if view.signing else [],
            patience=converging,
            applies=_was_promoted,
        ),
    ),
    Stage(
        **label(
            "soak",
            "keep the old certificate for a rollback",
            "tokens signed with the old certificate, or encrypted for it, are no longer accepted",
            7,
        ),
        conditions=lambda view: _not_due(view, KeyAction.RETIRE),
        refuses=_intact_or_removed,
        until=schedule.retirement_at,
        notes=lambda view: [f"for {view.policy.keys.retire_after / DAY:g} days; until then you can roll back"],
        back=Stage(
            **label(
                "grace period",
                "let tokens signed with the new certificate expire",
                "tokens signed with the new certificate, or encrypted for it, are no longer accepted",
            ),
            conditions=_grace_over,
            until=_grace_ends,
            applies=lambda view: to_start(view) and _was_promoted(view),
        ),
    ),
    Stage(
        **label("retire", "approve the removal of the old certificate", "an administrator has approved it", 8),
        refuses=_intact_or_removed,
        **gate(lambda view: {"retire": _RETIRE}, _UNSAID),
    ),
    Stage(
        **label("remove", "remove the old certificate from the farm (no rollback after this)", "no node has it", 8),
        conditions=_removed,
        refuses=_remove_refuses,
        patience=converging,
        final="the old certificate is being removed or is gone, so a rollback is not possible; apply completes the rest",
    ),
    arrival.restored(lambda view: view.state.auto_after, _restore_notes),
    Stage(
        **label(
            "withdraw",
            "remove the old certificate from Entra ID",
            "no federated domain has the old certificate, and all have the new one",
            8,
        ),
        conditions=lambda view: _domains_without(view, view.old(Use.SIGNING), view.new(Use.SIGNING)),
        refuses=_withdraw_refuses,
        applies=tells_entra,
    ),
)


def procedure(rules: RolloverPolicy) -> Procedure[View]:
    """By this policy, unless other times were agreed on at the start."""

    def view(observed: Any, record: Record[Any], now: float) -> View:
        return TokenRolloverView(observed, record, now, agreed(record.state, rules))

    return Procedure(
        kind="token",
        state=TokenState,
        stages=STAGES,
        view=view,
        back_order=(
            "demote",
            "spread back",
            "restart back",
            "serve previous",
            "grace period",
            "withdraw new",
            "remove new",
            "unfreeze",
        ),
        rollbacks=(Rollback(to="published", reopens=True), Rollback(to="start")),
        undone=("verify", "approve", "promote", "spread", "restart", "serve", "soak", "retire"),
        harm=harm,
        foreseen=with_placeholders,
    )
