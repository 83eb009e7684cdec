"""DirSync of a real Active Directory, with what it does and does not tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import ldap3
import pytest

from demo.samba import ThrowawayDomain
from directory import (
    ChangeReader,
    DirectoryRecord,
    DirectorySettings,
    Reading,
    ReadOutcome,
    ReadResult,
    RecordKind,
    parse_extended_dn,
)
from directory.changes.cookies import ReadCookie, open_cookie

pytestmark = pytest.mark.samba

ATTRIBUTES = ("mail", "sAMAccountName", "userPrincipalName", "member", "manager", "cn", "lastKnownParent")


@pytest.fixture
async def reader(domain: ThrowawayDomain, ad_settings: DirectorySettings) -> AsyncIterator[ChangeReader]:
    """As an administrator."""
    made = ChangeReader(
        replace(ad_settings, service_user=domain.admin_upn, service_password_file=domain.admin_password_file)
    )
    yield made
    await made.close()


@pytest.fixture(scope="module")
def writer(domain: ThrowawayDomain) -> Iterator[ldap3.Connection]:
    """Changes things over LDAP, as administrators do."""
    server = ldap3.Server(f"ldaps://{domain.address}:636", get_info=None, tls=ldap3.Tls(ca_certs_file=str(domain.ca_file)))
    with ldap3.Connection(server, domain.admin_upn, domain.admin_password, raise_exceptions=True) as connection:
        yield connection


@pytest.fixture
def unit(domain: ThrowawayDomain, request: pytest.FixtureRequest) -> str:
    """An organisational unit of the test's own, with one in it."""
    name = f"OU={request.node.name[:50]},{domain.base_dn}"
    domain.edit([{"add": {"dn": dn, "objectClass": "organizationalUnit"}} for dn in (name, f"OU=Inner,{name}")])
    return name


def user(unit: str, name: str) -> dict[str, object]:
    """A step that adds one."""
    entry = {
        "dn": f"CN={name},OU=Inner,{unit}",
        "objectClass": "user",
        "sAMAccountName": name,
        "mail": f"{name}@example.com",
    }
    return {"add": {**entry, "userPrincipalName": f"{name}@corp.example.com"}}


async def take(reading: Reading) -> tuple[list[DirectoryRecord], ReadResult]:
    """All of it, which is complete."""
    async with reading:
        records = [record async for record in reading]
    assert reading.result.outcome is ReadOutcome.COMPLETE, reading.result.reason
    return records, reading.result


class Follower:
    """Reads what has changed since it last did."""

    def __init__(self, reader: ChangeReader, cookie: bytes | None) -> None:
        self._reader, self.cookie = reader, cookie

    async def changes(self) -> list[DirectoryRecord]:
        """By one DirSync."""
        records, result = await take(self._reader.read_dirsync(self.cookie, attributes=ATTRIBUTES))
        assert not result.exhaustive
        self.cookie = result.cookie
        return records


@pytest.fixture
async def follower(reader: ChangeReader) -> Follower:
    """From now on."""
    _, result = await take(reader.read_dirsync(None, attributes=ATTRIBUTES))
    assert result.exhaustive
    return Follower(reader, result.cookie)


async def test_a_full_dirsync_tells_what_a_full_reading_tells(reader: ChangeReader, domain: ThrowawayDomain) -> None:
    """Every object with its attributes, but for the naming attribute; and the root of the naming context below it."""
    told, _ = await take(reader.read_dirsync(None, attributes=("sAMAccountName", "mail", "cn")))
    read, result = await take(reader.read_full(attributes=("sAMAccountName", "mail", "cn"), deleted=True))
    assert result.exhaustive
    assert not any(b"cn" in record.attributes for record in told)
    wanted = (b"samaccountname", b"mail")
    by_key = {record.key: record for record in told}
    compared = [record for record in read if record.kind is RecordKind.WHOLE and record.key in by_key]
    for record in compared:
        other = by_key[record.key]
        assert other.dn == record.dn
        assert all(record.attributes.get(name) == other.attributes.get(name) for name in wanted)
    names = {value for record in compared for value in record.attributes.get(b"samaccountname", [])}
    assert {name.encode() for name in domain.people} <= names
    only_told = [record.dn for record in told if record.key not in {record.key for record in read}]
    assert only_told == [f"CN=Configuration,{domain.base_dn}"]


