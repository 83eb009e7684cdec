"""Why each operation is in a plan."""

from __future__ import annotations

from typing import Any

import pytest

from sync.model import Lineage, OperationKind
from sync.plan import CauseTable, ChangeCause, DepartureEvidence, EvidenceKind, PersonChange, causes_of
from sync.plan.entries import CauseKind
from tests.sync.plan.samples import TOMBSTONE, entry, operation

LINEAGE = {
    "title": (Lineage("ad", b"1", "users", 1.0),),
    "mail": (Lineage("ad", b"1", "mails", 1.0), Lineage("hr", b"2", "users", 1.0)),
}
MOVED = ("OU=Sales,DC=x", "OU=Old,DC=x")
MOVE = "ou:OU=Sales,DC=x -> OU=Old,DC=x@r7"


def keys(kind: OperationKind, change: PersonChange, **fields: Any) -> list[str]:
    """Of the causes of an operation."""
    return [cause.key for cause in causes_of(operation(kind, **fields), change, LINEAGE)]


def change(**fields: Any) -> PersonChange:
    """Seen in reading r7."""
    return PersonChange(reading="r7", **fields)


@pytest.mark.parametrize(
    ("written", "happened", "expected"),
    [
        ({"set": {"title": "x"}}, change(attributes=frozenset({"ad.title"})), ["attribute:ad.title@r7"]),
        ({"set": {"title": "x"}}, change(rules={"users": "e2"}), ["rule:users@e2"]),
        ({"set": {"title": "x"}}, change(rules={"others": "e2"}), ["target:"]),
        ({"set": {"mail": "x"}}, change(rules={"users": "e2", "mails": "e3"}), ["rule:mails@e3", "rule:users@e2"]),
        ({"clear": frozenset({"title"})}, change(rules={"users": "e2"}), ["rule:users@e2"]),
        ({"set": {"title": "x"}}, change(moved=MOVED), [MOVE]),
        (
            {"set": {"title": "x", "room": "1"}},  # the room comes from no edited rule
            change(rules={"users": "e2"}, attributes=frozenset({"ad.room"})),
            ["rule:users@e2", "attribute:ad.room@r7"],
        ),
        ({"set": {"title": "x"}}, change(), ["target:"]),
        ({"set": {"title": "x"}}, change(returned=True), ["returned:@r7"]),
    ],
)
def test_why_an_account_is_updated(written: dict[str, Any], happened: PersonChange, expected: list[str]) -> None:
    """The edited rule from which the value comes; else what changed at the object; else somebody at the target."""
    assert keys(OperationKind.UPDATE, happened, **written) == expected


@pytest.mark.parametrize("kind", [OperationKind.CREATE, OperationKind.ADOPT])
@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        (change(new=True, rules={"users": "e2"}), ["new:@r7"]),
        (change(rules={"users": "e2"}), ["rule:users@e2"]),
        (change(moved=MOVED), [MOVE]),
        (change(attributes=frozenset({"ad.b", "ad.a"})), ["attribute:ad.a@r7", "attribute:ad.b@r7"]),
        (change(), ["target:"]),
        (change(returned=True, new=True), ["returned:@r7"]),
    ],
)
def test_why_an_account_is_made(kind: OperationKind, happened: PersonChange, expected: list[str]) -> None:
    """A new object, or one that came into scope; else its account is gone from the target."""
    assert keys(kind, happened, set={"title": "x"}) == expected


@pytest.mark.parametrize("kind", [OperationKind.DISABLE, OperationKind.SOFT_DELETE, OperationKind.DELETE])
@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ((TOMBSTONE,), ["deleted:ad@r7"]),
        ((TOMBSTONE, TOMBSTONE), ["deleted:ad@r7"]),
        ((DepartureEvidence(EvidenceKind.ABSENT, "hr", b"1", reading="r8"), TOMBSTONE), ["absent:hr@r8", "deleted:ad@r7"]),
        ((DepartureEvidence(EvidenceKind.LEFT_SCOPE, "ad", rule="users", edition="e2"),), ["rule:users@e2"]),
        ((DepartureEvidence(EvidenceKind.LEFT_SCOPE, "ad", reading="r7", rule="u", moved=MOVED),), [MOVE]),
        ((DepartureEvidence(EvidenceKind.DISABLED, "ad", reading="r7", attribute="uac"),), ["attribute:ad.uac@r7"]),
        ((DepartureEvidence(EvidenceKind.UNDO, run="17"),), ["undo:17"]),
        ((DepartureEvidence(EvidenceKind.LEFT_SCOPE, "ad", rule="users"),), ["unknown:"]),
        ((), ["unknown:"]),
    ],
)
def test_why_an_account_goes(kind: OperationKind, evidence: tuple[DepartureEvidence, ...], expected: list[str]) -> None:
    """What its evidence names."""
    assert keys(kind, change(evidence=evidence, attributes=frozenset({"ad.x"}))) == expected


def test_why_links_come_and_go_and_accounts_return() -> None:
    """By linked attribute; a disabled one is enabled because its object says so."""
    links = {"added": {"members": (1,)}, "removed": {"owners": (2,)}}
    assert keys(OperationKind.LINK, change(), **links) == ["links:members@r7", "links:owners@r7"]
    assert keys(OperationKind.RESTORE, change(returned=True)) == ["returned:@r7"]
    assert keys(OperationKind.ENABLE, change(attributes=frozenset({"ad.uac"}))) == ["attribute:ad.uac@r7"]


def test_causes_are_counted_by_target_and_kind() -> None:
    """The largest first."""
    table = CauseTable()
    rule, move = ChangeCause(CauseKind.RULE, "users", "e2"), ChangeCause(CauseKind.OU, "a -> b")
    table.add(entry(OperationKind.UPDATE, 1, causes=(move,)))
    table.add(entry(OperationKind.UPDATE, 2, causes=(rule, move)))
    table.add(entry(OperationKind.DELETE, 3, causes=(move,)))
    table.add(entry(OperationKind.UPDATE, 4, causes=(move,), target="other"))
    rows = [(row.target, row.cause, row.operations, row.total) for row in table.rows()]
    assert rows == [
        ("scim", move, {"delete": 1, "update": 2}, 3),
        ("other", move, {"update": 1}, 1),
        ("scim", rule, {"update": 1}, 1),
    ]
