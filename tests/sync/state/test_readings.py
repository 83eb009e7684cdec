"""What becomes of objects and links when a source tells of them."""

from __future__ import annotations

import struct

from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, SourceChange, Values
from sync.state import DeletionEvidence, ReadingKind, SyncState
from tests.sync.state.support import (
    COOKIE,
    NOW,
    changed,
    deleted,
    found,
    group,
    keys,
    linked,
    members,
    names,
    read,
    read_all,
    whole,
)

A, B, C, G = b"a" * 16, b"b" * 16, b"c" * 16, b"g" * 16
DOMAIN = bytes.fromhex("0105000000000005") + struct.pack("<4I", 21, 1, 2, 3)


def test_whole_replaces_and_changed_amends(state: SyncState) -> None:
    """An attribute that is not told is gone after WHOLE, and as before after CHANGED."""
    read(state, whole(A, mail="a@x", sn="A"))
    read(state, changed(A, sn="B", title=("x", "y")))
    assert found(state, A).values == {"mail": "a@x", "sn": "B", "title": ("x", "y")}
    read(state, changed(A, cleared=("title",)))
    assert found(state, A).values == {"mail": "a@x", "sn": "B"}
    read(state, whole(A, sn="C"))
    assert found(state, A).values == {"sn": "C"}


def test_every_kind_of_value_comes_back(state: SyncState) -> None:
    """Texts, numbers, truth values and bytes stay what they are, one or several."""
    values: Values = {"t": "ä\0\n", "n": -(2**63), "b": True, "o": b"\0\xff", "several": (1, True, "x", b"y"), "one": ("x",)}
    read(state, SourceChange(ChangeKind.WHOLE, A, values=values))
    assert found(state, A).values == values
    assert {name: type(value) for name, value in found(state, A).values.items()} == {
        name: type(value) for name, value in values.items()
    }


def test_present_changes_nothing_but_asks_for_what_is_not_known(state: SyncState) -> None:
    """An object of which only the key is told has to be read."""
    read(state, whole(A, sn="A"))
    read(state, SourceChange(ChangeKind.PRESENT, A), SourceChange(ChangeKind.PRESENT, B))
    assert found(state, A).values == {"sn": "A"}
    assert [wanted.key for wanted in state.objects.rereads("ad")] == [B]
    read(state, whole(B, sn="B"), kind=ReadingKind.FETCH)
    assert list(state.objects.rereads("ad")) == []


def test_a_deleted_object_leaves_every_link(state: SyncState) -> None:
    """A delta tells of the tombstone only: the group loses its member, and nobody has that manager any more."""
    read(state, whole(A), whole(B, links={"manager": keys(A)}), group(G, A, B))
    read(state, deleted(A, "CN=a\\0ADEL:1,CN=Deleted Objects"))
    assert members(state, G) == [B]
    assert members(state, B, "manager") == []
    assert found(state, A).deleted
    evidence = state.objects.deletion("ad", A)
    assert evidence is not None
    assert evidence.evidence is DeletionEvidence.TOMBSTONE
    assert [known.key for known in state.objects.all("ad")] == [B, G]


def test_a_restored_object_is_read_again(state: SyncState) -> None:
    """What it holds now is not told by a delta."""
    read(state, whole(A, sn="A", mail="a@x"))
    read(state, deleted(A))
    read(state, changed(A, restored=True, cleared=("mail",)))
    assert not found(state, A).deleted
    assert state.objects.deletion("ad", A) is None
    assert [wanted.key for wanted in state.objects.rereads("ad")] == [A]
    read(state, whole(A, sn="A"), kind=ReadingKind.FETCH)
    assert list(state.objects.rereads("ad")) == []
    assert found(state, A).values == {"sn": "A"}


def test_an_object_whose_deletion_was_missed_is_read_again_when_it_is_restored(state: SyncState) -> None:
    """What it held before is not what it holds now, although nobody told of its end."""
    read(state, whole(A, sn="A"))
    read(state, changed(A, restored=True))
    assert [wanted.key for wanted in state.objects.rereads("ad")] == [A]


