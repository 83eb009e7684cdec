"""Records of LDAP servers as changes."""

from __future__ import annotations

import pytest

from directory import DirectoryRecord, RecordKind
from sync.distinguished_names import normal_dn
from sync.model import ChangeKind, LinkTarget, ObjectKind
from sync.source import Schema
from sync.source.ldap.records import changes_of, kind_of, link_target
from sync.source.ldap.source import _written

SCHEMA = Schema(("mail", "member", "uniqueMember"))
KEY = b"k" * 16


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        ([b"top", b"inetOrgPerson"], ObjectKind.USER),
        ([b"ACCOUNT", b"posixAccount"], ObjectKind.USER),
        ([b"groupOfUniqueNames"], ObjectKind.GROUP),
        ([b"posixAccount", b"posixGroup"], ObjectKind.GROUP),
        ([b"organizationalUnit"], ObjectKind.OTHER),
        ([b"inetOrgPerson", b"acmeRobot"], ObjectKind.OTHER),
        ([b"acmeCard"], ObjectKind.CONTACT),
        ([], ObjectKind.OTHER),
    ],
)
def test_what_an_entry_is(classes: list[bytes], kind: ObjectKind) -> None:
    """By its object classes; the settings' word counts first."""
    assert kind_of(classes, {"acmerobot": ObjectKind.OTHER, "acmecard": ObjectKind.CONTACT}) is kind


def test_entries_come_whole_or_named() -> None:
    """A deleted or unchanged one has its key only."""
    entry = {b"objectclass": [b"groupOfNames"], b"mail": [b"crew@corp"], b"member": [b"UID=a, DC=corp"], b"uniquemember": []}
    (whole,) = changes_of(DirectoryRecord(RecordKind.WHOLE, KEY, "cn=crew,dc=corp", entry), SCHEMA, {})
    assert (whole.kind, whole.object, whole.values) == (ChangeKind.WHOLE, ObjectKind.GROUP, {"mail": "crew@corp"})
    assert whole.links["member"].all == (LinkTarget(name="uid=a,dc=corp"),)
    for kind, change_kind in ((RecordKind.PRESENT, ChangeKind.PRESENT), (RecordKind.DELETED, ChangeKind.DELETED)):
        (change,) = changes_of(DirectoryRecord(kind, KEY), SCHEMA, {})
        assert (change.kind, change.key) == (change_kind, KEY)


def test_names_of_members() -> None:
    """A unique identifier after the name does not belong to it."""
    assert link_target(b"uid=a,dc=corp#'0101'B").name == normal_dn("UID=a,DC=corp")
    assert link_target(rb"cn=a\#b,dc=corp").name == normal_dn("cn=a#b,dc=corp")


def test_how_keys_are_asked_for() -> None:
    """As each attribute writes them."""
    key = bytes(range(16))
    assert _written(key, "entryUUID") == "00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert _written(key, "nsUniqueId") == "00010203-04050607-08090a0b-0c0d0e0f"
