"""A plan as tables for a terminal."""

from __future__ import annotations

from sync.model import OperationKind
from sync.plan import (
    AccountProblem,
    CauseKind,
    ChangeCause,
    GuardStop,
    LimitName,
    PlanHeader,
    PlanLine,
    RewrittenValue,
    cause_table,
    note_table,
    operation_table,
    stop_table,
    summary_table,
)
from sync.plan.causes import CauseCount
from tests.sync.plan.samples import SCIM, entry

RULE = ChangeCause(CauseKind.RULE, "users", "e2")
HEADER = PlanHeader(
    id="17",
    made_at=1e9,
    made_by="anna",
    operations={SCIM: {"update": 2, "delete": 1}, "other": {"soft_delete": 1}},
    held=1,
    rewritten=1,
    problems=1,
    causes=(CauseCount(SCIM, RULE, {"update": 2}, 2),),
    causes_count=3,
    stops=(
        GuardStop(LimitName.FIRST_RUN, 3, target=SCIM, decide="first_run:scim"),
        GuardStop(LimitName.DELETIONS, 9, 10, 5, 50, SCIM, causes=((RULE.key, 8),)),
    ),
)


def test_numbers_by_target_and_kind() -> None:
    """What is not written, too."""
    assert list(summary_table(HEADER).rows) == [
        (SCIM, "update", "2"),
        (SCIM, "delete", "1"),
        ("other", "soft-delete", "1"),
        ("", "held", "1"),
        ("", "problems", "1"),
        ("", "rewritten values", "1"),
    ]


def test_stops_say_what_decides() -> None:
    """A key for all of it, or the causes that made most."""
    assert [row[1] for row in stop_table(HEADER).rows] == ["first_run:scim", "rule:users@e2 (8)"]


def test_causes_say_how_many_are_left_out() -> None:
    """In words, with their key."""
    table = cause_table(HEADER)
    assert list(table.rows) == [(SCIM, "rule users edited", "2", "rule:users@e2")]
    assert table.cut == "1 of 3 causes are shown."


def test_operations_say_what_and_why() -> None:
    """In the order of writes; how many are left out is said."""
    lines: list[PlanLine] = [
        RewrittenValue(SCIM, 2, "phone", ("+43 1", b"\x00"), None),
        entry(OperationKind.UPDATE, 7, id=1, set={"a": "x"}, clear=frozenset("b"), causes=(RULE,), name="Anna"),
        entry(OperationKind.LINK, 8, id=2, added={"members": (1, 2)}, removed={"members": (3,), "owners": (4,)}),
        entry(OperationKind.DELETE, 9, id=3, held="no evidence"),
        AccountProblem(SCIM, 3, "AnchorChanged", "was a", name="Zoë"),
    ]
    table = operation_table(HEADER, lines)
    assert list(table.rows) == [
        ("1", SCIM, "update", "Anna", "a, b (cleared)", "rule users edited", "-"),
        ("2", SCIM, "links", "person 8", "members +2 -1, owners -1", "-", "-"),
        ("3", SCIM, "delete", "person 9", "-", "-", "no evidence"),
    ]
    assert operation_table(HEADER, lines, most=2).cut == "2 of 5 operations are shown."
    notes = note_table(HEADER, lines)
    assert (list(notes.rows), notes.cut) == (
        [
            (SCIM, "person 2", "rewritten", "phone: sent +43 1; 00 (1 bytes), kept nothing"),
            (SCIM, "Zoë", "AnchorChanged", "was a"),
        ],
        "",
    )
    temporary = operation_table(HEADER, [entry(set={"userName": "x"}, temporary=True)])
    assert temporary.rows[0][4] == "userName (temporary)"