def test_an_object_that_lives_again_without_being_told_so_is_read_again(state: SyncState) -> None:
    """A change of an object that was deleted says that it lives, but not what it holds."""
    read(state, whole(A, sn="A"))
    read(state, deleted(A))
    read(state, changed(A, sn="B"))
    assert not found(state, A).deleted
    assert [wanted.key for wanted in state.objects.rereads("ad")] == [A]


def test_a_deletion_of_an_unknown_object_is_no_error(state: SyncState) -> None:
    """Servers name objects as deleted that never matched what was asked for."""
    read(state, deleted(A))
    assert state.objects.find("ad", A) is None


def test_absent_is_only_what_was_asked_for_and_not_found(state: SyncState) -> None:
    """A complete and exhaustive reading makes candidates; asking for the key decides."""
    read_all(state, whole(A), whole(B), whole(C))
    assert read_all(state, whole(A)).absent == 2
    assert [candidate.key for candidate in state.objects.absence_candidates("ad")] == [B, C]
    assert not found(state, B).deleted
    read(state, deleted(B), whole(C), kind=ReadingKind.FETCH)
    assert list(state.objects.absence_candidates("ad")) == []
    assert found(state, B).deleted
    assert not found(state, C).deleted
    evidence = state.objects.deletion("ad", B)
    assert evidence is not None
    assert evidence.evidence is DeletionEvidence.ABSENT


def test_a_reading_that_is_not_complete_or_not_exhaustive_makes_nothing_absent(state: SyncState) -> None:
    """Half an answer says nothing about what is not in it."""
    read_all(state, whole(A), whole(B))
    assert read(state, whole(A), kind=ReadingKind.FULL, complete=False, exhaustive=True).absent == 0
    assert read(state, whole(A), kind=ReadingKind.FULL, complete=True, exhaustive=False).absent == 0
    assert list(state.objects.absence_candidates("ad")) == []


def test_an_object_that_is_seen_again_is_no_candidate(state: SyncState) -> None:
    """A delta may tell of it before anybody has asked."""
    read_all(state, whole(A), whole(B))
    read_all(state, whole(A))
    read(state, changed(B, sn="B"))
    assert list(state.objects.absence_candidates("ad")) == []


def test_present_counts_as_seen(state: SyncState) -> None:
    """A present phase (RFC 4533) names unchanged objects by their keys."""
    read_all(state, whole(A), whole(B))
    assert read(state, SourceChange(ChangeKind.PRESENT, A), exhaustive=True).absent == 1
    assert [candidate.key for candidate in state.objects.absence_candidates("ad")] == [B]


def test_asking_for_an_object_that_no_reading_missed_is_weaker_evidence(state: SyncState) -> None:
    """Only a complete reading and the question together are evidence of absence."""
    read(state, whole(A), whole(B))
    read(state, deleted(A), deleted(B, "CN=b\\0ADEL:1"), kind=ReadingKind.FETCH)
    found_a, found_b = state.objects.deletion("ad", A), state.objects.deletion("ad", B)
    assert found_a is not None
    assert found_b is not None
    assert (found_a.evidence, found_b.evidence) == (DeletionEvidence.NOT_FOUND, DeletionEvidence.TOMBSTONE)
    read(state, deleted(A))
    found_a = state.objects.deletion("ad", A)
    assert found_a is not None
    assert found_a.evidence is DeletionEvidence.TOMBSTONE


def test_the_cookie_comes_with_the_end_of_its_reading(state: SyncState) -> None:
    """Never before what it stands for, and not by asking for single objects."""
    reading = state.begin_reading("ad", ReadingKind.FULL, 1, NOW)
    reading.apply([whole(A)])
    status = state.objects.status("ad")
    assert (status.cookie, status.complete) == (None, False)
    reading.finish(complete=True, cookie=COOKIE, now=NOW + 1)
    assert state.objects.status("ad").cookie == COOKIE
    fetch = state.begin_reading("ad", ReadingKind.FETCH, 1, NOW)
    fetch.finish(complete=True, cookie=b"other", now=NOW)
    status = state.objects.status("ad")
    assert (status.cookie, status.complete, status.completed) == (COOKIE, True, NOW + 1)


