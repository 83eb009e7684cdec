"""Active Directory's records as changes."""

from __future__ import annotations

import uuid

import pytest

from directory import DirectoryRecord, RecordKind
from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, SourceChange
from sync.source import PRIMARY_GROUP, Schema
from sync.source.ad.records import changes_of, forward_links, kind_of, link_target

SCHEMA = Schema(("cn", "ou", "mail", "userAccountControl", "objectSid", "member", "manager"))
DOMAIN = "S-1-5-21-1-2-3"
KEY = b"k" * 16
GUID = "49aecef4-845b-4405-b0b0-948c49c52094"
MEMBER = uuid.UUID(GUID).bytes_le
USER = [b"top", b"person", b"organizationalPerson", b"user"]


def extended(dn: str, sid: str = "S-1-5-21-1-2-3-500") -> bytes:
    return f"<GUID={GUID}>;<SID={sid}>;{dn}".encode()


def told(record: DirectoryRecord, *, full: bool = False) -> SourceChange:
    (change,) = changes_of(record, SCHEMA, DOMAIN, full=full)
    return change


def record(kind: RecordKind = RecordKind.CHANGED, dn: str = "CN=Anna,DC=corp", **more: object) -> DirectoryRecord:
    return DirectoryRecord(kind, KEY, dn, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (USER, ObjectKind.USER),
        ([*USER, b"inetOrgPerson"], ObjectKind.USER),
        ([b"top", b"posixAccount", *USER[1:], b"acmeRobot"], ObjectKind.USER),
        ([*USER, b"computer"], ObjectKind.OTHER),
        ([*USER, b"computer", b"msDS-GroupManagedServiceAccount"], ObjectKind.OTHER),
        ([b"top", b"group"], ObjectKind.GROUP),
        ([b"top", b"person", b"organizationalPerson", b"contact"], ObjectKind.CONTACT),
        ([b"top", b"organizationalUnit"], ObjectKind.OTHER),
        ([b"top", b"foreignSecurityPrincipal"], ObjectKind.OTHER),
    ],
)
def test_what_an_object_is(classes: list[bytes], kind: ObjectKind) -> None:
    """A computer is a user to the schema, and nobody who gets an account."""
    assert kind_of(tuple(classes)) is kind


def test_a_full_reading_tells_objects_whole() -> None:
    """With its class, an object comes with all it has; further pieces of it have none, and add."""
    attributes = {b"objectclass": [b"top", b"group"], b"name": [b"crew"]}
    first = told(record(attributes=attributes, added={b"member": [extended("CN=a")]}), full=True)
    assert (first.kind, first.object, first.cleared) == (ChangeKind.WHOLE, ObjectKind.GROUP, frozenset())
    assert first.links == {"member": LinkChange(all=(LinkTarget(MEMBER),))}
    more = told(record(added={b"member": [extended("CN=a")]}), full=True)
    assert (more.kind, more.links) == (ChangeKind.CHANGED, {"member": LinkChange(added=(LinkTarget(MEMBER),))})


def test_a_delta_never_tells_an_object_whole() -> None:
    """Of an object whose class is changed, what is not told is as before."""
    change = told(record(attributes={b"objectclass": USER, b"mail": [b"a@b"]}, cleared=(b"useraccountcontrol", b"other")))
    assert (change.kind, change.object, change.values) == (ChangeKind.CHANGED, ObjectKind.USER, {"mail": "a@b"})
    assert change.cleared == {"userAccountControl"}
    assert not change.restored


def test_links_come_and_go_one_by_one() -> None:
    """By key, whatever the DN is by now; a link that was cleared is named."""
    change = told(
        record(added={b"member": [extended("CN=a")]}, removed={b"member": [extended("CN=b")]}, cleared=(b"manager",))
    )
    assert change.links["member"] == LinkChange(added=(LinkTarget(MEMBER),), removed=(LinkTarget(MEMBER),))
    assert change.cleared == {"manager"}


def test_the_naming_attribute_is_the_name() -> None:
    """DirSync never tells `cn`; a conflict has a line break in it."""
    assert told(record(attributes={b"name": ["Anna Brück".encode()]})).values == {"cn": "Anna Brück"}
    unit = record(dn="OU=Sales,DC=corp", attributes={b"name": [b"Sales"]})
    assert told(unit).values == {"ou": "Sales"}
    conflict = record(dn=f"CN=Anna\\0ACNF:{GUID},DC=corp", attributes={b"name": [f"Anna\nCNF:{GUID}".encode()]})
    change = told(conflict)
    assert (change.kind, change.values) == (ChangeKind.CHANGED, {"cn": f"Anna\nCNF:{GUID}"})
    assert change.dn == f"CN=Anna\\0ACNF:{GUID},DC=corp"


def test_where_an_object_lies() -> None:
    """By the key of what is above it, where that is told."""
    assert told(record(attributes={b"parentguid": [b"p" * 16]})).parent == b"p" * 16
    assert told(record()).parent == b""


def test_the_primary_group_is_a_link_of_its_member() -> None:
    """Named by its SID; it replaces the one before."""
    change = told(record(attributes={b"primarygroupid": [b"513"]}))
    assert change.links == {PRIMARY_GROUP: LinkChange(all=(LinkTarget(name="S-1-5-21-1-2-3-513"),))}


def test_somebody_of_another_forest() -> None:
    """The link has the key of the foreign security principal, and the SID of whom it stands for."""
    sid = "S-1-5-21-9-9-9-1104"
    value = extended(f"CN={sid},CN=ForeignSecurityPrincipals,DC=corp", sid)
    assert link_target(value) == LinkTarget(MEMBER, sid)
    assert link_target(extended("CN=a,CN=Users,DC=corp", sid)) == LinkTarget(MEMBER)


@pytest.mark.parametrize("value", [b"CN=A, DC=Corp", b"<GUID=zzzzzzzz-845b-4405-b0b0-948c49c52094>;CN=a"])
def test_names_without_identities(value: bytes) -> None:
    """Of a server that does not know the notation."""
    target = link_target(value)
    assert (target.key, bool(target.name)) == (b"", True)


def test_tombstones() -> None:
    """By `isDeleted`; and by name, where a deleted object loses its attributes later without it."""
    dn = f"CN=Anna\\0ADEL:{GUID},CN=Deleted Objects,DC=corp"
    for kind in (RecordKind.DELETED, RecordKind.CHANGED):
        change = told(record(kind, dn, cleared=(b"mail",)))
        assert (change.kind, change.key, change.dn, change.cleared) == (ChangeKind.DELETED, KEY, dn, frozenset())


def test_a_restored_object_is_marked() -> None:
    """`isDeleted` was cleared."""
    assert told(record(cleared=(b"isdeleted", b"lastknownparent"))).restored


def test_links_of_others_to_a_restored_object() -> None:
    """As the directory computes them; only those that rules want."""
    changes = list(
        forward_links(
            record(
                RecordKind.WHOLE,
                attributes={
                    b"memberof": [extended("CN=g")],
                    b"directreports": [extended("CN=r")],
                    b"managedobjects": [b"x"],
                },
            ),
            SCHEMA,
        )
    )
    links = LinkChange(added=(LinkTarget(KEY),))
    assert [(change.kind, change.key, change.links) for change in changes] == [
        (ChangeKind.CHANGED, MEMBER, {"member": links}),
        (ChangeKind.CHANGED, MEMBER, {"manager": links}),
    ]
