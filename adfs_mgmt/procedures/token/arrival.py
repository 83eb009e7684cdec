"""How a token certificate comes into a farm: AD FS makes it, or a supplied one goes into every node's store. Pure.

Each row with its way back: what came into the farm leaves it again. It stays in the nodes' stores, where it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from adfs_mgmt.farm import KeyAccess, Node, Use
from adfs_mgmt.procedures import checks, stores
from adfs_mgmt.procedures.token import certificates
from adfs_mgmt.procedures.token.state import NEW, TokenRolloverView, TokenState
from adfs_mgmt.procedures.view import converging
from foundation.procedures import Condition, Stage, label, planned

View = TokenRolloverView[TokenState]


def to_start(view: View) -> bool:
    """Whether a rollback goes all the way."""
    return view.record.back == "start"


def _supplied(view: View) -> bool:
    return view.state.supplied


def _had_auto(view: View) -> bool:
    return view.state.auto


def _wanted(view: View) -> list[str]:
    return sorted({view.new(use) for use in view.uses})


def _stored_on(view: View) -> list[tuple[Node, str]]:
    return [(node, thumbprint) for node in view.farm.nodes for thumbprint in _wanted(view)]


# -- made by AD FS


def _created(view: View) -> list[Condition]:
    found = []
    for use in view.uses:
        text, act = f"AD FS has not created a new {use} certificate yet", certificates.update(view, use)
        found.append(Condition.of(bool(_candidate(view, use)), view.primary, text, act))
    return found


def _candidate(view: View, use: Use) -> str:
    if view.new(use):
        return view.new(use)
    found = certificates.arrived(view, use)
    return found[0] if len(found) == 1 else ""


def _create_refuses(view: View) -> list[str]:
    wrong = checks.start(view)
    for use in view.uses:
        found = certificates.arrived(view, use)
        if not view.new(use) and len(found) > 1:
            wrong.append(
                f"there are {len(found)} new {use.value} certificates ({', '.join(found)}); remove all but one of them"
            )
    if any(condition.problem for condition in _created(view)):
        wrong += checks.makes_certificates(view)
    return wrong


# -- and out again


def _arrivals(view: View, use: Use) -> list[str]:
    """What came into the farm with this rollover."""
    return [view.new(use)] if view.new(use) else certificates.arrived(view, use)


def _left(view: View) -> list[Condition]:
    """On every node: a secondary that has not polled since could still hand it out."""
    found = [
        condition
        for use in view.uses
        for thumbprint in _arrivals(view, use)
        for condition in certificates.gone_everywhere(view, use, thumbprint, "remove new")
    ]
    return certificates.by_hand(view, found)


def _leave_refuses(view: View) -> list[str]:
    return checks.has_primary(view) or [
        f"{thumbprint} is primary for {use.value} again: someone else is changing the farm; find out who"
        for use in view.uses
        for thumbprint in _arrivals(view, use)
        if certificates.primary_of(view.farm.primary, use) == thumbprint
    ]


_LEAVE: Stage[View] = Stage(
    **label(
        "remove new",
        "remove the new certificate from the farm",
        "the farm no longer has it (it stays in the nodes' stores, where it does no harm)",
    ),
    conditions=_left,
    foresees=lambda view: planned(certificates.remove(view, use, view.new(use) or NEW) for use in view.uses),
    refuses=_leave_refuses,
    patience=converging,
    applies=to_start,
    final="the new certificate is being removed from the farm; apply completes the rest",
)

# -- supplied: import, grant, add


def _import_refuses(view: View) -> list[str]:
    wrong = [*checks.reachable(view), *checks.synchronised(view), *checks.clocks(view)]
    for node, thumbprint in _stored_on(view):
        uses = [use for use in view.uses if view.new(use) == thumbprint]
        wrong += stores.unusable([node], thumbprint, *uses, importable=view.state.material)
    return wrong


def _grant_of(view: View, node: Node, thumbprint: str) -> Condition:
    row = node.held(thumbprint)
    key = row.key if row else KeyAccess.NO_KEY
    act = certificates.grant(node, thumbprint) if key in {KeyAccess.NOT_GRANTED, KeyAccess.READABLE} else None
    return Condition.of(key in stores.readable(view), node.host, stores.unreadable(thumbprint), act)


Shown = Callable[[TokenRolloverView[Any]], bool]


def restored(shown: Shown, notes: Callable[[TokenRolloverView[Any]], list[str]] = lambda view: []) -> Stage[Any]:
    """AutoCertificateRollover as it is to be afterwards. `shown`: whether a plan shows the command for it."""
    promise = "AutoCertificateRollover has the value recorded in the journal"
    return _auto("restore", promise, 8, lambda view: view.state.auto_after, shown, notes=notes)


def _auto(name: str, promise: str, number: int, wanted: Shown, shown: Shown, **more: Any) -> Stage[Any]:
    """`more`: as of a Stage."""
    return Stage(
        **label(name, "restore AutoCertificateRollover", promise, number),
        conditions=lambda view: [certificates.auto_is(view, wanted(view))],
        foresees=lambda view: [certificates.auto_is(view, wanted(view))] if shown(view) else [],
        refuses=checks.has_primary,
        **more,
    )


STAGES: tuple[Stage[View], ...] = (
    Stage(
        **label(
            "create", "have AD FS create the new certificate", "the primary has exactly one new certificate for each use", 1
        ),
        conditions=_created,
        foresees=lambda view: planned(certificates.update(view, use) for use in view.uses if view.new(use) == NEW),
        refuses=_create_refuses,
        learns=lambda view: structs.replace(view.state, new={use: _candidate(view, use) for use in view.uses}),
        applies=lambda view: not _supplied(view),
        patience=converging,
        back=_LEAVE,
    ),
    Stage(
        **label(
            "freeze",
            "turn off AutoCertificateRollover",
            "AutoCertificateRollover is off (its original value is recorded in the journal)",
            2,
        ),
        conditions=lambda view: [certificates.auto_is(view, False)],
        refuses=checks.has_primary,
        back=_auto("unfreeze", "AutoCertificateRollover has its original value", 0, _had_auto, _had_auto, applies=to_start),
    ),
    Stage(
        **label(
            "import",
            "import the new certificate on every node",
            "it is in LocalMachine\\My on every node, with its private key in a CSP",
            1,
        ),
        conditions=lambda view: [stores.has_key(node, thumbprint) for node, thumbprint in _stored_on(view)],
        refuses=_import_refuses,
        applies=_supplied,
    ),
    Stage(
        **label(
            "grant",
            "grant the service account read access to the private key",
            "the service account can read the private key on every node",
            1,
        ),
        conditions=lambda view: [_grant_of(view, node, thumbprint) for node, thumbprint in _stored_on(view)],
        foresees=lambda view: planned(certificates.grant(node, thumbprint) for node, thumbprint in _stored_on(view)),
        refuses=_import_refuses,
        asks=lambda view: stores.key_access_question(view, _wanted(view)),
        applies=_supplied,
    ),
    Stage(
        **label("add", "add it to the farm as a secondary certificate", "the primary has it", 1),
        conditions=lambda view: [certificates.is_known(view, use, view.new(use)) for use in view.uses],
        refuses=lambda view: [*checks.reachable(view), *checks.clocks(view), *certificates.frozen(view)],
        applies=_supplied,
        back=_LEAVE,
    ),
)