def test_a_full_reading_of_changes_replaces_what_was_known(state: SyncState) -> None:
    """DirSync from no cookie says `changed` of everything: what is not told is gone, not as before."""
    read(state, whole(A, sn="A", mail="a@x"), group(G, A, B))
    pieces = (linked(G, added=keys(B)), linked(G, added=keys(C)))
    read(state, changed(A, sn="A"), *pieces, kind=ReadingKind.FULL)
    assert found(state, A).values == {"sn": "A"}
    assert members(state, G) == [B, C]


def test_a_link_waits_for_its_object(state: SyncState) -> None:
    """By key, whichever comes first; it is complete in the reading in which the object appears."""
    read(state, group(G, A))
    assert [target.key for target in state.objects.links_of("ad", G, "member")] == [A]
    assert state.objects.find("ad", A) is None
    read(state, whole(A))
    assert [known.key for known in state.objects.holders_of("ad", A, "member")] == [G]


def test_a_link_by_name_waits_for_the_name(state: SyncState) -> None:
    """However the DN is spelled."""
    read(state, whole(G, ObjectKind.GROUP, links={"member": names("UID=Ann\\2c  B , ou=People,dc=x")}))
    assert list(state.objects.links_of("ad", G, "member")) == [LinkTarget(name="UID=Ann\\2c  B , ou=People,dc=x")]
    read(state, whole(A, dn="uid=ann\\,  b,OU=people,DC=x"))
    assert members(state, G) == [A]


def test_a_link_by_name_stays_with_the_name(state: SyncState) -> None:
    """A renamed object is no member any more; the next one of that name is."""
    read(state, whole(A, dn="uid=a,dc=x"), whole(G, ObjectKind.GROUP, links={"member": names("uid=a,dc=x")}))
    read(state, whole(A, dn="uid=b,dc=x"))
    assert list(state.objects.links_of("ad", G, "member")) == [LinkTarget(name="uid=a,dc=x")]
    read(state, whole(B, dn="uid=a,dc=x"))
    assert members(state, G) == [B]
    read(state, deleted(B))
    assert list(state.objects.links_of("ad", G, "member")) == [LinkTarget(name="uid=a,dc=x")]


def test_a_link_by_key_follows_a_rename(state: SyncState) -> None:
    """The directory said whom it means."""
    read(state, whole(A, dn="CN=a,DC=x"), group(G, A))
    read(state, whole(A, dn="CN=b,DC=x"))
    assert members(state, G) == [A]


def test_a_link_that_cannot_be_found_to_be_removed_asks_for_its_object(state: SyncState) -> None:
    """What was to be removed is told by a name that nobody has: the group has to be read again."""
    read(state, group(G, A))
    read(state, linked(G, removed=names("CN=nobody,DC=x")))
    assert [wanted.key for wanted in state.objects.rereads("ad")] == [G]


def test_added_and_removed_are_single_links(state: SyncState) -> None:
    """A value that was there before may be told as added again."""
    read(state, group(G, A, B))
    read(state, linked(G, added=keys(A, C), removed=keys(B)))
    assert members(state, G) == [A, C]


def test_links_told_in_pieces_are_one(state: SyncState) -> None:
    """The first piece replaces, the others add: none of the members is lost in between."""
    read(state, group(G, A, B))
    reading = state.begin_reading("ad", ReadingKind.DELTA, 1, NOW)
    reading.apply([group(G, B)])
    assert sorted(members(state, G)) == [A, B]
    reading.apply([linked(G, added=keys(C))])
    assert sorted(members(state, G)) == [A, B]
    reading.apply([whole(A)])
    assert members(state, G) == [B, C]


def test_a_reading_that_breaks_between_pieces_takes_no_member_away(state: SyncState) -> None:
    """What was not told may have been in the next piece."""
    read(state, group(G, A, B))
    read(state, group(G, C), complete=False)
    assert sorted(members(state, G)) == [A, B, C]
    read(state, group(G, C))
    assert members(state, G) == [C]


def test_a_cleared_linked_attribute_has_no_links(state: SyncState) -> None:
    """Nobody is the manager any more."""
    read(state, whole(A, links={"manager": keys(B)}))
    read(state, changed(A, cleared=("manager",)))
    assert members(state, A, "manager") == []


