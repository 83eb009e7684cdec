"""What the guard holds, counts and stops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from settings import unfit_settings
from sync.model import GuardDecision, ObjectKind, OperationKind
from sync.plan import (
    CauseKind,
    ChangeCause,
    DeletionPolicy,
    Guard,
    GuardLimits,
    GuardStop,
    LimitName,
    PlanEntry,
    SourceCount,
    TargetTotals,
    stop_text,
)
from tests.sync.plan.samples import SCIM, entry, leaving

DELETE, DISABLE = OperationKind.DELETE, OperationKind.DISABLE
LIMITS = GuardLimits(
    deletions=20,
    deletions_percent=50,
    disables=20,
    disables_percent=50,
    lost_links=20,
    lost_links_percent=50,
    renames=20,
    renames_percent=50,
    protected=2,
    rule_edit=20,
    rule_edit_percent=50,
    source_shrank_percent=10,
    small=5,
)
MANY = TargetTotals(accounts=1_000, links=1_000)
FEW = TargetTotals(accounts=10, links=10)
NAMES = {SCIM: frozenset({"userName"})}
EDIT = ChangeCause(CauseKind.RULE, "users", "e2")


def run(
    entries: Iterable[PlanEntry],
    *decisions: GuardDecision,
    totals: TargetTotals = MANY,
    limits: GuardLimits = LIMITS,
    sources: Iterable[SourceCount] = (),
    earlier: Mapping[tuple[str, LimitName], int] | None = None,
) -> tuple[list[PlanEntry], tuple[GuardStop, ...]]:
    """A plan past the guard."""
    guard = Guard(limits, decisions, {SCIM: totals}, names=NAMES, earlier=earlier)
    checked = [guard.check(planned) for planned in entries]
    return checked, guard.stops(sources)


def stopped(entries: Iterable[PlanEntry], *decisions: GuardDecision, **fields: Any) -> list[LimitName]:
    """What the guard stops for."""
    return [stop.limit for stop in run(entries, *decisions, **fields)[1]]


def decision(*, allow: bool = True, at: float = 1.0, **fields: Any) -> GuardDecision:
    """By somebody."""
    return GuardDecision(allow=allow, by="anna", why="asked HR", at=at, **fields)


def edited(person: int) -> PlanEntry:
    """What an edited rule did."""
    return entry(OperationKind.UPDATE, person, set={"title": "x"}, causes=(EDIT,))


def rename(person: int) -> PlanEntry:
    """Another sign-in name."""
    return entry(OperationKind.UPDATE, person, set={"userName": "x"}, before={"userName": "y"})


def unlink(person: int, gone: int = 1) -> PlanEntry:
    """A group loses members."""
    return entry(OperationKind.LINK, person, object=ObjectKind.GROUP, removed={"members": tuple(range(gone))})


def protected(person: int) -> PlanEntry:
    """An administrator's title changes."""
    return entry(OperationKind.UPDATE, person, set={"title": "x"}, protected="role Administrator")


ROWS = (
    (LimitName.DELETIONS, lambda person: leaving(DELETE, person)),
    (LimitName.DELETIONS, lambda person: leaving(OperationKind.SOFT_DELETE, person)),
    (LimitName.DISABLES, lambda person: leaving(DISABLE, person)),
    (LimitName.LOST_LINKS, unlink),
    (LimitName.RENAMES, rename),
    (LimitName.RULE_EDIT, edited),
)


@pytest.mark.parametrize(("limit", "make"), ROWS)
def test_a_number_is_a_limit(limit: LimitName, make: Any) -> None:
    """One more than permitted stops; as many as permitted do not."""
    assert stopped([make(person) for person in range(20)]) == []
    assert stopped([make(person) for person in range(21)]) == [limit]


@pytest.mark.parametrize(("limit", "make"), ROWS)
def test_a_percentage_is_a_limit(limit: LimitName, make: Any) -> None:
    """Above half of ten; but not up to five, because every change of a small target is a large part of it."""
    assert stopped([make(person) for person in range(5)], totals=TargetTotals(accounts=6, links=6)) == []
    assert stopped([make(person) for person in range(6)], totals=TargetTotals(accounts=12, links=12)) == []
    assert stopped([make(person) for person in range(6)], totals=FEW) == [limit]