async def test_what_happens_to_one_person(
    follower: Follower, domain: ThrowawayDomain, unit: str, writer: ldap3.Connection
) -> None:
    """Made, changed, cleared, moved with the unit above it, deleted, restored: the same key all the way."""
    domain.edit([user(unit, "lena")])
    (made,) = (record for record in await follower.changes() if record.dn.startswith("CN=lena"))
    assert made.attributes[b"samaccountname"] == [b"lena"]
    dn = made.dn

    writer.modify(dn, {"mail": [(ldap3.MODIFY_DELETE, [])]})
    (cleared,) = await follower.changes()
    assert (cleared.key, cleared.cleared, cleared.kind) == (made.key, (b"mail",), RecordKind.CHANGED)

    # renaming a unit reports the unit alone: whoever is below has to be recomputed by parentGUID
    writer.modify_dn(unit, "OU=renamed")
    (renamed,) = await follower.changes()
    assert renamed.attributes[b"name"] == [b"renamed"]
    assert renamed.key != made.key

    writer.modify_dn(dn.replace(unit, f"OU=renamed,{domain.base_dn}"), "CN=lena", new_superior=domain.people_dn)
    (moved,) = await follower.changes()
    assert (moved.key, moved.dn) == (made.key, f"CN=lena,{domain.people_dn}")
    assert moved.attributes[b"parentguid"] != made.attributes[b"parentguid"]

    writer.delete(moved.dn)
    (deleted,) = await follower.changes()
    assert (deleted.key, deleted.kind) == (made.key, RecordKind.DELETED)
    assert b"userprincipalname" in deleted.cleared
    last_parent = parse_extended_dn(deleted.attributes[b"lastknownparent"][0].decode())  # extended without being asked to
    assert last_parent is not None
    assert last_parent.dn == domain.people_dn

    back = {"isDeleted": [(ldap3.MODIFY_DELETE, [])], "distinguishedName": [(ldap3.MODIFY_REPLACE, [moved.dn])]}
    writer.modify(deleted.dn, back, controls=[("1.2.840.113556.1.4.417", True, None)])
    (restored,) = await follower.changes()
    assert (restored.key, restored.restored, restored.kind) == (made.key, True, RecordKind.CHANGED)
    assert b"userprincipalname" not in restored.attributes
    assert await follower.changes() == []


async def test_what_happens_to_links(
    follower: Follower, reader: ChangeReader, domain: ThrowawayDomain, unit: str, writer: ldap3.Connection
) -> None:
    """Single values with the flag, all of them without; a member that is deleted leaves without a word."""
    people = [f"CN=link{number},OU=Inner,{unit}" for number in range(3)]
    group = f"CN=links,OU=Inner,{unit}"
    add_group: dict[str, object] = {
        "add": {"dn": group, "objectClass": "group", "sAMAccountName": "links", "member": people}
    }
    domain.edit([*(user(unit, f"link{number}") for number in range(3)), add_group])
    (made,) = (record for record in await follower.changes() if record.dn == group)
    assert sorted(made.added[b"member"]) == sorted(dn.encode() for dn in people)
    assert b"member" not in made.attributes

    _, before = await take(reader.read_dirsync(None, attributes=ATTRIBUTES, incremental=False))
    writer.modify(group, {"member": [(ldap3.MODIFY_DELETE, people[:1])]})
    writer.modify(people[1], {"manager": [(ldap3.MODIFY_REPLACE, people[2:])]})
    records = {record.dn: record for record in await follower.changes()}
    assert records[group].removed == {b"member": [people[0].encode()]}
    assert records[group].added == {}
    assert records[people[1]].added == {b"manager": [people[2].encode()]}  # of one value only, and linked all the same
    whole, _ = await take(reader.read_dirsync(before.cookie, attributes=ATTRIBUTES, incremental=False))
    (again,) = (record for record in whole if record.dn == group)
    assert sorted(again.attributes[b"member"]) == sorted(dn.encode() for dn in people[1:])

    writer.delete(people[2])
    assert {record.kind for record in await follower.changes()} == {RecordKind.DELETED}


