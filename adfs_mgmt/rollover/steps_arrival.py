"""How a token certificate comes into a farm: AD FS makes it, or a supplied one goes into every node's store. Pure.

Stages of `steps_token`.
"""

from __future__ import annotations

from collections.abc import Mapping

from adfs_mgmt.farm import KeyAccess, Node, StoredCertificate, Use
from adfs_mgmt.rollover import checks, tokens
from adfs_mgmt.rollover.model import Act, Import
from adfs_mgmt.rollover.stage import Stage, View, converging


def stored(node: Node, thumbprint: str) -> StoredCertificate | None:
    """The row of a node's LocalMachine\\My."""
    return next((row for row in node.stored if row.certificate.thumbprint == thumbprint), None)


def supplied(view: View) -> bool:
    """Whether the certificate was given, not made by AD FS."""
    return view.fact("source") != "adfs"


def _made_here(view: View) -> bool:
    return not supplied(view)


def _wanted(view: View) -> list[str]:
    return sorted({view.new(use) for use in view.uses})


# -- 1 create


def _create_missing(view: View) -> list[str]:
    return [f"AD FS has no new {use.value} certificate yet" for use in view.uses if not _candidate(view, use)]


def _candidate(view: View, use: Use) -> str:
    if view.new(use):
        return view.new(use)
    found = tokens.arrived(view, use)
    return found[0] if len(found) == 1 else ""


def _create_refuses(view: View) -> list[str]:
    wrong = checks.start(view)
    for use in view.uses:
        found = tokens.arrived(view, use)
        if not view.new(use) and len(found) > 1:
            wrong.append(
                f"there are {len(found)} new {use.value} certificates ({', '.join(found)}); remove all but one of them"
            )
    if _create_missing(view):
        wrong += checks.makes_certificates(view)
    return wrong


def _create_acts(view: View) -> tuple[Act, ...]:
    return tuple(tokens.update(view, use) for use in view.uses if not _candidate(view, use))


def _create_learns(view: View) -> Mapping[str, str]:
    return {f"new/{use.value}": _candidate(view, use) for use in view.uses}


def uncreate(view: View) -> tuple[Act, ...]:
    """It leaves the farm again."""
    return tuple(tokens.remove(view, use, view.new(use) or tokens.NEW) for use in view.uses)


# -- 2 freeze


def _freeze_missing(view: View) -> list[str]:
    return ["AutoCertificateRollover is on"] if view.farm.properties.auto_rollover else []


def _freeze_undo(view: View) -> tuple[Act, ...]:
    return (tokens.set_auto(view, True),) if view.fact("auto") == "on" else ()


# -- supplied: import, grant, add


def _import_missing(view: View) -> list[str]:
    return [
        f"{node.host}: {thumbprint} is not in LocalMachine\\My with its key"
        for node in view.farm.nodes
        for thumbprint in _wanted(view)
        if needs_import(stored(node, thumbprint))
    ]


def needs_import(row: StoredCertificate | None) -> bool:
    """Whether a store lacks it, or lacks its key."""
    return row is None or row.key is KeyAccess.NO_KEY


def _import_acts(view: View) -> tuple[Act, ...]:
    return tuple(
        Act(host=node.host, what=Import(thumbprint=thumbprint))
        for node in view.farm.nodes
        for thumbprint in _wanted(view)
        if needs_import(stored(node, thumbprint))
    )


def _import_refuses(view: View) -> list[str]:
    wrong = [*checks.reachable(view), *checks.synchronised(view), *checks.clocks(view)]
    for node in view.farm.nodes:
        for thumbprint in _wanted(view):
            row = stored(node, thumbprint)
            if row is None and view.fact("material") == "yes":
                continue
            if needs_import(row) and view.fact("material") == "yes":
                continue
            wrong += [] if node.error else checks.stored(row, node.host, thumbprint, cng_allowed=False)
    return wrong


def _grant_missing(view: View) -> list[str]:
    return [
        f"{node.host}: the service account is not known to be allowed to read the key of {thumbprint}"
        for node in view.farm.nodes
        for thumbprint in _wanted(view)
        if not _granted(view, node, thumbprint)
    ]


def _granted(view: View, node: Node, thumbprint: str) -> bool:
    row = stored(node, thumbprint)
    if row is None:
        return False
    return row.key is KeyAccess.READABLE or (row.key is KeyAccess.UNKNOWN and "key-access" in view.record.acknowledged)


def _grant_acts(view: View) -> tuple[Act, ...]:
    return tuple(
        tokens.grant(node, thumbprint)
        for node in view.farm.nodes
        for thumbprint in _wanted(view)
        if (row := stored(node, thumbprint)) and row.key is KeyAccess.NOT_GRANTED
    )


def key_access_asks(view: View, thumbprints: list[str]) -> dict[str, str]:
    """Where a host does not tell who may read a key (no JEA endpoint), a person must."""
    hosts = [
        node.host
        for node in view.farm.nodes
        for thumbprint in thumbprints
        if (row := stored(node, thumbprint)) and row.key is KeyAccess.UNKNOWN
    ]
    if not hosts:
        return {}
    where = ", ".join(sorted(set(hosts)))
    return {"key-access": f"Say that the service account may read the key on {where}: only the JEA endpoint would show it"}


def _add_missing(view: View) -> list[str]:
    return [
        f"the farm does not have {view.new(use)} for {use.value}"
        for use in view.uses
        if not tokens.has(view.farm.primary, use, view.new(use))
    ]


def _add_acts(view: View) -> tuple[Act, ...]:
    missing = [use for use in view.uses if not tokens.has(view.farm.primary, use, view.new(use))]
    return tuple(tokens.add(view, use, view.new(use)) for use in missing)


def _import_then_frozen(view: View) -> list[str]:
    return [*checks.reachable(view), *checks.clocks(view), *tokens.frozen(view)]


CREATE = Stage(
    name="create",
    number=1,
    title="AD FS makes the new certificate",
    promise="the primary has exactly one new certificate for each use",
    missing=_create_missing,
    refuses=_create_refuses,
    acts=_create_acts,
    learns=_create_learns,
    undo=uncreate,
    applies=_made_here,
    patience=converging,
)
FREEZE = Stage(
    name="freeze",
    number=2,
    title="stop the promotion clock",
    promise="AutoCertificateRollover is off; its original value is in the journal",
    missing=_freeze_missing,
    refuses=checks.primary,
    acts=lambda view: (tokens.set_auto(view, False),),
    undo=_freeze_undo,
)
IMPORT_AND_ADD = (
    Stage(
        name="import",
        number=1,
        title="put the new certificate into every node's store",
        promise="LocalMachine\\My of every node has it with its key, in a CSP",
        missing=_import_missing,
        refuses=_import_refuses,
        acts=_import_acts,
        applies=supplied,
    ),
    Stage(
        name="grant",
        number=1,
        title="let the service account read the key",
        promise="on every node the service account may read the key",
        missing=_grant_missing,
        refuses=_import_refuses,
        asks=lambda view: key_access_asks(view, _wanted(view)),
        acts=_grant_acts,
        foresees=lambda view: tuple(tokens.grant(node, each) for node in view.farm.nodes for each in _wanted(view)),
        applies=supplied,
    ),
    Stage(
        name="add",
        number=1,
        title="add it to the farm, as a secondary",
        promise="the primary has it",
        missing=_add_missing,
        refuses=_import_then_frozen,
        acts=_add_acts,
        undo=uncreate,
        applies=supplied,
    ),
)