@pytest.mark.parametrize("limit", [LimitName.DELETIONS, LimitName.DISABLES, LimitName.LOST_LINKS, LimitName.RENAMES])
def test_many_small_runs_are_one_large_one(limit: LimitName) -> None:
    """What the last runs have done counts, at this target and of this kind; alone it is no reason to stop."""
    make = dict(reversed(ROWS))[limit]
    earlier = {(SCIM, limit): 19, ("other", limit): 99}
    assert stopped([make(1)], earlier=earlier) == []
    assert stopped([make(1), make(2)], earlier=earlier) == [limit]
    assert stopped([], earlier={(SCIM, limit): 99}) == []
    (stop,) = run([make(1), make(2)], earlier=earlier)[1]
    assert (stop.count, stop.earlier) == (21, 19)


def test_changes_to_what_is_protected_are_a_limit() -> None:
    """Of any kind: a value, or a member of a protected group."""
    group = entry(OperationKind.LINK, 9, added={"members": (1,)}, protected="group Domain Admins")
    assert stopped([protected(1), group]) == []
    (stop,) = run([protected(1), group, protected(2)])[1]
    assert stop == GuardStop(LimitName.PROTECTED, 3, permitted=2, target=SCIM)
    assert stopped([protected(1)], limits=GuardLimits()) == [LimitName.PROTECTED]
    assert stopped([edited(1)], limits=GuardLimits()) == []


def test_each_edit_of_a_rule_counts_by_itself() -> None:
    """And what an edit did not make is none of it."""
    other = ChangeCause(CauseKind.RULE, "users", "e3")
    attribute = ChangeCause(CauseKind.ATTRIBUTE, "ad.title")
    mixed = [entry(person=person, causes=(EDIT if person % 2 else other,)) for person in range(40)]
    assert stopped(mixed) == []
    assert stopped([entry(person=person, causes=(attribute,)) for person in range(40)]) == []
    (stop,) = run([edited(person) for person in range(21)])[1]
    assert stop == GuardStop(LimitName.RULE_EDIT, 21, 1_000, 20, 50, SCIM, "users@e2", "rule:users@e2")


def test_members_of_a_deleted_group_are_lost() -> None:
    """One deletion may be 250,000 memberships."""
    assert stopped([leaving(DELETE, links=20)]) == []
    assert stopped([leaving(DELETE, links=21)]) == [LimitName.LOST_LINKS]
    assert stopped([unlink(1, gone=20), leaving(OperationKind.SOFT_DELETE, 2, links=1)]) == [LimitName.LOST_LINKS]
    assert stopped([leaving(DISABLE, links=21)]) == []


def test_a_manager_who_is_replaced_is_not_lost() -> None:
    """One who only goes is."""
    replaced = [entry(OperationKind.LINK, person, added={"m": (1,)}, removed={"m": (2,)}) for person in range(30)]
    assert stopped(replaced) == []
    gone = [entry(OperationKind.LINK, person, added={"x": (1,)}, removed={"m": (2,)}) for person in range(30)]
    assert stopped(gone) == [LimitName.LOST_LINKS]


def test_renames_and_moves_are_no_deletions() -> None:
    """And whatever else is an update is no rename."""
    assert stopped([rename(person) for person in range(25)]) == [LimitName.RENAMES]
    cleared = [entry(person=person, clear=frozenset({"userName"})) for person in range(25)]
    assert stopped(cleared) == [LimitName.RENAMES]
    moved = ChangeCause(CauseKind.OU, "OU=a -> OU=b")
    assert stopped([entry(person=person, set={"ou": "b"}, causes=(moved,)) for person in range(25)]) == []
    assert stopped([entry(OperationKind.CREATE, person, set={"userName": "x"}) for person in range(25)]) == []
    elsewhere = [entry(person=person, set={"userName": "x"}, target="other") for person in range(25)]
    assert stopped(elsewhere) == []  # a target without unique names


