"""Rolling token-signing and token-decrypting certificates, stage by stage. Pure.

    AD FS makes it:   create ─► freeze ─────────────────────┐
    it was supplied:  freeze ─► import ─► grant ─► add ─────┴─► appear ─► publish ─► verify ─► approve ─► promote ─► spread
                                                                                                    │
          withdraw ◄─ restore ◄─ remove ◄─ retire (a person says so) ◄─ soak ◄─ serve ◄─ restart ◄──┘

Until `remove` there is a way back (`steps_back`). `restore` comes before `withdraw`: should Entra ID refuse for long, AD FS
looks after its certificates again all the same. Numbers are those of the procedure in the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adfs_mgmt.farm import Node, Use
from adfs_mgmt.rollover import checks, tokens
from adfs_mgmt.rollover.model import Act
from adfs_mgmt.rollover.restarting import restarted
from adfs_mgmt.rollover.stage import Stage, View, converging
from adfs_mgmt.rollover.steps_arrival import CREATE, FREEZE, IMPORT_AND_ADD, supplied
from certs import policy

# -- appear


def _appear_missing(view: View) -> list[str]:
    wrong = []
    for use in view.uses:
        wanted = {view.old(use): True, view.new(use): False}
        text = f"does not show exactly {view.old(use)} (primary) and {view.new(use)} for {use.value}"
        wrong += tokens.nodes_without(view, _shows(use, wanted), text, "create", "add")
        if use is Use.SIGNING:
            wrong += _metadata_lacks(view, sorted(wanted))
    return wrong


def _shows(use: Use, wanted: Mapping[str, bool]) -> Callable[[Node], bool]:
    return lambda node: {row.certificate.thumbprint: row.is_primary for row in tokens.rows(node, use)} == wanted


def _metadata_lacks(view: View, wanted: list[str]) -> list[str]:
    return [
        f"{node.host}: its metadata does not have both {Use.SIGNING.value} certificates"
        for node in view.farm.nodes
        if not all(tokens.shows_metadata(view, node.host, Use.SIGNING, each) for each in wanted)
    ]


def _appear_refuses(view: View) -> list[str]:
    return [*tokens.steady(view), *_fit(view), *checks.seen_from_outside(view)]


def _fit(view: View) -> list[str]:
    """Looked at again before promotion: a plan may be old, and partners may take months."""
    return [
        problem
        for use in view.uses
        if (certificate := view.snapshot.certificate(view.new(use)))
        for problem in checks.fit(certificate, use, view.now)
    ]


# -- 3 publish, 4 verify


def tells_entra(view: View) -> bool:
    """Whether there are federated domains to be told (or there may be, but they could not be read)."""
    return Use.SIGNING in view.uses and bool(view.snapshot.domains or view.snapshot.problems)


def _publish_missing(view: View) -> list[str]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING)
    return [
        f"domain {domain.name} does not have {each}"
        for domain in view.snapshot.domains
        for each in (old, new)
        if each not in domain.certificates
    ]


def _publish_acts(view: View) -> tuple[Act, ...]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING)
    return tuple(tokens.publish(each.name, new, old) for each in view.snapshot.domains if new not in each.certificates)


def _publish_refuses(view: View) -> list[str]:
    if Use.SIGNING not in view.uses:
        return _steady_and_read(view)
    old = view.old(Use.SIGNING)
    lost = [
        f"domain {domain.name} does not have {old}, which signs now, so that nobody there can sign in; "
        "rebuild that trust first (`isthmus adfs trust update`)"
        for domain in view.snapshot.domains
        if old not in domain.certificates
    ]
    return [*tokens.steady(view), *checks.trust_read(view), *lost]


def _unpublish(view: View) -> tuple[Act, ...]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING) or tokens.NEW
    return tuple(tokens.withdraw(each.name, new, old) for each in view.snapshot.domains)


def _verify_missing(view: View) -> list[str]:
    return tokens.not_due(view, policy.Action.PROMOTE)


def _verify_asks(view: View) -> dict[str, str]:
    if tokens.critical(view):
        return {}
    manual = {partner.name for partner in view.snapshot.partners}
    return {
        name: f"Tell {name} of the new certificate, then acknowledge it ({why})"
        for name, why in tokens.lagging(view).items()
        if name in manual
    }


def _lag_notes(view: View) -> list[str]:
    late = tokens.lagging(view)
    if late and tokens.critical(view):
        return [f"the old certificate is about to end, so nothing waits any more for {', '.join(late)}"]
    return []


def _steady_and_read(view: View) -> list[str]:
    return [*tokens.steady(view), *checks.trust_read(view)]


def gate(name: str, text: str) -> dict[str, object]:
    """Of a stage that only waits for a person's word."""

    def missing(view: View) -> list[str]:
        return [] if name in view.record.acknowledged else ["a person must say so"]

    def asks(view: View) -> dict[str, str]:
        return {name: text}

    return {"missing": missing, "asks": asks}


