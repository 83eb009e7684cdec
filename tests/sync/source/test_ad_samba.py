"""A real Active Directory as a source: what its deltas say and do not say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import ldap3
import pytest

from demo.samba import ServiceAccount, ThrowawayDomain
from directory import TlsSettings
from findings import Finding
from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, SourceChange
from sync.source import PRIMARY_GROUP, AdDomainSettings, AdSource, AdSourceSettings, SourceOutcome
from tests.sync.source.support import take

pytestmark = pytest.mark.samba

NAMES = ("cn", "mail", "sAMAccountName", "userPrincipalName", "userAccountControl", "member", "manager", "shoeSize")


def open_source(domain: ThrowawayDomain, user: str, password_file: object) -> AdSource:
    settings = AdDomainSettings(
        name=domain.dns_domain,
        servers=(f"{domain.address}:636",),
        base_dn=domain.base_dn,
        service_user=user,
        service_password_file=password_file,  # type: ignore[arg-type]
        tls=TlsSettings(ca_file=domain.ca_file),
    )
    return AdSource("corp", AdSourceSettings(domains=(settings,)), NAMES)


@pytest.fixture
async def source(domain: ThrowawayDomain) -> AsyncIterator[AdSource]:
    """As an administrator."""
    made = open_source(domain, domain.admin_upn, domain.admin_password_file)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def writer(domain: ThrowawayDomain) -> Iterator[ldap3.Connection]:
    """Changes things over LDAP, as administrators do."""
    server = ldap3.Server(f"ldaps://{domain.address}:636", get_info=None, tls=ldap3.Tls(ca_certs_file=str(domain.ca_file)))
    with ldap3.Connection(server, domain.admin_upn, domain.admin_password, raise_exceptions=True) as connection:
        yield connection


class Follower:
    """Reads what has changed since it last did, by key."""

    def __init__(self, source: AdSource, cookie: bytes | None) -> None:
        self._source, self.cookie = source, cookie

    async def changes(self) -> list[SourceChange]:
        changes, result = await take(self._source.read(self.cookie))
        assert (result.outcome, result.exhaustive) == (SourceOutcome.COMPLETE, False), result.reason
        self.cookie = result.cookie
        return changes


async def test_the_life_of_a_person(source: AdSource, domain: ThrowawayDomain, writer: ldap3.Connection) -> None:
    """Whole at first; made, put into a group, given another primary group, deleted, restored: one key all the way."""
    changes, first = await take(source.read(None))
    assert (first.outcome, first.exhaustive) == (SourceOutcome.COMPLETE, True)
    by_name = {str(change.values.get("sAMAccountName")): change for change in changes}
    anna, engineering = by_name["anna"], by_name["Engineering"]
    assert (anna.kind, anna.object) == (ChangeKind.WHOLE, ObjectKind.USER)
    assert anna.values["userAccountControl"] == 512
    assert anna.values["cn"] == "Anna Berg"
    assert anna.parent == next(change.key for change in changes if change.dn == domain.people_dn)
    assert engineering.object is ObjectKind.GROUP
    assert LinkTarget(anna.key) in (engineering.links["member"].all or ())
    (primary,) = anna.links[PRIMARY_GROUP].all or ()
    assert primary.name.endswith("-513")
    follower = Follower(source, first.cookie)

    dn, group = f"CN=Lena,{domain.people_dn}", f"CN=crew,{domain.people_dn}"
    user = {"dn": dn, "objectClass": "user", "sAMAccountName": "lena13", "userPrincipalName": "lena13@corp.example.com"}
    domain.edit(
        [
            {"add": {**user, "manager": anna.dn}},
            {"add": {"dn": group, "objectClass": "group", "sAMAccountName": "crew13", "member": [dn]}},
        ]
    )
    made = {change.dn: change for change in await follower.changes()}
    lena, crew = made[dn], made[group]
    assert (lena.kind, lena.object, lena.links["manager"]) == (
        ChangeKind.CHANGED,
        ObjectKind.USER,
        LinkChange(added=(LinkTarget(anna.key),)),
    )
    assert crew.links["member"] == LinkChange(added=(LinkTarget(lena.key),))

    # the domain controller itself removes the member from the new primary group, and tells both in any order
    sid = crew.values["objectSid"]
    assert isinstance(sid, bytes)
    rid = int.from_bytes(sid[-4:], "little")
    writer.modify(dn, {"primaryGroupID": [(ldap3.MODIFY_REPLACE, [str(rid)])]})
    told = {change.key: change for change in await follower.changes()}
    assert told[lena.key].links[PRIMARY_GROUP].all == (LinkTarget(name=f"{primary.name.rpartition('-')[0]}-{rid}"),)
    assert told[crew.key].links["member"] == LinkChange(removed=(LinkTarget(lena.key),))

    writer.modify(group, {"managedBy": [(ldap3.MODIFY_REPLACE, [anna.dn])]})  # nothing that rules name
    assert await follower.changes() == []

    writer.modify(dn, {"primaryGroupID": [(ldap3.MODIFY_REPLACE, ["513"])]})
    writer.delete(dn)
    told = {change.key: change for change in await follower.changes()}
    assert told[lena.key].kind is ChangeKind.DELETED
    (gone,), result = await take(source.fetch([lena.key]))
    assert (gone.kind, "\\0ADEL:" in gone.dn, result.outcome) == (ChangeKind.DELETED, True, SourceOutcome.COMPLETE)

    back = {"isDeleted": [(ldap3.MODIFY_DELETE, [])], "distinguishedName": [(ldap3.MODIFY_REPLACE, [dn])]}
    writer.modify(gone.dn, back, controls=[("1.2.840.113556.1.4.417", True, None)])
    changed, whole = await follower.changes()
    assert (changed.kind, changed.restored, whole.kind, whole.key) == (ChangeKind.CHANGED, True, ChangeKind.WHOLE, lena.key)
    assert whole.values["sAMAccountName"] == "lena13"
    assert "userPrincipalName" not in whole.values
    assert await follower.changes() == []


def _by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found}


async def test_what_a_preflight_finds(source: AdSource, domain: ThrowawayDomain, service: ServiceAccount) -> None:
    """An administrator lacks nothing; an ordinary account, the rights, until it gets them."""
    found = _by_name(await source.check())
    assert {name: finding.status for name, finding in found.items()} == {
        "connection": "pass",
        "clock": "pass",
        "replication right": "pass",
        "deleted objects": "pass",
        "recycle bin": "warn",
        "schema": "warn",
    }
    assert "it has no shoeSize:" in found["schema"].seen
    account = domain.create_service_account("svc-sync13")
    ordinary = open_source(domain, account.upn, account.password_file)
    try:
        found = _by_name(await ordinary.check())
        assert (found["replication right"].status, found["deleted objects"].status) == ("fail", "fail")
        rights = [
            {"dn": domain.base_dn, "to": account.name, "aces": ["(OA;;CR;1131f6aa-9c07-11d1-f79f-00c04fc2dcd2;;{sid})"]},
            {"dn": f"CN=Deleted Objects,{domain.base_dn}", "to": account.name, "aces": ["(A;;LCRP;;;{sid})"]},
        ]
        domain.edit([{"grant": right} for right in rights])
        found = _by_name(await ordinary.check())
        assert (found["replication right"].status, found["deleted objects"].status) == ("pass", "pass")
    finally:
        await ordinary.close()
