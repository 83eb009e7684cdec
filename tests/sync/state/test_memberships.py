"""Members that an account should have, and has not; and who is affected by a change."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from sync.model import AccountState, LinkFlow, ObjectKind
from sync.state import AffectedBy, LinkDifference, SyncState
from tests.sync.state.support import (
    NOW,
    account,
    affected,
    changed,
    deleted,
    group,
    join_all,
    keys,
    linked,
    new_state,
    read,
    settle,
    whole,
)

A, B, C, G, H, K = b"a" * 16, b"b" * 16, b"c" * 16, b"g" * 16, b"h" * 16, b"k" * 16


def flow(key: bytes, *, nested: bool = False) -> tuple[LinkFlow, ...]:
    return (LinkFlow("members", ("ad", key), "member", nested),)


def confirm_all(state: SyncState, *kinds: ObjectKind) -> dict[bytes, int]:
    persons = join_all(state)
    for known in list(state.objects.all("ad")):
        if known.kind in (kinds or (ObjectKind.USER, ObjectKind.GROUP)):
            state.accounts.confirm(account(persons[known.key], kind=known.kind))
    return persons


def apply(state: SyncState, person: int, flows: tuple[LinkFlow, ...]) -> list[LinkDifference]:
    """What is missing, which is then done."""
    found = list(state.memberships.difference(person, "app", flows))
    for one in found:
        which = {"added": [one.person]} if one.added else {"removed": [one.person]}
        state.accounts.confirm_links(person, "app", one.attribute, **which)
    assert state.memberships.settle(person, "app", flows)
    return found


def test_members_with_an_account_are_missing_until_they_are_confirmed(state: SyncState) -> None:
    """Who has no account at this target cannot be a member there."""
    read(state, whole(A), whole(B), whole(C), group(G, A, B))
    persons = join_all(state)
    for key in (A, C, G):
        state.accounts.confirm(account(persons[key]))
    state.accounts.confirm(account(persons[B], "elsewhere"))
    assert apply(state, persons[G], flow(G)) == [LinkDifference("members", persons[A], True)]
    assert apply(state, persons[G], flow(G)) == []
    state.accounts.confirm(account(persons[B]))
    assert persons[G] in affected(state)
    assert apply(state, persons[G], flow(G)) == [LinkDifference("members", persons[B], True)]


def test_a_member_goes_when_the_link_or_the_account_goes(state: SyncState) -> None:
    """Deleted in the source, removed from the group, or soft deleted at the target; a disabled one stays."""
    read(state, whole(A), whole(B), whole(C), group(G, A, B, C))
    persons = confirm_all(state)
    apply(state, persons[G], flow(G))
    settle(state)
    read(state, linked(G, removed=keys(A)))
    assert affected(state) == {persons[G]}
    assert apply(state, persons[G], flow(G)) == [LinkDifference("members", persons[A], False)]
    read(state, deleted(B))
    assert apply(state, persons[G], flow(G)) == [LinkDifference("members", persons[B], False)]
    one = state.accounts.find(persons[C], "app")
    assert one is not None
    state.accounts.confirm(structs.replace(one, state=AccountState.DISABLED))
    assert apply(state, persons[G], flow(G)) == []
    state.accounts.confirm(structs.replace(one, state=AccountState.SOFT_DELETED))
    assert apply(state, persons[G], flow(G)) == [LinkDifference("members", persons[C], False)]


def test_nested_members_are_flattened_and_cycles_end(state: SyncState) -> None:
    """The groups themselves are no members then; without `nested`, they are, and what is in them is not."""
    read(state, whole(A), whole(B), whole(C), group(G, A, H), group(H, B, K), group(K, C, G))
    persons = confirm_all(state)
    added = [one.person for one in state.memberships.difference(persons[G], "app", flow(G, nested=True))]
    assert added == sorted(persons[key] for key in (A, B, C))
    direct = [one.person for one in state.memberships.difference(persons[G], "app", flow(G))]
    assert direct == sorted(persons[key] for key in (A, H))


def test_a_change_in_a_nested_group_affects_the_groups_above(state: SyncState) -> None:
    """Whether a person or a group comes or goes."""
    read(state, whole(A), whole(B), group(G, H), group(H, A), group(K, B))
    persons = confirm_all(state)
    nested = flow(G, nested=True)
    apply(state, persons[G], nested)
    settle(state)
    read(state, linked(H, added=keys(B)))
    assert affected(state) == {persons[G], persons[H]}
    assert apply(state, persons[G], nested) == [LinkDifference("members", persons[B], True)]
    read(state, linked(H, removed=keys(B)))
    read(state, linked(H, added=keys(K)))
    assert apply(state, persons[G], nested) == []
    read(state, linked(G, removed=keys(H)), linked(H, removed=keys(A)))
    assert {one.person for one in apply(state, persons[G], nested)} == {persons[A], persons[B]}


def test_other_flows_are_compared_as_a_whole(state: SyncState) -> None:
    """The rules are others: nothing has been noted of what they ask for."""
    read(state, whole(A), whole(B), group(G, A), group(H, B))
    persons = confirm_all(state)
    apply(state, persons[G], flow(G))
    assert [one.person for one in state.memberships.difference(persons[G], "app", flow(G) + flow(H))] == [persons[B]]


def test_what_was_not_confirmed_stays_missing(state: SyncState) -> None:
    """Computing a difference changes nothing, and settling does nothing while one is left."""
    read(state, whole(A), group(G, A))
    persons = confirm_all(state)
    first = list(state.memberships.difference(persons[G], "app", flow(G)))
    assert not state.memberships.settle(persons[G], "app", flow(G))
    assert list(state.memberships.difference(persons[G], "app", flow(G))) == first


def test_a_member_that_becomes_another_person_is_exchanged(state: SyncState) -> None:
    """The object is the same, but whose account it stands for is not."""
    read(state, whole(A), group(G, A))
    persons = confirm_all(state)
    apply(state, persons[G], flow(G))
    settle(state)
    other = state.persons.create(ObjectKind.USER)
    state.accounts.confirm(account(other))
    state.persons.unjoin("ad", A)
    state.persons.join("ad", A, other, "another rule", NOW)
    assert persons[G] in affected(state)
    assert {(one.person, one.added) for one in apply(state, persons[G], flow(G))} == {(persons[A], False), (other, True)}


def test_a_new_account_at_the_target_has_all_its_links_to_get(state: SyncState) -> None:
    """Deleted and made again, under another identifier: what was confirmed of the first one counts no more."""
    read(state, whole(A), group(G, A))
    persons = confirm_all(state)
    apply(state, persons[G], flow(G))
    one = state.accounts.find(persons[G], "app")
    assert one is not None
    state.accounts.confirm(structs.replace(one, state=AccountState.DELETED))
    state.accounts.confirm(account(persons[G], kind=ObjectKind.GROUP))
    assert [link.person for link in apply(state, persons[G], flow(G))] == [persons[A]]


def test_an_account_that_was_made_anew_is_a_member_of_nothing(state: SyncState) -> None:
    """Somebody had deleted it at the target: what was confirmed of the old one does not hold for the new one."""
    read(state, whole(A), group(G, A))
    persons = confirm_all(state)
    apply(state, persons[G], flow(G))
    one = state.accounts.find(persons[A], "app")
    assert one is not None
    state.accounts.confirm(structs.replace(one, remote="another"))
    assert apply(state, persons[G], flow(G)) == [LinkDifference("members", persons[A], True)]


def test_a_change_of_the_object_affects_its_person(state: SyncState) -> None:
    """And nobody else; a value that is told again affects nobody."""
    read(state, whole(A, sn="A"), whole(B))
    persons = join_all(state)
    settle(state)
    read(state, changed(A, sn="A"))
    assert affected(state) == set()
    read(state, changed(A, sn="B"))
    (one,) = state.marks.affected_persons()
    assert (one.person, one.causes) == (persons[A], AffectedBy.OBJECT)
    (known,) = state.marks.changed_objects()
    assert (known.object.key, known.person) == (A, persons[A])


def test_a_renamed_ou_affects_who_lies_below(state: SyncState) -> None:
    """Their DN is another, although nothing was told of them."""
    ou, inner = b"o" * 16, b"i" * 16
    read(state, whole(ou, ObjectKind.OTHER, dn="OU=o"), whole(inner, ObjectKind.OTHER, dn="OU=i,OU=o", parent=ou))
    read(state, whole(A, dn="CN=a,OU=i,OU=o", parent=inner), whole(B, dn="CN=b"))
    persons = join_all(state)
    settle(state)
    read(state, changed(ou, dn="OU=p"))
    assert persons[A] in affected(state)
    assert persons[B] not in affected(state)
    causes = {one.person: one.causes for one in state.marks.affected_persons()}
    assert causes[persons[A]] == AffectedBy.PATH


def test_an_account_that_comes_or_goes_affects_who_links_to_it(state: SyncState) -> None:
    """Groups, groups above them, and whoever has it as manager: not those whose manager links to it."""
    read(state, whole(A), whole(B, links={"manager": keys(A)}), whole(C, links={"manager": keys(B)}))
    read(state, group(G, A), group(H, G))
    persons = join_all(state)
    settle(state)
    state.accounts.confirm(account(persons[A]))
    assert affected(state) == {persons[A], persons[B], persons[G], persons[H]}
    settle(state)
    state.accounts.confirm(account(persons[A], sn="other"))
    assert affected(state) == set()


def test_a_mark_that_was_renewed_is_not_settled(state: SyncState) -> None:
    """Somebody was changed again between the look and its end."""
    read(state, whole(A, sn="A"))
    join_all(state)
    (before,) = state.marks.affected_persons()
    (known,) = state.marks.changed_objects()
    read(state, changed(A, sn="B"))
    state.marks.settle_person(before)
    state.marks.settle_object(known)
    assert len(list(state.marks.affected_persons())) == 1
    assert len(list(state.marks.changed_objects())) == 1


def test_everything_can_be_affected(state: SyncState) -> None:
    """Of one source, or of all."""
    read(state, whole(A))
    read(state, whole(B), source="other")
    persons = join_all(state) | join_all(state, "other")
    settle(state)
    state.marks.affect_everything("other")
    assert affected(state) == {persons[B]}
    assert [one.object.key for one in state.marks.changed_objects()] == [B]
    state.marks.affect_everything()
    assert affected(state) == set(persons.values())
    assert len(list(state.marks.changed_objects())) == 2


def test_one_member_more_is_one_row_however_large_the_group(tmp_path: Path) -> None:
    """Not the whole group is compared: counted in steps of SQLite's machine."""
    many = [b"%016d" % number for number in range(3000)]
    state = new_state(tmp_path / "state.db")
    read(state, *(whole(key) for key in many), whole(A), group(G, *many))
    with state.transaction():
        persons = confirm_all(state)
    for nested in (False, True):
        flows = flow(G, nested=nested)
        first = list(state.memberships.difference(persons[G], "app", flows))
        state.accounts.confirm_links(persons[G], "app", "members", added=[one.person for one in first])
        assert state.memberships.settle(persons[G], "app", flows)
        read(state, linked(G, added=keys(A)))
        steps = 0

        def count() -> None:
            nonlocal steps
            steps += 1

        connection: sqlite3.Connection = state._file._connection  # type: ignore[attr-defined]
        connection.set_progress_handler(count, 100)
        assert list(state.memberships.difference(persons[G], "app", flows)) == [LinkDifference("members", persons[A], True)]
        connection.set_progress_handler(None, 0)
        assert steps < 20
        read(state, linked(G, removed=keys(A)))
        assert apply(state, persons[G], flows) == []
    state.close()


EDGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "delete", "account", "gone", "settle"]), st.integers(0, 7), st.integers(0, 7)
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(EDGES)
def test_noted_changes_come_to_what_a_whole_comparison_gives(steps: list[tuple[str, int, int]]) -> None:
    """Whatever came and went in whatever order: objects 0 to 3 are groups, in each other too."""
    keys_of = [b"%016d" % number for number in range(8)]
    with tempfile.TemporaryDirectory() as folder:
        state = new_state(Path(folder) / "state.db")
        read(state, *(group(key) if number < 4 else whole(key) for number, key in enumerate(keys_of)))
        persons = confirm_all(state, ObjectKind.GROUP)
        plans = [
            (persons[key], flow(key, nested=nested))
            for key, nested in zip(keys_of[:4], (True, False, True, True), strict=True)
        ]
        for what, one, other in steps:
            if what in {"add", "remove"}:
                read(state, linked(keys_of[one % 4], **{"added" if what == "add" else "removed": keys(keys_of[other])}))
            elif what == "delete":
                read(state, deleted(keys_of[one]))
            elif what == "account":
                state.accounts.confirm(account(persons[keys_of[one]]))
            elif what == "gone":
                found = state.accounts.find(persons[keys_of[one]], "app")
                if found is not None and one >= 4:
                    state.accounts.confirm(structs.replace(found, state=AccountState.SOFT_DELETED))
            else:
                for person, flows in plans:
                    apply(state, person, flows)
        for person, flows in plans:
            noted = list(state.memberships.difference(person, "app", flows))
            with state.transaction():
                state._file.run("UPDATE accounts SET flows = NULL")  # type: ignore[attr-defined]
            assert noted == list(state.memberships.difference(person, "app", flows))
            apply(state, person, flows)
        state.close()