@pytest.mark.parametrize(
    ("before", "now", "limit"),
    [
        (100, 89, LimitName.SOURCE_SHRANK),
        (100, 90, None),
        (100, 200, None),
        (20, 15, None),  # five are few
        (20, 14, LimitName.SOURCE_SHRANK),
        (3, 0, LimitName.SOURCE_EMPTY),
        (1_000, 0, LimitName.SOURCE_EMPTY),
        (0, 0, None),
        (0, 5, None),
    ],
)
def test_a_source_that_is_empty_or_shrank_stops(before: int, now: int, limit: LimitName | None) -> None:
    """Whatever the plan would do. What somebody allows is this shrinking, not the next one."""
    count = SourceCount("hr", before, now)
    _, stops = run([], sources=[count])
    assert [stop.limit for stop in stops] == ([limit] if limit else [])
    for stop in stops:
        percent = 0.0 if limit is LimitName.SOURCE_EMPTY else 10
        key = f"{limit}:hr@{before}-{now}"
        assert limit is not None
        assert stop == GuardStop(limit, before - now, before, percent=percent, subject="hr", decide=key)
        assert stopped([], decision(cause=key, target=SCIM), sources=[count]) == [limit]
        assert stopped([], decision(cause=stop.decide), sources=[count]) == []
        assert stopped([], decision(cause=stop.decide), sources=[SourceCount("ad", before, now)]) == [limit]
        assert stopped([], decision(cause=stop.decide), sources=[SourceCount("hr", before + 1, now)]) == [limit]
        assert stopped([], decision(cause=stop.decide, allow=False), sources=[count]) == [limit]


@pytest.mark.parametrize(("first", "strangers", "stops"), [(True, 3, True), (True, 0, False), (False, 3, False)])
def test_a_first_run_into_a_target_that_is_not_empty_stops(first: bool, strangers: int, stops: bool) -> None:
    """Until somebody has allowed it for this target."""
    totals = TargetTotals(accounts=0, first_run=first, strangers=strangers)
    _, found = run([], totals=totals)
    assert [stop.limit for stop in found] == [LimitName.FIRST_RUN] * stops
    for stop in found:
        assert stop == GuardStop(LimitName.FIRST_RUN, 3, target=SCIM, decide="first_run:scim")
        assert stopped([], decision(cause=stop.decide, target=SCIM), totals=totals) == []
        assert stopped([], decision(cause=stop.decide, target="other"), totals=totals) == [LimitName.FIRST_RUN]


@pytest.mark.parametrize("kind", [DISABLE, OperationKind.SOFT_DELETE, DELETE])
def test_what_has_no_evidence_is_held_and_counts_as_nothing(kind: OperationKind) -> None:
    """The others go on."""
    checked, stops = run([leaving(kind, person, evidence=()) for person in range(30)] + [edited(1)])
    assert {planned.held[:11] for planned in checked[:30]} == {"no evidence"}
    assert checked[30].held == ""
    assert stops == ()


def test_a_person_who_is_allowed_needs_no_evidence_and_counts_no_more() -> None:
    """Only this operation on this person at this target."""
    bare = leaving(DELETE, 5, evidence=())
    allowed = decision(person=5, kind=DELETE, target=SCIM)
    assert run([bare], allowed)[0][0].held == ""
    assert run([bare], decision(person=5, kind=DELETE))[0][0].held == ""
    assert run([bare], decision(person=5, kind=DISABLE, target=SCIM))[0][0].held
    assert run([bare], decision(person=6, kind=DELETE, target=SCIM))[0][0].held
    assert run([bare], decision(person=5, kind=DELETE, target="other"))[0][0].held
    assert run([bare], decision(person=5))[0][0].held
    many = [leaving(DELETE, person) for person in range(21)]
    assert stopped(many, allowed) == []
    assert stopped([protected(1), protected(2), protected(3)], decision(person=3, kind=OperationKind.UPDATE)) == []


def test_a_cause_that_is_allowed_counts_no_more() -> None:
    """It is no evidence, and no permission to touch who is protected."""
    many = [leaving(DELETE, person) for person in range(21)]
    key = many[0].causes[0].key
    assert stopped(many, decision(cause=key)) == []
    assert stopped(many, decision(cause=key, target=SCIM)) == []
    assert stopped(many, decision(cause=key, target="other")) == [LimitName.DELETIONS]
    assert stopped(many, decision(cause="deleted:ad@r8")) == [LimitName.DELETIONS]
    assert run([leaving(DELETE, evidence=())], decision(cause=key))[0][0].held
    admins = [leaving(DELETE, person, protected="role") for person in range(3)]
    assert stopped(admins, decision(cause=key)) == [LimitName.PROTECTED]
    assert stopped([edited(person) for person in range(21)], decision(cause=EDIT.key)) == []


def test_a_cause_permits_only_what_it_made_alone() -> None:
    """An operation with another cause as well is not decided by it."""
    other = ChangeCause(CauseKind.OU, "OU=a -> OU=b")
    many = [leaving(DELETE, person, causes=(EDIT, other)) for person in range(21)]
    assert LimitName.DELETIONS in stopped(many, decision(cause=EDIT.key))
    assert stopped(many, decision(cause=EDIT.key), decision(cause=other.key)) == []


