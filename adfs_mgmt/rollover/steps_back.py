"""The way back of a token rollover, until the old certificate is removed. Pure.

    to published:  unpromote ─► respread ─► rerestart ─► reserve    the old one is in use, the new one published
    to the start:  … ─► linger ─► unpublish ─► unadd ─► unfreeze      as it was

Every row looks at the farm, so rows whose work was never done are over at once. The old certificate comes back into use
with nothing but the primary within reach.
"""

from __future__ import annotations

from adfs_mgmt.farm import Use
from adfs_mgmt.rollover import checks, tokens
from adfs_mgmt.rollover.model import Act
from adfs_mgmt.rollover.restarting import of_running, restarted
from adfs_mgmt.rollover.stage import Stage, View, converging


def _to_start(view: View) -> bool:
    return view.record.back == "start"


def _was_promoted(view: View) -> bool:
    """Whether the new certificate is or may have been in use, whoever promoted it: nodes and tokens in flight know it."""
    ours = any(name.startswith(("promote: ", "unpromote: ")) for name in view.record.tries)
    return ours or bool({"promote", "unpromote"} & set(view.record.held)) or any(_in_use(view, use) for use in view.uses)


def _in_use(view: View, use: Use) -> bool:
    """AD FS may have done it, or another administrator."""
    new = view.new(use)
    return bool(new) and tokens.primary_of(view.farm.primary, use) == new


def _unpromote_missing(view: View) -> list[str]:
    return [
        f"{view.old(use)} is not primary for {use.value}"
        for use in view.uses
        if tokens.primary_of(view.farm.primary, use) != view.old(use)
    ]


def _unpromote_acts(view: View) -> tuple[Act, ...]:
    """AD FS lets nobody choose while it looks after the certificates itself, should somebody have turned that on again."""
    if view.farm.properties.auto_rollover:
        return (tokens.set_auto(view, False),)
    late = [use for use in view.uses if tokens.primary_of(view.farm.primary, use) != view.old(use)]
    return tuple(tokens.make_primary(view, use, view.old(use)) for use in late)


def no_use(view: View) -> list[str]:
    """Why going back would do harm."""
    return [each for use in view.uses for each in checks.usable_again(view, view.old(use), use.value)]


def _unpromote_refuses(view: View) -> list[str]:
    if view.farm.primary is None:
        return checks.primary(view)
    return no_use(view) + [
        f"the old {use.value} certificate {view.old(use)} has been taken out of the farm; there is no way back"
        for use in view.uses
        if not tokens.has(view.farm.primary, use, view.old(use))
    ]


def _respread_missing(view: View) -> list[str]:
    late = [problem for use in view.uses for problem in tokens.not_primary_yet(view, use, view.old(use), "unpromote")]
    return of_running(view, late)


def _reserve_missing(view: View) -> list[str]:
    if Use.SIGNING not in view.uses:
        return []
    old = view.old(Use.SIGNING)
    return [
        f"{node.host}: its metadata is not signed by {old} yet"
        for node in view.farm.nodes
        if not tokens.signs(view, node.host, old)
    ]


def _linger_until(view: View) -> float:
    return view.record.held.get("reserve", view.now) + view.policy.keys.retire_after


def _linger_missing(view: View) -> list[str]:
    return ["tokens that the new certificate signed may still be accepted"] if view.now < _linger_until(view) else []


def _unpublish_missing(view: View) -> list[str]:
    new = view.new(Use.SIGNING)
    return [f"domain {each.name} still has {new}" for each in view.snapshot.domains if new and new in each.certificates]


def _unpublish_acts(view: View) -> tuple[Act, ...]:
    old, new = view.old(Use.SIGNING), view.new(Use.SIGNING)
    return tuple(tokens.withdraw(each.name, new, old) for each in view.snapshot.domains if new and new in each.certificates)


