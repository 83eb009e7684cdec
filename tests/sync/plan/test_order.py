"""The order of writes, on a model of a target that refuses two accounts with one value."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model import AccountOperation, ObjectKind, OperationKind
from sync.plan import PlanPhase, in_order
from sync.plan.order import MoveFinder, ordered_moves, phase_of
from sync.plan.values import members
from tests.sync.plan.samples import SCIM, operation

UNIQUE = {SCIM: {"userName": "name", "mail": "address", "proxies": "address"}}


class ModelTarget:
    """Accounts by person. Refuses what a real target refuses: a value that another account has, an account that is not
    there or is there already."""

    def __init__(self, accounts: dict[int, dict[str, Any]]) -> None:
        self.accounts = {person: dict(values) for person, values in accounts.items()}

    def apply(self, write: AccountOperation) -> None:
        """Raises AssertionError where a real target would refuse."""
        if write.kind is OperationKind.DELETE:
            del self.accounts[write.person]
            return
        if write.kind is OperationKind.CREATE:
            assert write.person not in self.accounts
        values = self.accounts.get(write.person, {}) | dict(write.set)
        values = {name: value for name, value in values.items() if name not in write.clear}
        own = self.taken(values)
        for other, theirs in self.accounts.items():
            assert other == write.person or not own & self.taken(theirs), (write, other)
        self.accounts[write.person] = values

    def taken(self, values: dict[str, Any]) -> set[tuple[str, str]]:
        """What nobody else may have."""
        shared = UNIQUE[SCIM]
        return {(shared[name], str(one).casefold()) for name in values if name in shared for one in members(values[name])}


def update(person: int, before: dict[str, Any], after: dict[str, Any]) -> AccountOperation:
    """From some values to others."""
    return operation(
        person=person,
        set={name: value for name, value in after.items() if before.get(name) != value},
        clear=frozenset(before.keys() - after.keys()),
        before={name: value for name, value in before.items() if after.get(name) != value},
    )


def written(before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]) -> list[AccountOperation]:
    """All operations that lead from one to the other, in order."""
    operations = []
    for person in sorted(before.keys() | after.keys()):
        if person not in after:
            operations.append(operation(OperationKind.DELETE, person, before=before[person]))
        elif person not in before:
            operations.append(operation(OperationKind.CREATE, person, set=after[person]))
        elif before[person] != after[person]:
            operations.append(update(person, before[person], after[person]))
    target = ModelTarget(before)
    ordered = [write for _, write in in_order(operations, UNIQUE)]
    for write in ordered:
        target.apply(write)
    assert target.accounts == after
    assert len([write for write in ordered if not write.temporary]) == len(operations)
    return ordered


@given(st.permutations(range(7)), st.data())
@settings(max_examples=100, deadline=None)
def test_any_permutation_of_unique_values_ends_right(places: list[int], data: st.DataObject) -> None:
    """Whoever has no account yet gets one, and whoever leaves gives up theirs; one temporary value for each circle."""
    there = data.draw(st.sets(st.integers(0, 6)))
    stay = data.draw(st.sets(st.integers(0, 6)))
    before = {person: {"userName": f"n{person}", "mail": f"m{person}@x"} for person in there}
    after = {person: {"userName": f"n{places[person]}", "mail": f"m{person}@x"} for person in stay}
    ordered = written(before, after)
    assert sum(write.temporary for write in ordered) == circles(places, there & stay)


def circles(places: list[int], persons: set[int]) -> int:
    """In which every person has an account before and after."""
    found = set()
    for start in persons:
        met, at = [start], places[start]
        while at in persons and at not in met:
            met.append(at)
            at = places[at]
        if at == start and len(met) > 1:
            found.add(frozenset(met))
    return len(found)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_several_unique_values_of_several_attributes_end_right(data: st.DataObject) -> None:
    """A main address and others share what they are unique in; each person has any of them, before and after."""

    def world() -> dict[int, dict[str, Any]]:
        owners = data.draw(st.lists(st.integers(0, 4), min_size=8, max_size=8))
        names = data.draw(st.permutations(range(5)))
        persons: dict[int, dict[str, Any]] = {}
        for person in data.draw(st.sets(st.integers(0, 4))):
            addresses = [f"a{at}@x" for at, owner in enumerate(owners) if owner == person]
            values: dict[str, Any] = {"userName": f"N{names[person]}"}
            if addresses:
                values["mail"] = addresses[0]
            if addresses[1:]:
                values["proxies"] = tuple(addresses[1:])
            persons[person] = values
        return persons

    written(world(), world())


def test_two_swapped_names_need_one_temporary_value() -> None:
    """It says that it is one, keeps the domain, and what was before stays told by the operation that follows."""
    ordered = written(
        {1: {"userName": "a@x.example"}, 2: {"userName": "b@x.example"}},
        swap := {
            1: {"userName": "b@x.example"},
            2: {"userName": "a@x.example"},
        },
    )
    aside, second, first = ordered
    assert (aside.temporary, aside.person, second.person, first.person) == (True, 1, 2, 1)
    assert str(aside.set["userName"]).endswith("@x.example")
    assert aside.set["userName"] not in {values["userName"] for values in swap.values()}
    assert first.before == {"userName": "a@x.example"}


def test_a_chain_needs_no_temporary_value() -> None:
    """Whoever gives up a name comes before whoever gets it, a creation last, a deletion first."""
    ordered = written(
        {1: {"userName": "a"}, 2: {"userName": "b"}, 3: {"userName": "c"}},
        {1: {"userName": "b"}, 2: {"userName": "c"}, 4: {"userName": "a"}},
    )
    assert [write.person for write in ordered] == [3, 2, 1, 4]


def test_a_chain_that_hangs_on_a_circle_waits_for_it() -> None:
    """The temporary value is set in the circle, not in what waits behind it."""
    before = {person: {"userName": name} for person, name in enumerate("abcd")}
    after = {0: {"userName": "n"}, 1: {"userName": "c"}, 2: {"userName": "b"}, 3: {"userName": "a"}}
    ordered = written(before, after)
    assert [write.person for write in ordered if write.temporary] == [1]


def test_the_new_spelling_of_an_own_name_is_no_move() -> None:
    """Nobody else waits for it."""
    ordered = list(in_order([update(1, {"userName": "anna"}, {"userName": "Anna"})], UNIQUE))
    assert [(phase, write.temporary) for phase, write in ordered] == [(PlanPhase.ACCOUNTS, False)]


@pytest.mark.parametrize("kind", [OperationKind.DELETE, OperationKind.SOFT_DELETE, OperationKind.DISABLE])
def test_a_disabled_account_keeps_its_name(kind: OperationKind) -> None:
    """One that is deleted does not, and goes before whoever gets the name."""
    gone = operation(kind, 2, before={"userName": "anna"})
    came = operation(OperationKind.CREATE, 1, set={"userName": "anna"})
    moves = [phase for phase, _ in in_order([came, gone], UNIQUE) if phase is PlanPhase.MOVES]
    assert len(moves) == (0 if kind is OperationKind.DISABLE else 2)


def test_a_unique_number_is_cleared_while_it_moves() -> None:
    """There is no temporary one that nobody has."""
    unique = {SCIM: {"uidNumber": "uidNumber"}}
    one = operation(person=1, set={"uidNumber": 7}, before={"uidNumber": 8})
    two = operation(person=2, set={"uidNumber": 8}, before={"uidNumber": 7})
    aside, *_ = ordered_moves([one, two], unique)
    assert (aside.set, aside.clear, aside.temporary) == ({}, frozenset({"uidNumber"}), True)


def test_what_an_account_keeps_of_several_values_stays_while_others_move() -> None:
    """Only what somebody else waits for is set aside."""
    one = operation(person=1, set={"proxies": ("b@x", "own@x")}, before={"proxies": ("a@x", "own@x")})
    two = operation(person=2, set={"proxies": ("a@x",)}, before={"proxies": ("b@x",)})
    aside, *_ = ordered_moves([one, two], UNIQUE)
    assert (aside.set, aside.clear, aside.before) == ({"proxies": ("own@x",)}, frozenset(), one.before)
    other, *_ = ordered_moves([two, one], UNIQUE)
    assert (other.set, other.clear) == ({}, frozenset({"proxies"}))


def test_values_are_compared_without_case_and_within_their_target() -> None:
    """As targets do."""
    gives = operation(person=2, set={"userName": "c"}, before={"userName": "ANNA"})
    gets = operation(person=1, set={"userName": "anna"}, before={"userName": "b"})
    elsewhere = operation(person=1, set={"userName": "anna"}, before={"userName": "b"}, target="other")
    unique = UNIQUE | {"other": UNIQUE[SCIM]}
    assert [write.person for _, write in in_order([gets, gives], unique)] == [2, 1]
    assert [phase for phase, _ in in_order([elsewhere, gives], unique)] == [PlanPhase.ACCOUNTS] * 2


def finder(*operations: AccountOperation) -> MoveFinder:
    """One that has seen them."""
    found = MoveFinder(UNIQUE)
    for index, noted in enumerate(operations):
        found.note(index, noted)
    return found


def test_two_that_are_to_get_the_same_value_are_found() -> None:
    """Both, whoever else there is."""
    news = [operation(OperationKind.CREATE, person, set={"userName": name}) for person, name in enumerate("aBcb")]
    assert finder(*news).duplicates() == {1: 3, 3: 1}
    assert finder(*news[:3]).duplicates() == {}


def test_what_an_account_keeps_is_neither_given_up_nor_got() -> None:
    """An address that moves from one attribute of an account to another stays its own."""
    moved = operation(person=1, set={"mail": "b@x", "proxies": ("a@x",)}, before={"mail": "a@x", "proxies": ("b@x",)})
    assert finder(moved, operation(OperationKind.CREATE, 2, set={"userName": "a@x"})).moves() == frozenset()


def phases(*operations: AccountOperation) -> list[tuple[str, int]]:
    """Phase and person of each."""
    return [(phase.value, write.person) for phase, write in in_order(operations, UNIQUE)]


def test_phases_come_in_order() -> None:
    """Whatever the order in which they were planned."""
    group = {"object": ObjectKind.GROUP}
    planned = (
        operation(OperationKind.LINK, 1, added={"members": (1,)}, **group),
        operation(OperationKind.DELETE, 2),
        operation(OperationKind.ENABLE, 3),
        operation(OperationKind.LINK, 4, removed={"members": (1,)}, **group),
        operation(OperationKind.SOFT_DELETE, 5),
        operation(OperationKind.CREATE, 6),
        operation(OperationKind.DISABLE, 7),
        operation(OperationKind.RESTORE, 8),
        operation(OperationKind.UPDATE, 9, set={"userName": "x"}, before={"userName": "y"}),
        operation(OperationKind.ADOPT, 10, set={"userName": "y"}),
        operation(OperationKind.LINK, 11, added={"manager": (1,)}, removed={"manager": (2,)}),
    )
    expected = [
        ("restore", 8),
        ("disable", 7),
        ("moves", 9),
        ("moves", 10),
        ("accounts", 6),
        ("enable", 3),
        ("unlink", 4),
        ("unlink", 11),
        ("link", 1),
        ("soft_delete", 5),
        ("delete", 2),
    ]
    assert phases(*planned) == expected
    assert [phase for phase, _ in phases(*reversed(planned))] == [phase for phase, _ in expected]


@pytest.mark.parametrize("kind", list(OperationKind))
def test_every_kind_of_operation_has_a_phase(kind: OperationKind) -> None:
    """None is forgotten, and none of them is the phase of what is not written."""
    assert phase_of(operation(kind)) not in {PlanPhase.HELD, PlanPhase.MOVES}


def test_a_group_leaves_its_group_before_it_takes_that_one_in() -> None:
    """In no moment two groups are inside each other."""
    inside = {(1, 2)}  # group 2 is a member of group 1
    planned = (
        operation(OperationKind.LINK, 2, object=ObjectKind.GROUP, added={"members": (1,)}),
        operation(OperationKind.LINK, 1, object=ObjectKind.GROUP, removed={"members": (2,)}),
    )
    for planned_order in itertools.permutations(planned):
        now = set(inside)
        for _, write in in_order(planned_order, UNIQUE):
            now |= {(write.person, member) for member in write.added.get("members", ())}
            now -= {(write.person, member) for member in write.removed.get("members", ())}
            assert not {(1, 2), (2, 1)} <= now
        assert now == {(2, 1)}