def test_a_renamed_ou_renames_what_lies_below(state: SyncState) -> None:
    """The directory tells of the OU only."""
    ou, inner = b"o" * 16, b"i" * 16
    read(
        state,
        whole(ou, ObjectKind.OTHER, dn="OU=old,DC=x"),
        whole(inner, ObjectKind.OTHER, dn="OU=inner,OU=old,DC=x", parent=ou),
        whole(A, dn="CN=a\\, b,OU=inner,OU=old,DC=x", parent=inner),
    )
    assert found(state, A).path == (inner, ou)
    read(state, changed(ou, dn="OU=new,DC=x"))
    assert found(state, A).dn == "CN=a\\, b,OU=inner,OU=new,DC=x"
    assert found(state, A).path == (inner, ou)


def test_the_object_above_is_found_by_name_where_no_key_is_told(state: SyncState) -> None:
    """Whichever comes first."""
    ou = b"o" * 16
    read(state, whole(A, dn="uid=a,ou=people,dc=x"))
    assert found(state, A).path == ()
    read(state, whole(ou, ObjectKind.OTHER, dn="OU=People,dc=x"), whole(B, dn="uid=b,ou=people,dc=x"))
    assert found(state, A).path == (ou,)
    assert found(state, B).path == (ou,)


def test_objects_above_each_other_end(state: SyncState) -> None:
    """Two moves of which one was told later make a circle for a moment."""
    read(state, whole(A, dn="OU=a,OU=b", parent=B), whole(B, dn="OU=b,OU=a", parent=A))
    read(state, whole(A, dn="OU=c,OU=b", parent=B))
    assert len(found(state, A).path) < 300


def test_the_primary_group_has_its_members(state: SyncState) -> None:
    """Nobody is listed there: each account names its group by SID, whichever comes first; the group's own word is apart."""
    read(state, whole(A, links={"primaryGroupID": names("S-1-5-21-1-2-3-513")}))
    read(state, whole(G, ObjectKind.GROUP, objectSid=DOMAIN + struct.pack("<I", 513)))
    read(state, whole(B, links={"primaryGroupID": names("S-1-5-21-1-2-3-513")}))
    assert sorted(members(state, G)) == [A, B]
    read(state, whole(G, ObjectKind.GROUP, objectSid=DOMAIN + struct.pack("<I", 513), links={"member": keys(C)}))
    assert sorted(members(state, G)) == [A, B, C]
    read(state, linked(G, added=keys(A), removed=keys(B)))
    assert sorted(members(state, G)) == [A, B, C]
    other = LinkChange(names("S-1-5-21-1-2-3-514"))
    read(state, SourceChange(ChangeKind.CHANGED, A, links={"primaryGroupID": other}), changed(B, sn="B"))
    assert sorted(members(state, G)) == [A, B, C]
    read(state, linked(G, removed=keys(A)), whole(B))
    assert members(state, G) == [C]


def test_sources_are_apart(state: SyncState) -> None:
    """The same key in two forests is two objects."""
    read(state, whole(A, sn="one"))
    read(state, whole(A, sn="two"), source="other")
    assert found(state, A).values == {"sn": "one"}
    assert found(state, A, "other").values == {"sn": "two"}


def test_unchanged_objects_are_counted_as_unchanged(state: SyncState) -> None:
    """A second reading of the same marks nothing."""
    changes = (whole(A, sn="A"), group(G, A))
    assert read_all(state, *changes).changed == 2
    for known in state.marks.changed_objects():
        state.marks.settle_object(known)
    assert read_all(state, *changes).changed == 0
    assert list(state.marks.changed_objects()) == []


def test_many_links_are_told_and_compared(state: SyncState) -> None:
    """More than a page, with those that go spread over all pages."""
    many = [b"%016d" % number for number in range(2500)]
    read(state, group(G, *many))
    read(state, SourceChange(ChangeKind.WHOLE, G, ObjectKind.GROUP, links={"member": LinkChange(keys(*many[::2]))}))
    assert state.objects.link_count("ad", G, "member") == 1250
    assert set(members(state, G)) == set(many[::2])