# -- 5 promote, 6 converge


def _promote_missing(view: View) -> list[str]:
    return [
        f"{view.new(use)} is not primary for {use.value}"
        for use in view.uses
        if tokens.primary_of(view.farm.primary, use) != view.new(use)
    ]


def _promote_acts(view: View) -> tuple[Act, ...]:
    """A domain that has lost the new certificate meanwhile gets it again first."""
    lost = _lost_again(view)
    return lost or _make_primary(view)


def _make_primary(view: View) -> tuple[Act, ...]:
    late = [use for use in view.uses if tokens.primary_of(view.farm.primary, use) != view.new(use)]
    return tuple(tokens.make_primary(view, use, view.new(use)) for use in late)


def _lost_again(view: View) -> tuple[Act, ...]:
    return _publish_acts(view) if tells_entra(view) and not tokens.critical(view) else ()


def _promote_refuses(view: View) -> list[str]:
    wrong = [*_publish_refuses(view), *_fit(view)]
    return [*wrong, *([] if _lost_again(view) else tokens.not_due(view, policy.Action.PROMOTE))]


def _demote(view: View) -> tuple[Act, ...]:
    return tuple(tokens.make_primary(view, use, view.old(use)) for use in view.uses)


def _spread_missing(view: View) -> list[str]:
    return [problem for use in view.uses for problem in tokens.not_primary_yet(view, use, view.new(use), "promote")]


def _serve_missing(view: View) -> list[str]:
    wrong = []
    for node in view.farm.nodes:
        if Use.SIGNING in view.uses and not tokens.signs(view, node.host, view.new(Use.SIGNING)):
            wrong.append(f"{node.host}: its metadata is not signed by {view.new(Use.SIGNING)} yet")
        elif Use.DECRYPTING in view.uses and not tokens.shows_metadata(
            view, node.host, Use.DECRYPTING, view.new(Use.DECRYPTING)
        ):
            wrong.append(f"{node.host}: its metadata does not offer {view.new(Use.DECRYPTING)} for encryption yet")
    return wrong


# -- 7 soak, 8 retire


def _soak_missing(view: View) -> list[str]:
    return tokens.not_due(view, policy.Action.RETIRE)


def _intact_or_removed(view: View) -> list[str]:
    return [*checks.reachable(view), *checks.clocks(view), *tokens.intact(view, old_needed=False), *tokens.frozen(view)]


def _remove_missing(view: View) -> list[str]:
    return [problem for use in view.uses for problem in tokens.still_there(view, use, view.old(use), "remove")]


def _remove_acts(view: View) -> tuple[Act, ...]:
    left = [use for use in view.uses if tokens.has(view.farm.primary, use, view.old(use))]
    return tuple(tokens.remove(view, use, view.old(use)) for use in left)


def _remove_refuses(view: View) -> list[str]:
    wrong = [*_intact_or_removed(view), *(_ready_at_entra(view) if _remove_acts(view) else [])]
    for use in view.uses:
        if tokens.primary_of(view.farm.primary, use) != view.new(use):
            wrong.append(f"{view.new(use)} is not primary for {use.value} any more; roll back or promote it again first")
    return wrong


def _withdraw_missing(view: View) -> list[str]:
    old = view.old(Use.SIGNING)
    return [f"domain {each.name} still has {old}" for each in view.snapshot.domains if old in each.certificates]


def _withdraw_acts(view: View) -> tuple[Act, ...]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING)
    return tuple(tokens.withdraw(each.name, old, new) for each in view.snapshot.domains if old in each.certificates)


def _ready_at_entra(view: View) -> list[str]:
    """Before the last step from which there is a way back: every domain can do without the old certificate."""
    if not tells_entra(view):
        return []
    new = view.new(Use.SIGNING)
    lost = [
        f"domain {each.name} does not have {new}, which signs now; rebuild that trust (`isthmus adfs trust update`)"
        for each in view.snapshot.domains
        if new not in each.certificates
    ]
    return [*checks.trust_read(view), *lost]


def _withdraw_refuses(view: View) -> list[str]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING)
    return [*tokens.needed_at_entra(view, old, new), *_ready_at_entra(view)]


def _restore_missing(view: View) -> list[str]:
    wanted = view.fact("auto_after") == "on"
    if view.farm.properties.auto_rollover == wanted:
        return []
    return [f"AutoCertificateRollover is {'off' if wanted else 'on'}"]


def _restore_acts(view: View) -> tuple[Act, ...]:
    return (tokens.set_auto(view, view.fact("auto_after") == "on"),)


