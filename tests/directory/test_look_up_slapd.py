"""Who somebody is, without a password, asked of a real OpenLDAP server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from demo.slapd import ThrowawaySlapd
from directory import AccountStatus, Credential, Directories, FoundPerson, PersonReference
from tests.support.slapd import settings_of

pytestmark = pytest.mark.slapd


@pytest.fixture(scope="module")
def slapd() -> Iterator[ThrowawaySlapd]:
    """A server with ten people."""
    with ThrowawaySlapd() as running:
        yield running


@pytest.fixture
async def people(slapd: ThrowawaySlapd) -> AsyncIterator[Directories]:
    """The directory in front of it."""
    made = Directories([settings_of(slapd)])
    yield made
    await made.close()


async def look_up(people: Directories, person: PersonReference) -> FoundPerson:
    found = await people.look_up(person, deadline=time.time() + 10, may_tell=lambda _: True)
    assert found is not None
    return found


async def guid_of(people: Directories, name: str) -> str:
    found = await people.find_user(name)
    assert found is not None
    return found.object_guid


async def test_a_person_is_found_by_entry_uuid_and_by_name(slapd: ThrowawaySlapd, people: Directories) -> None:
    """With the identity and the groups of a sign-in."""
    signed_in = await people.verify(Credential("person1", slapd.password(1)), deadline=time.time() + 10)
    assert signed_in.identity is not None
    for person in (
        PersonReference(object_guid=signed_in.identity.object_guid),
        PersonReference(object_guid=signed_in.identity.object_guid, domain=slapd.name),
        PersonReference(user_name="person1"),
        PersonReference(user_name=slapd.upn(1)),
    ):
        found = await look_up(people, person)
        assert (found.status, found.account, found.identity) == (AccountStatus.LIVE, signed_in.account, signed_in.identity)


async def test_states_by_the_password_policy(slapd: ThrowawaySlapd, people: Directories) -> None:
    """Locked by hand, by wrong passwords, told to change it, past its end; and a password that was changed."""
    person = PersonReference(object_guid=await guid_of(people, "person2"))
    change = f"dn: {slapd.dn(2)}\nchangetype: modify\n"
    seen = []
    for attribute, value in (
        ("pwdAccountLockedTime", "000001010000Z"),
        ("pwdAccountLockedTime", "20260101000000Z"),
        ("pwdReset", "TRUE"),
        ("pwdEndTime", "20200101000000Z"),
    ):
        slapd.modify(f"{change}add: {attribute}\n{attribute}: {value}\n")
        seen.append((await look_up(people, person)).status.value)
        slapd.modify(f"{change}delete: {attribute}\n")
    assert seen == ["disabled", "locked", "must_change", "expired"]
    assert (await look_up(people, person)).status is AccountStatus.LIVE
    slapd.modify(f"{change}replace: userPassword\nuserPassword: Another-Quay-2\n")
    reset = await look_up(people, person)
    assert reset.status is AccountStatus.MUST_CHANGE  # pwdMustChange: somebody else has set it
    assert abs(reset.password_set - time.time()) < 60
    slapd.modify(f"{change}delete: pwdReset\n")
    verified = await people.verify(Credential("person2", "Another-Quay-2"), deadline=time.time() + 10)
    assert verified.password_set == (await look_up(people, person)).password_set


async def test_a_deleted_entry_is_gone(slapd: ThrowawaySlapd, people: Directories) -> None:
    """And so is what never was there."""
    person = PersonReference(object_guid=await guid_of(people, "person3"))
    assert (await look_up(people, person)).status is AccountStatus.LIVE
    slapd.modify(f"dn: {slapd.dn(3)}\nchangetype: delete\n")
    gone = await look_up(people, person)
    assert (gone.status, gone.identity, gone.account.object_guid) == (AccountStatus.GONE, None, person.object_guid)
    never = PersonReference(object_guid="3f1c5a0e-0000-4000-8000-00000000ffff")
    assert (await look_up(people, never)).status is AccountStatus.GONE
