"""Joins, values with lineage, and finding persons by a value."""

from __future__ import annotations

import pytest

from sync.model import Lineage, ObjectKind, Person
from sync.state import JoinRefused, ObjectUnknown, PersonInUse, SyncState
from tests.sync.state.support import NOW, account, affected, deleted, read, settle, whole

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16


def lineage(key: bytes = A, rule: str = "rule 1") -> tuple[Lineage, ...]:
    return (Lineage("ad", key, rule, 0.0),)


def test_two_living_objects_of_one_source_are_never_one_person(state: SyncState) -> None:
    """The error names both and the rule; one of another source may join, and a deleted one makes room."""
    read(state, whole(A), whole(B))
    read(state, whole(C), source="hr")
    person = state.persons.create(ObjectKind.USER)
    state.persons.join("ad", A, person, "by mail", NOW)
    with pytest.raises(JoinRefused) as refused:
        state.persons.join("ad", B, person, "by name", NOW)
    for word in ("by name", A.hex(), B.hex(), "ad"):
        assert word in str(refused.value)
    state.persons.join("hr", C, person, "by number", NOW)
    read(state, deleted(A))
    state.persons.join("ad", B, person, "by name", NOW)
    assert {(one.object.source, one.object.key, one.rule) for one in state.persons.objects_of(person)} == {
        ("ad", B, "by name"),
        ("hr", C, "by number"),
    }
    assert state.persons.of_object("ad", A) == 0


def test_a_join_stays_until_it_is_taken_back(state: SyncState) -> None:
    """Also where the object is deleted: who it was is asked for until its accounts are gone."""
    read(state, whole(A))
    person = state.persons.create(ObjectKind.USER)
    state.persons.join("ad", A, person, "by mail", NOW)
    state.persons.join("ad", A, person, "by another rule", NOW + 1)
    read(state, deleted(A))
    (joined,) = state.persons.objects_of(person)
    assert (joined.rule, joined.since, joined.object.deleted) == ("by mail", NOW, True)
    settle(state)
    state.persons.unjoin("ad", A)
    assert state.persons.objects_of(person) == []
    assert affected(state) == {person}


def test_what_no_source_told_of_cannot_be_joined(state: SyncState) -> None:
    """A placeholder neither."""
    with pytest.raises(ObjectUnknown, match=A.hex()):
        state.persons.join("ad", A, state.persons.create(ObjectKind.USER), "rule", NOW)


def test_a_value_keeps_its_age_until_it_becomes_another(state: SyncState) -> None:
    """Lineage says since when: the same value of the same object by the same rule is not new."""
    read(state, whole(A), whole(B))
    number = state.persons.create(ObjectKind.USER)

    def save(value: str, now: float, rule: str = "rule 1") -> float:
        state.persons.save(Person(number, ObjectKind.USER, {"mail": value}, {"mail": lineage(rule=rule)}), now)
        known = state.persons.find(number)
        assert known is not None
        assert known.values == {"mail": value}
        (origin,) = known.lineage["mail"]
        assert (origin.source, origin.key, origin.rule) == ("ad", A, rule)
        return origin.since

    assert save("a@x", 1.0) == 1.0
    assert save("a@x", 2.0) == 1.0
    assert save("b@x", 3.0) == 3.0
    assert save("b@x", 4.0, "rule 2") == 4.0


def test_saving_tells_what_changed(state: SyncState) -> None:
    """Names of values that came, went or are others."""
    number = state.persons.create(ObjectKind.USER)
    before = Person(number, ObjectKind.USER, {"a": 1, "b": ("x",), "c": b"y"})
    assert state.persons.save(before, NOW) == {"a", "b", "c"}
    assert state.persons.save(before, NOW) == frozenset()
    assert state.persons.save(Person(number, ObjectKind.USER, {"a": 1, "b": ("x", "z")}), NOW) == {"b", "c"}


def test_persons_are_found_by_indexed_values(state: SyncState) -> None:
    """One of several values, whatever its case unless exact; values that only look alike are others."""
    one, two, three = (state.persons.create(ObjectKind.USER) for _ in range(3))
    state.persons.save(Person(one, ObjectKind.USER, {"mail": ("Ann@x", "other@x"), "id": b"\1"}), NOW)
    state.persons.index("person", ["mail", "id"])
    state.persons.save(Person(two, ObjectKind.USER, {"mail": "ann@X"}), NOW)
    state.persons.save(Person(three, ObjectKind.USER, {"mail": "\uff41nn@x"}), NOW)
    assert list(state.persons.with_value("mail", "ANN@X")) == [one, two]
    assert list(state.persons.with_value("mail", "ann@X", exact=True)) == [two]
    assert list(state.persons.with_value("id", b"\1")) == [one]
    assert list(state.persons.with_value("id", "\1")) == []
    state.persons.save(Person(one, ObjectKind.USER, {"mail": "new@x"}), NOW)
    assert list(state.persons.with_value("mail", "other@x")) == []
    assert list(state.persons.with_value("mail", "new@x")) == [one]
    state.persons.index("person", ["id"])
    assert list(state.persons.with_value("mail", "new@x")) == []


def test_unique_values_of_accounts_are_found_more_widely(state: SyncState) -> None:
    """Some services take widths and composed characters for the same: better to ask once too often."""
    one, two = state.persons.create(ObjectKind.USER), state.persons.create(ObjectKind.USER)
    state.accounts.confirm(account(one, userName="Jose\u0301"))
    state.persons.index("account", ["userName"])
    state.accounts.confirm(account(two, userName="other"))
    assert [found.person for found in state.accounts.with_value("app", "userName", "JOS\u00c9")] == [one]
    assert [found.remote for found in state.accounts.with_value("app", "userName", "OTHER")] == [f"remote{two}"]
    assert list(state.accounts.with_value("elsewhere", "userName", "other")) == []
    state.accounts.confirm(account(two, userName="new"))
    assert list(state.accounts.with_value("app", "userName", "other")) == []


def test_a_person_in_use_is_not_forgotten(state: SyncState) -> None:
    """Objects first, then accounts."""
    read(state, whole(A))
    person = state.persons.create(ObjectKind.USER)
    state.persons.join("ad", A, person, "rule", NOW)
    state.accounts.confirm(account(person))
    with pytest.raises(PersonInUse, match="objects"):
        state.persons.forget(person)
    state.persons.unjoin("ad", A)
    with pytest.raises(PersonInUse, match="accounts"):
        state.persons.forget(person)
    other = state.persons.create(ObjectKind.USER)
    state.persons.forget(other)
    assert state.persons.find(other) is None
    assert [known.id for known in state.persons.all()] == [person]