def _unpublish_refuses(view: View) -> list[str]:
    old = view.old(Use.SIGNING)
    lost = [
        f"domain {each.name} does not have {old}, which signs now; rebuild that trust (`isthmus adfs trust update`)"
        for each in view.snapshot.domains
        if old not in each.certificates
    ]
    return [*checks.trust_read(view), *tokens.needed_at_entra(view, view.new(Use.SIGNING), old), *lost]


def _ours(view: View, use: Use) -> list[str]:
    """What came into the farm with this rollover."""
    new = view.new(use)
    found = [new] if new else tokens.arrived(view, use)
    return [each for each in found if tokens.has(view.farm.primary, use, each)]


def _unadd_missing(view: View) -> list[str]:
    """On every node: a secondary that has not polled since could still hand it out."""
    gone = [(use, each) for use in view.uses for each in ([view.new(use)] if view.new(use) else tokens.arrived(view, use))]
    return [problem for use, each in gone for problem in tokens.still_there(view, use, each, "unadd")]


def _unadd_acts(view: View) -> tuple[Act, ...]:
    """AD FS lets nobody remove a certificate while it looks after them itself."""
    if view.farm.properties.auto_rollover:
        return (tokens.set_auto(view, False),)
    return tuple(tokens.remove(view, use, each) for use in view.uses for each in _ours(view, use))


def _unadd_refuses(view: View) -> list[str]:
    return [*checks.primary(view)] or [
        f"{each} is primary for {use.value} again: somebody else is at work; find out who"
        for use in view.uses
        for each in _ours(view, use)
        if tokens.primary_of(view.farm.primary, use) == each
    ]


def _unfreeze_missing(view: View) -> list[str]:
    wanted = view.fact("auto") == "on"
    return (
        [] if view.farm.properties.auto_rollover == wanted else [f"AutoCertificateRollover is {'off' if wanted else 'on'}"]
    )


STAGES = (
    Stage(
        name="unpromote",
        number=5,
        title="the old certificate comes into use again",
        promise="on the primary the old certificate is the primary one",
        missing=_unpromote_missing,
        refuses=_unpromote_refuses,
        acts=_unpromote_acts,
        applies=_was_promoted,
    ),
    Stage(
        name="respread",
        number=6,
        title="secondaries follow",
        promise="on every node the old certificate is the primary one",
        missing=_respread_missing,
        refuses=checks.primary,
        patience=converging,
        applies=_was_promoted,
    ),
    restarted("rerestart", applies=_was_promoted),
    Stage(
        name="reserve",
        number=6,
        title="see that every node uses it",
        promise="every node's metadata is signed by the old certificate",
        missing=_reserve_missing,
        patience=converging,
        applies=_was_promoted,
    ),
    Stage(
        name="linger",
        number=7,
        title="tokens of the new certificate run out",
        promise="nothing that the new certificate signed is accepted any more",
        missing=_linger_missing,
        until=_linger_until,
        applies=lambda view: _to_start(view) and _was_promoted(view),
    ),
    Stage(
        name="unpublish",
        number=3,
        title="tell Entra ID",
        promise="no federated domain has the new certificate, all have the old one",
        missing=_unpublish_missing,
        refuses=_unpublish_refuses,
        acts=_unpublish_acts,
        applies=lambda view: _to_start(view) and Use.SIGNING in view.uses and bool(view.new(Use.SIGNING)),
    ),
    Stage(
        name="unadd",
        number=1,
        title="the new certificate leaves the farm",
        promise="the farm no longer has it (it stays in the nodes' stores, where it does no harm)",
        missing=_unadd_missing,
        refuses=_unadd_refuses,
        acts=_unadd_acts,
        patience=converging,
        applies=_to_start,
    ),
    Stage(
        name="unfreeze",
        number=2,
        title="AutoCertificateRollover as it was",
        promise="AutoCertificateRollover has its original value",
        missing=_unfreeze_missing,
        refuses=checks.primary,
        acts=lambda view: (tokens.set_auto(view, view.fact("auto") == "on"),),
        applies=_to_start,
    ),
)
NAMES = tuple(stage.name for stage in STAGES)
NO_WAY_BACK = "remove"
"""The first stage after which there is none."""