def _restore_notes(view: View) -> list[str]:
    if view.fact("auto") == "on" and view.fact("auto_after") == "off":
        return [
            "AutoCertificateRollover was on and stays off: AD FS would replace the supplied certificate by one of its own"
        ]
    return []


def _foresee_restore(view: View) -> tuple[Act, ...]:
    return (tokens.set_auto(view, True),) if view.fact("auto_after") == "on" else ()


_COMMON = (
    Stage(
        name="appear",
        number=1,
        title="see it on every node",
        promise="every node has exactly two certificates for each use, the new one not primary, both in its metadata",
        missing=_appear_missing,
        refuses=_appear_refuses,
        patience=converging,
    ),
    Stage(
        name="publish",
        number=3,
        title="tell Entra ID",
        promise="every federated domain has both certificates (read back)",
        missing=_publish_missing,
        refuses=_publish_refuses,
        acts=_publish_acts,
        undo=_unpublish,
        applies=tells_entra,
        notes=tokens.partner_notes,
    ),
    Stage(
        name="verify",
        number=4,
        title="give partners their time",
        promise="the waiting time is over, and every known partner has the new certificate",
        missing=_verify_missing,
        refuses=_publish_refuses,
        acts=lambda view: _publish_acts(view) if tells_entra(view) else (),
        foresees=lambda view: (),  # a domain that has lost the new certificate meanwhile gets it again
        asks=_verify_asks,
        until=tokens.promotion_at,
        notes=lambda view: [*tokens.waiting_note(view), *tokens.partner_notes(view), *_lag_notes(view)],
    ),
    Stage(
        name="approve",
        number=4,
        title="a person says: promote",
        promise="somebody has said so",
        refuses=_steady_and_read,
        **gate("promote", "Say that the new certificate may come into use: isthmus adfs rollover promote"),  # type: ignore[arg-type]
    ),
    Stage(
        name="promote",
        number=5,
        title="the new certificate comes into use",
        promise="on the primary the new certificate is the primary one",
        missing=_promote_missing,
        refuses=_promote_refuses,
        acts=_promote_acts,
        foresees=_make_primary,
        undo=_demote,
        notes=_lag_notes,
    ),
    Stage(
        name="spread",
        number=6,
        title="secondaries follow",
        promise="on every node the new certificate is the primary one",
        missing=_spread_missing,
        refuses=checks.primary,
        patience=converging,
    ),
    restarted("restart"),
    Stage(
        name="serve",
        number=6,
        title="see that every node uses it",
        promise="every node's metadata is signed by the new certificate",
        missing=_serve_missing,
        patience=converging,
    ),
    Stage(
        name="soak",
        number=7,
        title="keep the way back open",
        promise="nothing that the old certificate signed is accepted any more",
        missing=_soak_missing,
        refuses=_intact_or_removed,
        until=tokens.retirement_at,
        notes=lambda view: [f"for {view.policy.keys.retire_after / checks.DAY:g} days; until then there is a way back"],
    ),
    Stage(
        name="retire",
        number=8,
        title="a person says: retire the old one",
        promise="somebody has said so",
        refuses=_intact_or_removed,
        **gate(
            "retire", "Say that the old certificate may go, after which there is no way back: isthmus adfs rollover retire"
        ),  # type: ignore[arg-type]
    ),
    Stage(
        name="remove",
        number=8,
        title="the old certificate leaves the farm (no way back from here)",
        promise="no node has it any more",
        missing=_remove_missing,
        refuses=_remove_refuses,
        acts=_remove_acts,
        patience=converging,
    ),
    Stage(
        name="restore",
        number=8,
        title="AutoCertificateRollover as it was",
        promise="AutoCertificateRollover has the value that the journal names",
        missing=_restore_missing,
        refuses=checks.primary,
        acts=_restore_acts,
        foresees=_foresee_restore,
        notes=_restore_notes,
    ),
    Stage(
        name="withdraw",
        number=8,
        title="the old certificate leaves Entra ID",
        promise="no federated domain has the old certificate, all have the new one",
        missing=_withdraw_missing,
        refuses=_withdraw_refuses,
        acts=_withdraw_acts,
        applies=tells_entra,
    ),
)
MADE_HERE = (CREATE, FREEZE, *_COMMON)
SUPPLIED = (FREEZE, *IMPORT_AND_ADD, *_COMMON)
AGAIN_AFTER_ROLLBACK = ("verify", "approve", "promote", "spread", "restart", "serve", "soak", "retire")
"""What a rollback to `published` makes undone."""


def stages(view: View) -> tuple[Stage, ...]:
    """The rows for this record, in order."""
    return SUPPLIED if supplied(view) else MADE_HERE
