"""How a token certificate comes into a farm: AD FS makes it, or a supplied one goes into every node's store. Pure.

Each row with its way back: what came into the farm leaves it again. It stays in the nodes' stores, where it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from adfs_mgmt.farm import KeyAccess, Node, Use
from adfs_mgmt.procedures import checks, stores
from adfs_mgmt.procedures.token import certificates
from adfs_mgmt.procedures.token.state import NEW, TokenRolloverView, TokenState
from adfs_mgmt.procedures.view import converging
from foundation.procedures import Condition, Stage, described

View = TokenRolloverView[TokenState]


def to_start(view: View) -> bool:
    """Whether a rollback goes all the way."""
    return view.record.back == "start"


def _supplied(view: View) -> bool:
    return view.state.supplied


def _made_here(view: View) -> bool:
    return not view.state.supplied


def _wanted(view: View) -> list[str]:
    return sorted({view.new(use) for use in view.uses})


def _stored_on(view: View) -> list[tuple[Node, str]]:
    return [(node, thumbprint) for node in view.farm.nodes for thumbprint in _wanted(view)]


# -- made by AD FS


def _created(view: View) -> list[Condition]:
    found = []
    for use in view.uses:
        text, act = f"AD FS has no new {use} certificate yet", certificates.update(view, use)
        found.append(Condition.of(bool(_candidate(view, use)), view.primary, text, act))
    return found


def _foresee_created(view: View) -> list[Condition]:
    return [Condition("", "", certificates.update(view, use)) for use in view.uses if view.new(use) == NEW]


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


def _create_learns(view: View) -> TokenState:
    return msgspec.structs.replace(view.state, new={use: _candidate(view, use) for use in view.uses})


# -- and out again


def _arrivals(view: View, use: Use) -> list[str]:
    """What came into the farm with this rollover."""
    return [view.new(use)] if view.new(use) else certificates.arrived(view, use)


def _left(view: View) -> list[Condition]:
    """On every node: a secondary that has not polled since could still hand it out. AD FS lets nobody remove a certificate
    while it looks after them itself, should somebody have turned that on again."""
    found = [
        condition
        for use in view.uses
        for thumbprint in _arrivals(view, use)
        for condition in certificates.gone_everywhere(view, use, thumbprint, "remove new")
    ]
    if any(condition.problem and condition.act for condition in found):
        return [certificates.auto_is(view, False), *found]
    return found


def _foresee_left(view: View) -> list[Condition]:
    return [Condition("", "", certificates.remove(view, use, view.new(use) or NEW)) for use in view.uses]


def _leave_refuses(view: View) -> list[str]:
    return checks.has_primary(view) or [
        f"{thumbprint} is primary for {use.value} again: somebody else is at work; find out who"
        for use in view.uses
        for thumbprint in _arrivals(view, use)
        if certificates.primary_of(view.farm.primary, use) == thumbprint
    ]


_LEAVE: Stage[View] = Stage(
    **described(
        "remove new",
        "the new certificate leaves the farm",
        "the farm no longer has it (it stays in the nodes' stores, where it does no harm)",
    ),
    conditions=_left,
    foresees=_foresee_left,
    refuses=_leave_refuses,
    patience=converging,
    applies=to_start,
    final="the new certificate is leaving the farm; apply finishes the rest",
)

# -- supplied: import, grant, add


def _imported(view: View) -> list[Condition]:
    return [stores.has_key(node, thumbprint) for node, thumbprint in _stored_on(view)]


def _import_refuses(view: View) -> list[str]:
    wrong = [*checks.reachable(view), *checks.synchronised(view), *checks.clocks(view)]
    for node, thumbprint in _stored_on(view):
        row = stores.row_of(node, thumbprint)
        if not node.error and not (view.state.material and stores.needs_import(row)):
            wrong += checks.stored(row, node.host, thumbprint, cng_allowed=False)
    return wrong


def _granted(view: View) -> list[Condition]:
    return [_grant_of(view, node, thumbprint) for node, thumbprint in _stored_on(view)]


def _grant_of(view: View, node: Node, thumbprint: str) -> Condition:
    row = stores.row_of(node, thumbprint)
    key = row.key if row else KeyAccess.NO_KEY
    act = certificates.grant(node, thumbprint) if key in {KeyAccess.NOT_GRANTED, KeyAccess.READABLE} else None
    return Condition.of(key in stores.readable(view), node.host, stores.unreadable(thumbprint), act)


def _foresee_granted(view: View) -> list[Condition]:
    return [Condition("", "", certificates.grant(node, thumbprint)) for node, thumbprint in _stored_on(view)]


def _added(view: View) -> list[Condition]:
    found = []
    for use in view.uses:
        new, act = view.new(use), certificates.add(view, use, view.new(use))
        has = certificates.has(view.farm.primary, use, new)
        found.append(Condition.of(has, view.primary, f"the farm does not have {new} for {use}", act))
    return found


def _add_refuses(view: View) -> list[str]:
    return [*checks.reachable(view), *checks.clocks(view), *certificates.frozen(view)]


def _auto_as_before(view: View) -> list[Condition]:
    return [certificates.auto_is(view, view.state.auto)]


def restored(
    shown: Callable[[TokenRolloverView[Any]], bool], notes: Callable[[TokenRolloverView[Any]], list[str]] = lambda view: []
) -> Stage[Any]:
    """AutoCertificateRollover as it is to be afterwards. `shown`: whether a plan shows the command for it."""

    def conditions(view: TokenRolloverView[Any]) -> list[Condition]:
        return [certificates.auto_is(view, view.state.auto_after)]

    return Stage(
        **described(
            "restore", "AutoCertificateRollover as it was", "AutoCertificateRollover has the value that the journal names", 8
        ),
        conditions=conditions,
        foresees=lambda view: conditions(view) if shown(view) else [],
        refuses=checks.has_primary,
        notes=notes,
    )


STAGES: tuple[Stage[View], ...] = (
    Stage(
        **described(
            "create", "AD FS makes the new certificate", "the primary has exactly one new certificate for each use", 1
        ),
        conditions=_created,
        foresees=_foresee_created,
        refuses=_create_refuses,
        learns=_create_learns,
        applies=_made_here,
        patience=converging,
        back=_LEAVE,
    ),
    Stage(
        **described(
            "freeze", "stop the promotion clock", "AutoCertificateRollover is off; its original value is in the journal", 2
        ),
        conditions=lambda view: [certificates.auto_is(view, False)],
        refuses=checks.has_primary,
        back=Stage(
            **described("unfreeze", "AutoCertificateRollover as it was", "AutoCertificateRollover has its original value"),
            conditions=_auto_as_before,
            foresees=lambda view: _auto_as_before(view) if view.state.auto else [],
            refuses=checks.has_primary,
            applies=to_start,
        ),
    ),
    Stage(
        **described(
            "import",
            "put the new certificate into every node's store",
            "LocalMachine\\My of every node has it with its key, in a CSP",
            1,
        ),
        conditions=_imported,
        refuses=_import_refuses,
        applies=_supplied,
    ),
    Stage(
        **described(
            "grant", "let the service account read the key", "on every node the service account may read the key", 1
        ),
        conditions=_granted,
        foresees=_foresee_granted,
        refuses=_import_refuses,
        asks=lambda view: stores.key_access_question(view, _wanted(view)),
        applies=_supplied,
    ),
    Stage(
        **described("add", "add it to the farm, as a secondary", "the primary has it", 1),
        conditions=_added,
        refuses=_add_refuses,
        applies=_supplied,
        back=_LEAVE,
    ),
)