async def test_a_cookie_that_cannot_be_used(follower: Follower, reader: ChangeReader) -> None:
    """Result 12 for what is no cookie. One of another domain controller would be taken, and everything told again."""
    assert follower.cookie is not None
    known = open_cookie(follower.cookie, "dirsync", None)
    broken = ReadCookie(known.kind, known.database, known.question, b"garbage", known.usn)
    elsewhere = ReadCookie(known.kind, b"e" * 16, known.question, known.opaque, known.usn)
    ahead = ReadCookie(known.kind, known.database, known.question, known.opaque, known.usn + 1_000_000)
    for cookie, reason in ((broken, "LDAP result 12"), (elsewhere, "another database"), (ahead, "put back")):
        async with reader.read_dirsync(cookie.seal(), attributes=ATTRIBUTES) as reading:
            assert [record async for record in reading] == []
        assert reading.result.outcome is ReadOutcome.COOKIE_REFUSED
        assert reason in reading.result.reason


async def test_what_an_ordinary_account_is_told(
    ad_settings: DirectorySettings, follower: Follower, domain: ThrowawayDomain, unit: str, writer: ldap3.Connection
) -> None:
    """Nothing without the right or the flag; and with the flag no deletions, which is why a preflight tests for them."""
    ordinary = ChangeReader(ad_settings)
    try:
        async with ordinary.read_dirsync(None) as reading:
            assert [record async for record in reading] == []
        assert (reading.result.outcome, "LDAP result 50" in reading.result.reason) == (ReadOutcome.FAILED, True)
        domain.edit([user(unit, "gone")])
        _, result = await take(ordinary.read_dirsync(None, attributes=ATTRIBUTES, own_rights=True))
        writer.delete(f"CN=gone,OU=Inner,{unit}")
        told, _ = await take(ordinary.read_dirsync(result.cookie, attributes=ATTRIBUTES, own_rights=True))
        assert RecordKind.DELETED not in {record.kind for record in told}
    finally:
        await ordinary.close()
    assert RecordKind.DELETED in {record.kind for record in await follower.changes()}


async def test_a_filter_would_lose_deletions(
    follower: Follower, domain: ThrowawayDomain, unit: str, writer: ldap3.Connection
) -> None:
    """As another client sees that sends one: tombstones have no objectCategory. Ours sends none."""
    domain.edit([user(unit, "filtered")])
    filtered = writer.extend.microsoft.dir_sync(
        domain.base_dn, "(objectCategory=person)", ["name"], incremental_values=False
    )
    assert any("CN=filtered" in found["dn"] for found in filtered.loop())
    assert not filtered.more_results
    writer.delete(f"CN=filtered,OU=Inner,{unit}")
    assert [found for found in filtered.loop() if found["type"] == "searchResEntry"] == []
    assert [record.kind for record in await follower.changes() if record.dn.startswith("CN=filtered")] == [
        RecordKind.DELETED
    ]


@pytest.mark.parametrize(("own_rights", "code"), [(False, 50), (True, 53)])
async def test_only_the_root_of_a_naming_context_is_taken(
    reader: ChangeReader, domain: ThrowawayDomain, own_rights: bool, code: int
) -> None:
    """Whichever it is, it is the result."""
    async with reader.read_dirsync(None, base=domain.people_dn, own_rights=own_rights) as reading:
        assert [record async for record in reading] == []
    assert (reading.result.outcome, f"LDAP result {code}" in reading.result.reason) == (ReadOutcome.FAILED, True)


async def test_names_with_identities(reader: ChangeReader, domain: ThrowawayDomain) -> None:
    """Values that name objects bring their objectGUID where that is asked for."""
    group = "(sAMAccountName=Engineering)"
    (record,), _ = await take(reader.read_full(attributes=("member",), matching=group, extended_dn=True))
    everybody, _ = await take(reader.read_full(attributes=("cn",), base=domain.people_dn))
    keys = {person.dn: person.key for person in everybody}
    members = [parse_extended_dn(value.decode()) for value in record.attributes[b"member"]]
    assert members
    assert all(member is not None and keys[member.dn] == member.guid for member in members)
    assert record.dn in keys


async def test_a_change_is_told_as_it_happens(reader: ChangeReader, domain: ThrowawayDomain, follower: Follower) -> None:
    """Within the five seconds at which Samba looks for them."""
    async with reader.wait_for_change(follower.cookie, seconds=15) as reading:
        assert await reading.begin()
        asked = time.monotonic()
        await asyncio.to_thread(domain.set_attributes, "anna", description=f"changed at {asked}")
        record = await anext(reading)
        assert time.monotonic() - asked < 8
    assert record.dn.startswith("CN=Anna Berg")
