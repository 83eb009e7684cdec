"""Accounts, operations and entries for the tests of plans, each with what the test does not say filled in."""

from __future__ import annotations

from typing import Any

from sync.model import AccountOperation, ConfirmedAccount, DesiredAccount, ObjectKind, OperationKind
from sync.plan import ChangeCause, DepartureEvidence, EvidenceKind, PlanEntry
from sync.plan.entries import CauseKind

SCIM = "scim"
OBJECT = ("ad", b"\x01\x02")
TOMBSTONE = DepartureEvidence(EvidenceKind.TOMBSTONE, "ad", b"\x01\x02", reading="r7")


def desired(person: int = 1, **fields: Any) -> DesiredAccount:
    """A user's account, as it should be."""
    filled: dict[str, Any] = {"kind": ObjectKind.USER, "anchor": f"anchor{person}", "values": {}} | fields
    return DesiredAccount(person=person, target=SCIM, **filled)


def account(person: int = 1, values: dict[str, Any] | None = None, **fields: Any) -> ConfirmedAccount:
    """What the target has confirmed. Sent as it is, if the test does not say otherwise."""
    filled: dict[str, Any] = {
        "kind": ObjectKind.USER,
        "anchor": f"anchor{person}",
        "remote": f"remote{person}",
        "values": values or {},
        "sent": values or {},
    }
    return ConfirmedAccount(person=person, target=SCIM, **(filled | fields))


def operation(kind: OperationKind = OperationKind.UPDATE, person: int = 1, **fields: Any) -> AccountOperation:
    """One write to the target."""
    filled: dict[str, Any] = {"id": 0, "target": SCIM, "object": ObjectKind.USER, "anchor": f"anchor{person}"} | fields
    return AccountOperation(kind=kind, person=person, **filled)


def entry(kind: OperationKind = OperationKind.UPDATE, person: int = 1, **fields: Any) -> PlanEntry:
    """An operation with its reasons; fields that an operation has are the operation's."""
    own = {name: fields.pop(name) for name in list(fields) if name in AccountOperation.__struct_fields__}
    return PlanEntry(operation(kind, person, **own), **fields)


def leaving(kind: OperationKind, person: int = 1, **fields: Any) -> PlanEntry:
    """A deletion or disabling with all that it needs."""
    cause = ChangeCause(CauseKind.DELETED, "ad", "r7")
    filled: dict[str, Any] = {"objects": (OBJECT,), "evidence": (TOMBSTONE,), "causes": (cause,)} | fields
    return entry(kind, person, **filled)
