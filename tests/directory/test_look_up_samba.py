"""Who somebody is, without a password, asked of a real Active Directory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from demo.samba import ThrowawayDomain
from directory import (
    AccountStatus,
    Credential,
    Directories,
    DirectoryIdentity,
    DirectorySettings,
    FoundPerson,
    PersonReference,
)

pytestmark = pytest.mark.samba


@pytest.fixture
async def people(ad_settings: DirectorySettings) -> AsyncIterator[Directories]:
    """The domain's directory."""
    made = Directories([replace(ad_settings, attributes=("telephoneNumber",))])
    yield made
    await made.close()


async def look_up(people: Directories, person: PersonReference, *, may: bool = True) -> FoundPerson | None:
    return await people.look_up(person, deadline=time.time() + 10, may_tell=lambda _: may)


async def identity_of(people: Directories, name: str) -> DirectoryIdentity:
    found = await people.find_user(name)
    assert found is not None
    return found


async def test_every_key_finds_the_same_person_and_what_a_sign_in_finds(
    people: Directories, domain: ThrowawayDomain
) -> None:
    """GUID, SID, UPN, DOMAIN\\name: the identity of a sign-in, nested groups included, and when the password was set."""
    anna = domain.people["anna"]
    signed_in = await people.verify(Credential(anna.upn, anna.password), deadline=time.time() + 10)
    identity = signed_in.identity
    assert identity is not None
    assert abs(signed_in.password_set - time.time()) < 3600
    for person in (
        PersonReference(object_guid=identity.object_guid),
        PersonReference(object_guid=identity.object_guid, domain="CORP"),
        PersonReference(sid=identity.sid, domain=domain.dns_domain),
        PersonReference(user_name=anna.upn),
        PersonReference(user_name="CORP\\anna"),
    ):
        found = await look_up(people, person)
        assert found is not None
        assert (found.status, found.account, found.password_set) == (
            AccountStatus.LIVE,
            signed_in.account,
            signed_in.password_set,
        )
        assert found.identity is not None
        assert {group.sid for group in found.identity.groups} == {group.sid for group in identity.groups}
        assert replace_groups(found.identity) == replace_groups(identity)


def replace_groups(identity: DirectoryIdentity) -> tuple[object, ...]:
    """All but the groups, whose order is the server's."""
    return tuple(getattr(identity, name) for name in identity.__struct_fields__ if name != "groups")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("anna", AccountStatus.LIVE),
        ("clara", AccountStatus.LIVE),  # her password is merely too old
        ("dario", AccountStatus.MUST_CHANGE),
        ("emma", AccountStatus.DISABLED),
        ("felix", AccountStatus.LOCKED),
        ("greta", AccountStatus.EXPIRED),
        ("hugo", AccountStatus.LIVE),
    ],
)
async def test_the_state_of_every_account(people: Directories, name: str, status: AccountStatus) -> None:
    """As the domain controller has it, without any bind."""
    guid = (await identity_of(people, f"CORP\\{name}")).object_guid
    binds = sum(controller.binds for controller in people.health())
    found = await look_up(people, PersonReference(object_guid=guid))
    assert found is not None
    assert found.status is status
    assert sum(controller.binds for controller in people.health()) == binds


async def test_an_account_that_is_disabled_deleted_or_gets_another_password_is_told(
    people: Directories, domain: ThrowawayDomain
) -> None:
    """From one look-up to the next; a deleted object is gone, and its account is the one that was asked about."""
    (name,) = domain.create_users(1)
    identity = await identity_of(people, name)
    person = PersonReference(object_guid=identity.object_guid, domain=domain.dns_domain)
    first = await look_up(people, person)
    domain.edit([{"modify": {"dn": identity.dn, "pwdLastSet": "0"}, "raw": True}])
    flagged = await look_up(people, person)
    domain.edit([{"modify": {"dn": identity.dn, "password": "Other-Strait-99"}}])
    changed = await look_up(people, person)
    domain.edit([{"modify": {"dn": identity.dn, "userAccountControl": "514"}}])
    disabled = await look_up(people, person)
    domain.edit([{"delete": {"dn": identity.dn}}])
    gone = await look_up(people, person)
    found = [first, flagged, changed, disabled, gone]
    assert [one and one.status.value for one in found] == ["live", "must_change", "live", "disabled", "gone"]
    assert first is not None
    assert changed is not None
    assert gone is not None
    assert changed.password_set > first.password_set
    assert (gone.account, gone.identity) == (first.account, None)
    named = await look_up(people, PersonReference(user_name=name))
    assert named is not None
    assert (named.status, named.account.object_guid) == (AccountStatus.GONE, "")


async def test_who_is_no_user_is_nobody(
    people: Directories, domain: ThrowawayDomain, ad_settings: DirectorySettings
) -> None:
    """A group by its SID, an account that `user_filter` leaves out, and a directory that is not this agent's."""
    anna = await identity_of(people, "CORP\\anna")
    group = await look_up(people, PersonReference(sid=anna.groups[0].sid))
    assert group is not None
    assert group.status is AccountStatus.GONE
    assert await look_up(people, PersonReference(object_guid=anna.object_guid, domain="elsewhere.example.net")) is None
    assert await look_up(people, PersonReference(object_guid=anna.object_guid), may=False) is None
    others = Directories([replace(ad_settings, user_filter="(sAMAccountName=ben)")])
    left_out = await look_up(others, PersonReference(object_guid=anna.object_guid))
    await others.close()
    assert left_out is not None
    assert left_out.status is AccountStatus.GONE


async def test_a_deadline_that_passes_is_a_time_out(people: Directories, domain: ThrowawayDomain) -> None:
    """Whoever asked does not wait for a domain controller that hangs."""
    guid = (await identity_of(people, "CORP\\anna")).object_guid
    domain.pause()
    try:
        with pytest.raises(TimeoutError):
            await people.look_up(PersonReference(object_guid=guid), deadline=time.time() + 0.3, may_tell=lambda _: True)
    finally:
        domain.resume()