def test_what_is_rejected_is_held() -> None:
    """By a person or by a cause, and whatever is allowed besides; who and why is told."""
    one = leaving(DELETE, 5)
    key = one.causes[0].key
    person: dict[str, Any] = {"person": 5, "kind": DELETE}
    cause: dict[str, Any] = {"cause": key}
    assert run([one], decision(allow=False, **person))[0][0].held == "rejected by anna: asked HR"
    assert run([one], decision(allow=False, **cause))[0][0].held
    assert run([one], decision(allow=False, **cause), decision(at=2, **person))[0][0].held
    assert run([one], decision(allow=False, **person), decision(at=2, **cause))[0][0].held
    assert run([one], decision(allow=False, target=SCIM, **cause), decision(at=2, **cause))[0][0].held
    many = [leaving(DELETE, person) for person in range(21)]
    assert stopped(many, decision(allow=False, **person)) == []


def test_of_two_decisions_about_the_same_thing_the_last_counts() -> None:
    """In whatever order they are told."""
    one = leaving(DELETE, 5)
    no, yes = (decision(allow=allow, at=at, person=5, kind=DELETE) for allow, at in ((False, 1), (True, 2)))
    assert run([one], no, yes)[0][0].held == run([one], yes, no)[0][0].held == ""


def test_what_is_held_already_stays_as_it_is() -> None:
    """A reason from before is not replaced, and it is not counted."""
    checked, stops = run([leaving(DELETE, person, held="because") for person in range(30)])
    assert ({planned.held for planned in checked}, stops) == ({"because"}, ())


def test_a_stop_names_the_causes_that_made_most() -> None:
    """And each stop is a sentence with numbers."""
    other = ChangeCause(CauseKind.OU, "OU=a -> OU=b")
    many = [leaving(DELETE, person) for person in range(15)]
    many += [leaving(DELETE, person, causes=(other,)) for person in range(15, 25)]
    many += [leaving(DELETE, person, causes=(ChangeCause(CauseKind.OU, str(person)),)) for person in range(25, 30)]
    (stop,) = run(many)[1]
    assert stop.causes[:2] == (("deleted:ad@r7", 15), (other.key, 10))
    assert len(stop.causes) == 5
    assert stop_text(stop) == "scim: 30 deletions; permitted are 20 or 50 % of 1000"


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (GuardStop(LimitName.SOURCE_EMPTY, 5, 5, subject="hr"), "the source hr is empty; it had 5 objects"),
        (
            GuardStop(LimitName.SOURCE_SHRANK, 5, 9, percent=10, subject="hr"),
            "the source hr has lost 5 of 9 objects, more than 10 %",
        ),
        (
            GuardStop(LimitName.FIRST_RUN, 3, target=SCIM),
            "scim: first run, and 3 accounts are there that are not ours",
        ),
        (
            GuardStop(LimitName.PROTECTED, 1, target=SCIM),
            "scim: 1 changes to protected groups or administrators; permitted are 0",
        ),
        (
            GuardStop(LimitName.RULE_EDIT, 9, 10, 5, 50, SCIM, "users@e2"),
            "scim: 9 operations by one edit of the rule users@e2; permitted are 5 or 50 % of 10",
        ),
        (
            GuardStop(LimitName.DELETIONS, 9, 10, 5, 50, SCIM, earlier=8),
            "scim: 9 deletions (8 of them in the last runs); permitted are 5 or 50 % of 10",
        ),
    ],
)
def test_a_stop_is_a_sentence(stop: GuardStop, text: str) -> None:
    """With what was counted, and what is permitted."""
    assert stop_text(stop) == text


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (GuardLimits(), None),
        (GuardLimits(deletions=0, deletions_percent=0, small=0), None),
        (GuardLimits(deletions=-1), "deletions"),
        (GuardLimits(renames_percent=101), "renames_percent"),
        (DeletionPolicy(), None),
        (DeletionPolicy(delete_after=-1), "delete_after"),
    ],
)
def test_settings_are_within_their_bounds(given: GuardLimits | DeletionPolicy, field: str | None) -> None:
    """0 permits nothing; less than nothing, and more than all, are refused."""
    assert [key for key, _ in unfit_settings(given)] == ([(field,)] if field else [])
